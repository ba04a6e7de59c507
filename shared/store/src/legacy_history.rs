//! The history of the legacy tool: TypeORM's table `migrations(id, timestamp, name)`. It is only read.

use pg_sql::quote_identifier;
use tokio_postgres::types::{ToSql, Type};

use domain::Version;
use pg_session::Session;
use pg_session::split_name;

/// TypeORM's default name for its history.
const DEFAULT_TABLE: &str = "migrations";

/// One row of the legacy tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegacyRow {
    /// Its number: the order in which it was written.
    pub id: i64,
    /// Milliseconds since 1970: our version.
    pub version: Version,
    /// The name of its class, which ends in the version.
    pub name: String,
}

/// A table of the legacy tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegacyTable {
    pub schema: String,
    pub table: String,
    /// What it holds, in the order of its ids.
    pub rows: Vec<LegacyRow>,
}

impl LegacyTable {
    /// How a row is named in human output and in the journal.
    pub fn describe(&self, row: &LegacyRow) -> String {
        format!("{}.{} {} {}", self.schema, self.table, row.id, row.name)
    }
}

/// The tables in which a service's legacy history may be: the one that is configured for it, and TypeORM's default, since
/// applications and their command lines did not always use the same one. They are found in any schema, by
/// their name (`table` or `schema.table`) and their form.
pub async fn read_legacy_tables(
    session: &Session,
    configured: Option<&str>,
) -> Result<Vec<LegacyTable>, tokio_postgres::Error> {
    let mut tables = Vec::new();
    for place in find(session, configured).await? {
        let rows = read_rows(session, &place.schema, &place.table).await?;
        tables.push(LegacyTable {
            schema: place.schema,
            table: place.table,
            rows,
        });
    }
    Ok(tables)
}

/// The versions in a service's legacy history.
pub async fn read_legacy_versions(
    session: &Session,
    configured: Option<&str>,
) -> Result<Vec<Version>, tokio_postgres::Error> {
    let mut versions = Vec::new();
    for place in find(session, configured).await? {
        let rows = read_rows(session, &place.schema, &place.table).await?;
        versions.extend(rows.into_iter().map(|row| row.version));
    }
    versions.sort_unstable();
    Ok(versions)
}

/// The SQL that grants access to a legacy history that this role may not read.
pub async fn hidden_legacy_table(
    session: &Session,
    configured: Option<&str>,
) -> Result<Option<String>, tokio_postgres::Error> {
    let user = quote_identifier(session.user());
    let places = find(session, configured).await?;
    let hidden = places.iter().find(|place| !place.readable);
    Ok(hidden.map(|Place { schema, table, .. }| {
        let (schema, table) = (quote_identifier(schema), quote_identifier(table));
        format!("GRANT USAGE ON SCHEMA {schema} TO {user}; GRANT SELECT ON TABLE {schema}.{table} TO {user}")
    }))
}

struct Place {
    schema: String,
    table: String,
    readable: bool,
}

async fn find(
    session: &Session,
    configured: Option<&str>,
) -> Result<Vec<Place>, tokio_postgres::Error> {
    let mut names = vec![configured.unwrap_or(DEFAULT_TABLE), DEFAULT_TABLE];
    names.dedup();
    // Most databases have no table of that name, which is found out faster.
    let tables: Vec<&str> = names.iter().map(|name| split_name(name).1).collect();
    let sql = "SELECT EXISTS (SELECT FROM pg_catalog.pg_class WHERE relname = ANY ($1))";
    let parameters: [(&(dyn ToSql + Sync), Type); 1] = [(&tables, Type::TEXT_ARRAY)];
    let any = session.client().query_typed(sql, &parameters).await?;
    if any.first().is_some_and(|row| !row.get::<_, bool>(0)) {
        return Ok(Vec::new());
    }
    let mut found: Vec<Place> = Vec::new();
    for name in names {
        let (schema, table) = split_name(name);
        let rows = session
            .client()
            .query_typed(
                // The columns decide: a table of the application's own may have the same name. Only ordinary tables are read,
                // and no generated columns: those would run code of the table's owner.
                "SELECT n.nspname::text, c.relname::text, pg_catalog.has_schema_privilege(n.oid, 'USAGE') \
                   AND pg_catalog.has_table_privilege(c.oid, 'SELECT') FROM pg_catalog.pg_class c \
                   JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                 WHERE c.relkind = 'r' AND c.relname = $1 AND ($2 IS NULL OR n.nspname = $2) AND n.nspname !~ '^pg_' \
                   AND (SELECT pg_catalog.array_agg(a.attname::text ORDER BY a.attname) FROM pg_catalog.pg_attribute a \
                     WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' \
                       AND (a.attname, a.atttypid) IN (('id', 'int4'::regtype), ('id', 'int8'::regtype), \
                         ('timestamp', 'int8'::regtype), ('name', 'varchar'::regtype), ('name', 'text'::regtype))) \
                     = ARRAY['id', 'name', 'timestamp'] \
                 ORDER BY n.nspname <> 'public', n.nspname",
                &[(&table, Type::TEXT), (&schema, Type::TEXT)],
            )
            .await?;
        for row in rows {
            let place = Place {
                schema: row.get(0),
                table: row.get(1),
                readable: row.get(2),
            };
            let is_known = found
                .iter()
                .any(|known| known.schema == place.schema && known.table == place.table);
            if !is_known {
                found.push(place);
            }
        }
    }
    Ok(found)
}

async fn read_rows(
    session: &Session,
    schema: &str,
    table: &str,
) -> Result<Vec<LegacyRow>, tokio_postgres::Error> {
    let rows = session
        .client()
        .query_typed(
            &format!(
                "SELECT COALESCE(id, 0)::int8, COALESCE(\"timestamp\", 0)::int8, COALESCE(name::text, '') \
                 FROM ONLY {}.{} ORDER BY id",
                quote_identifier(schema),
                quote_identifier(table)
            ),
            &[],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(LegacyRow {
                id: row.try_get(0)?,
                version: Version::new(row.try_get(1)?),
                name: row.try_get(2)?,
            })
        })
        .collect()
}
