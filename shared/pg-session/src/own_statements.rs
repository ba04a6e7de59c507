//! The engine's own statements that stay prepared in a session, so that they are parsed and planned once, not once per migration.
//!
//! They are prepared under our settings and run under our settings, so that they keep their meaning. A file can deallocate them: the
//! error of the server then reports that, and from then on nothing is kept.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Error, Row, Statement};

use super::Client;

/// A parameter of a statement, with its type.
pub type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

/// The prepared statements of one session.
#[derive(Debug, Default)]
pub(super) struct OwnStatements {
    kept: Mutex<HashMap<String, Statement>>,
    /// A file has deallocated one of them: others may do the same.
    is_off: AtomicBool,
    /// Whether that was not reported yet.
    is_news: AtomicBool,
}

impl OwnStatements {
    /// Prepares a statement, unless it is prepared already. Call it under our settings.
    pub(super) async fn keep(
        &self,
        client: &Client,
        sql: &str,
        types: &[Type],
    ) -> Result<(), Error> {
        if self.is_off.load(Ordering::Relaxed) || self.find(sql).is_some() {
            return Ok(());
        }
        let statement = client.prepare_typed(sql, types).await?;
        self.lock().insert(sql.to_owned(), statement);
        Ok(())
    }

    /// Runs a statement: the prepared one, if there is one.
    pub(super) async fn query(
        &self,
        client: &Client,
        sql: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Vec<Row>, Error> {
        let Some(statement) = self.find(sql) else {
            return client.query_typed(sql, parameters).await;
        };
        let values: Vec<_> = parameters.iter().map(|(value, _)| *value).collect();
        let rows = client.query(&statement, &values).await;
        if let Err(error) = &rows
            && error.code() == Some(&SqlState::INVALID_SQL_STATEMENT_NAME)
        {
            self.forget();
            self.is_off.store(true, Ordering::Relaxed);
            self.is_news.store(true, Ordering::Relaxed);
        }
        rows
    }

    /// The server has deallocated all statements of the session.
    pub(super) fn forget(&self) {
        self.lock().clear();
    }

    /// Whether a statement failed since the last call because a file had deallocated it.
    pub(super) fn were_deallocated(&self) -> bool {
        self.is_news.swap(false, Ordering::Relaxed)
    }

    fn find(&self, sql: &str) -> Option<Statement> {
        self.lock().get(sql).cloned()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Statement>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
