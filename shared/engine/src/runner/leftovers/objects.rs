//! Objects that are created and dropped outside of transactions: databases, tablespaces, subscriptions.

use tokio_postgres::types::Type;

use super::before::Before;
use super::{CatalogCheck, Finding};
use crate::runner::fault::Fault;
use pg_sql::{Lasting, LastingChange};

pub(super) async fn changed(
    catalog: &CatalogCheck<'_>,
    change: &LastingChange,
    earlier: Option<&Before>,
) -> Result<Finding, Fault> {
    let there = catalog.is_there(change).await?;
    // The state before was the opposite, so the interrupted run has changed it.
    if let Some(Before::Object { there: before }) = earlier
        && *before != change.creates
        && there == change.creates
    {
        let done = if change.creates { "created" } else { "dropped" };
        return Ok(Finding::Done(format!(
            "the server {done} {} after the run was interrupted",
            change.name
        )));
    }
    Ok(Finding::run(Before::Object { there }))
}

impl CatalogCheck<'_> {
    async fn is_there(&self, change: &LastingChange) -> Result<bool, Fault> {
        let from = match change.object {
            Lasting::Database => "pg_catalog.pg_database WHERE datname = $1",
            Lasting::Tablespace => "pg_catalog.pg_tablespace WHERE spcname = $1",
            Lasting::Subscription => {
                "pg_catalog.pg_subscription WHERE subname = $1 AND subdbid = \
                 (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())"
            }
        };
        let rows = self
            .ask(
                &format!("SELECT EXISTS (SELECT FROM {from})"),
                &[(&change.name, Type::TEXT)],
            )
            .await?;
        Ok(rows.first().is_some_and(|row| row.get(0)))
    }
}
