//! `DETACH PARTITION … CONCURRENTLY`: marks the partition as pending, waits, detaches it.

use tokio_postgres::types::Type;

use super::before::Before;
use super::{CatalogCheck, Finding};
use crate::runner::fault::Fault;
use pg_sql::Name;

pub(super) async fn detached(
    catalog: &CatalogCheck<'_>,
    table: &Name,
    partition: &Name,
    earlier: Option<&Before>,
) -> Result<Finding, Fault> {
    let known = match earlier {
        Some(Before::Detach { table, partition }) => Some((*table, *partition)),
        _ => None,
    };
    let (table, partition) = match known {
        Some(known) => known,
        None => match (
            catalog.relation(table).await?,
            catalog.relation(partition).await?,
        ) {
            (Some(table), Some(partition)) => (table, partition),
            _ => return Ok(Finding::run_as_it_is()),
        },
    };
    let rows = catalog
            .ask(
            "SELECT inhdetachpending, pg_catalog.format('%I.%I', tn.nspname, t.relname), \
               pg_catalog.format('%I.%I', pn.nspname, p.relname) \
             FROM pg_catalog.pg_inherits \
               JOIN pg_catalog.pg_class t ON t.oid = inhparent JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace \
               JOIN pg_catalog.pg_class p ON p.oid = inhrelid JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace \
             WHERE inhparent = $1 AND inhrelid = $2",
            &[(&table, Type::OID), (&partition, Type::OID)],
        )
        .await?;
    let Some(row) = rows.first() else {
        return Ok(match known {
            Some(_) => Finding::Done(
                "the server detached the partition after the run was interrupted".to_owned(),
            ),
            None => Finding::run_as_it_is(),
        });
    };
    let before = Before::Detach { table, partition };
    if !row.get::<_, bool>(0) {
        return Ok(Finding::run(before));
    }
    // Also if another session started it: FINALIZE is the only way to end a pending detachment.
    let (table, partition): (&str, &str) = (row.get(1), row.get(2));
    Ok(Finding::Finish {
        sql: format!("ALTER TABLE {table} DETACH PARTITION {partition} FINALIZE"),
        before,
        recovered: format!("finished the pending detachment of {partition}"),
    })
}
