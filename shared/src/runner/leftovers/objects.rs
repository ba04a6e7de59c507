//! What is made and removed outside of transactions: databases, tablespaces, subscriptions.

use tokio_postgres::types::Type;

use super::before::Before;
use super::{Finding, Look};
use crate::runner::fault::Fault;
use crate::sql::{Lasting, LastingChange};

pub(super) async fn changed(
    look: &Look<'_>,
    change: &LastingChange,
    earlier: Option<&Before>,
) -> Result<Finding, Fault> {
    let there = look.is_there(change).await?;
    // It was the other way round, and nobody but the interrupted run wanted it so.
    if let Some(Before::Object { there: before }) = earlier
        && *before != change.creates
        && there == change.creates
    {
        let done = if change.creates { "made" } else { "removed" };
        return Ok(Finding::Done(format!(
            "the server had {done} {} after the interrupted run was gone",
            change.name
        )));
    }
    Ok(Finding::run(Before::Object { there }))
}

impl Look<'_> {
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
