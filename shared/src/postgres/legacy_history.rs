//! The history that the platform's former tool kept: TypeORM's table `migrations(id, timestamp, name)`. Only read.

use tokio_postgres::types::Type;

use super::Session;
use super::history::{quote_identifier, split_name};
use crate::domain::Version;

/// One row of the former tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegacyRow {
    /// Its number: the order in which it was written.
    pub id: i64,
    /// Milliseconds since 1970: our version.
    pub version: Version,
    /// The name of its class, which ends in the version.
    pub name: String,
}

/// A table of the former tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegacyTable {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub table: String,
    /// What it holds, in the order of its ids.
    pub rows: Vec<LegacyRow>,
}

impl LegacyTable {
    /// How a row is named for people and in the journal.
    pub fn describe(&self, row: &LegacyRow) -> String {
        format!("{}.{} {} {}", self.schema, self.table, row.id, row.name)
    }
}

/// The tables with these names and the form of a legacy history, in whatever schema they are. `names` are `table` or
/// `schema.table`; one name twice is one table.
pub async fn read_legacy_tables(
    session: &Session,
    names: &[&str],
) -> Result<Vec<LegacyTable>, tokio_postgres::Error> {
    let mut found: Vec<LegacyTable> = Vec::new();
    for name in names {
        let (schema, table) = split_name(name);
        let places = session
            .client()
            .query_typed(
                // The columns decide: a table of the application's own may have the same name.
                "SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_class c \
                   JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                 WHERE c.relkind = 'r' AND c.relname = $1 AND ($2 IS NULL OR n.nspname = $2) AND n.nspname !~ '^pg_' \
                   AND (SELECT pg_catalog.array_agg(a.attname::text ORDER BY a.attname) FROM pg_catalog.pg_attribute a \
                     WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
                       AND (a.attname, a.atttypid) IN (('id', 'int4'::regtype), ('id', 'int8'::regtype), \
                         ('timestamp', 'int8'::regtype), ('name', 'varchar'::regtype), ('name', 'text'::regtype))) \
                     = ARRAY['id', 'name', 'timestamp'] \
                   AND c.relnatts >= 3 \
                 ORDER BY n.nspname <> 'public', n.nspname",
                &[(&table, Type::TEXT), (&schema, Type::TEXT)],
            )
            .await?;
        for place in places {
            let (schema, table): (String, String) = (place.get(0), place.get(1));
            if found
                .iter()
                .any(|known| known.schema == schema && known.table == table)
            {
                continue;
            }
            let rows = read_rows(session, &schema, &table).await?;
            found.push(LegacyTable {
                schema,
                table,
                rows,
            });
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
                "SELECT id::int8, \"timestamp\", name::text FROM {}.{} ORDER BY id",
                quote_identifier(schema),
                quote_identifier(table)
            ),
            &[],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| LegacyRow {
            id: row.get(0),
            version: Version::new(row.get(1)),
            name: row.get(2),
        })
        .collect())
}
