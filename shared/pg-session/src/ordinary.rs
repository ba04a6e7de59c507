//! Recognizes the usual state of our tables with a query that is cheap to plan: a session that only learns that nothing is pending
//! spends most of its time on planning.
//!
//! Responsible for the answer "all of them are ordinary tables of this role". Anything else is judged by
//! `bookkeeping`, which also reports what is wrong.

use tokio_postgres::types::{ToSql, Type};

use super::Client;
use super::bookkeeping::{Bookkeeping, COLUMNS, INDEXES};

/// The schemas of our tables. Names are resolved by functions rather than by joins over the catalog; `to_regclass` requires USAGE on
/// the schema. The flags of `pg_class` may be set without a cause, but are never missing.
fn question() -> String {
    format!(
        "SELECT p.place, c.relkind = 'r' AND c.relpersistence = 'p' AND NOT c.relrowsecurity AND NOT c.relforcerowsecurity \
             AND NOT c.relhastriggers AND NOT c.relhasrules AND NOT c.relhassubclass AND NOT c.relispartition \
             AND c.relowner = me.oid \
             AND pg_catalog.has_table_privilege(c.oid, 'SELECT') AND pg_catalog.has_table_privilege(c.oid, 'INSERT') \
             AND pg_catalog.has_table_privilege(c.oid, 'UPDATE') AND pg_catalog.has_table_privilege(c.oid, 'DELETE') \
             AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND (a.attinhcount > 0 OR a.atthasdef)) AND c.relchecks = 0 \
             AND NOT {COLUMNS} AND NOT {INDEXES} \
         FROM (SELECT p.place, CASE WHEN pg_catalog.has_schema_privilege( \
                   pg_catalog.to_regnamespace(pg_catalog.quote_ident(p.schema))::oid, 'USAGE') \
                 THEN pg_catalog.to_regclass(pg_catalog.format('%I.%I', p.schema, ($2)[p.place]))::oid END AS oid \
               FROM pg_catalog.unnest($1) WITH ORDINALITY AS p (schema, place)) p \
           JOIN pg_catalog.pg_class c ON c.oid = p.oid, \
           (SELECT pg_catalog.to_regrole(pg_catalog.quote_ident(CURRENT_USER))::oid) AS me (oid) \
         UNION ALL SELECT 0, pg_catalog.has_schema_privilege(n.oid, 'USAGE') \
             AND n.nspowner = pg_catalog.to_regrole(pg_catalog.quote_ident(CURRENT_USER))::oid \
         FROM pg_catalog.pg_namespace n WHERE n.nspname = 'orchestrator' \
         UNION ALL SELECT {NAMESAKE}, EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.relname = $3) \
         UNION ALL SELECT {TYPE}, NOT EXISTS (SELECT FROM pg_catalog.pg_type t WHERE t.typname = ANY ($2) AND t.typrelid = 0 \
           AND (t.typarray <> 0 OR t.typtype <> 'b'))"
    )
}

/// The number of the row for schema `orchestrator` itself; its tables are numbered from 1.
const SCHEMA: i64 = 0;
/// The number of the row for relations with the name of the history, in any schema.
const NAMESAKE: i64 = -1;
/// The number of the row for types with our names.
const TYPE: i64 = -2;

/// `None`: something is unusual, or some of our tables are missing. The history is expected in the first of `schemas` that has it.
pub(super) async fn read(
    client: &Client,
    schemas: &[&str],
    history: &str,
    tables: &[&str],
) -> Result<Option<Bookkeeping>, tokio_postgres::Error> {
    let ours = tables.iter().map(|table| ("orchestrator", *table));
    let names: Vec<(&str, &str)> = schemas
        .iter()
        .map(|schema| (*schema, history))
        .chain(ours)
        .collect();
    let (in_schemas, named): (Vec<&str>, Vec<&str>) = names.iter().copied().unzip();
    let parameters: [(&(dyn ToSql + Sync), Type); 3] = [
        (&in_schemas, Type::TEXT_ARRAY),
        (&named, Type::TEXT_ARRAY),
        (&history, Type::TEXT),
    ];
    let rows = client.query_typed(&question(), &parameters).await?;
    let mut found = Bookkeeping::default();
    let mut history_index = None;
    let mut has_namesake = false;
    for row in &rows {
        let (place, is_so): (i64, Option<bool>) = (row.try_get(0)?, row.try_get(1)?);
        if place == NAMESAKE {
            has_namesake = is_so != Some(false);
            continue;
        }
        if is_so != Some(true) {
            return Ok(None);
        }
        if place == SCHEMA {
            found.has_schema = true;
        }
        let index = usize::try_from(place).unwrap_or_default();
        let Some(index) = index.checked_sub(1).filter(|_| place > 0) else {
            continue;
        };
        if index < schemas.len() {
            history_index = Some(history_index.map_or(index, |known: usize| known.min(index)));
        } else if let Some((_, table)) = names.get(index) {
            found.tables.insert((*table).to_owned());
        }
    }
    let history = history_index.and_then(|index| schemas.get(index));
    found.history_schema = history.map(|schema| (*schema).to_owned());
    let is_complete =
        found.has_schema && found.history_schema.is_some() && found.tables.contains("journal");
    let is_empty = !has_namesake && found == Bookkeeping::default();
    Ok((is_complete || is_empty).then_some(found))
}
