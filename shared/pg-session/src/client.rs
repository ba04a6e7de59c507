//! The client of a connection, which checks every request for stalls. There is no other way to send one.
//!
//! A request that takes longer than a moment is checked from a second connection: the holder of a lock that it waits for is
//! reported, and a connection on which no response will arrive is closed.

use std::sync::OnceLock;

use futures_util::{StreamExt, pin_mut};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{CancelToken, Error, Row, SimpleQueryMessage, Statement, ToStatement};

use super::stall::{self, Watch};
use domain::Phase;

/// Sends statements, and checks each for stalls.
#[derive(Debug)]
pub struct Client {
    beneath: tokio_postgres::Client,
    watch: OnceLock<Watch>,
}

impl Client {
    /// Starts the stall checks: they are impossible before the server process is known.
    pub(super) fn watch_with(&self, watch: Watch) {
        // Set once for each connection.
        let _ = self.watch.set(watch);
    }

    /// Runs work on the inner client. The work is checked for stalls as a whole and never dropped.
    pub async fn lend<T>(&self, work: impl AsyncFnOnce(&tokio_postgres::Client) -> T) -> T {
        self.watched(work(&self.beneath)).await
    }

    /// Awaits work on this connection, and checks it for stalls meanwhile. `work` is never dropped.
    fn watched<'a, T>(
        &'a self,
        work: impl Future<Output = T> + 'a,
    ) -> impl Future<Output = T> + 'a {
        // Boxed before anything is awaited: requests lie deep in what awaits them, and everything around them would grow.
        let work = Box::pin(work);
        async move {
            match self.watch.get() {
                Some(watch) => stall::check_after(watch, work).await,
                None => work.await,
            }
        }
    }

    /// As `tokio_postgres::Client::batch_execute`.
    pub async fn batch_execute(&self, sql: &str) -> Result<(), Error> {
        self.watched(self.beneath.batch_execute(sql)).await
    }

    /// Runs a text of several statements, and counts in `completed` those that the server has completed.
    pub async fn run_script(&self, sql: &str, completed: &mut usize) -> Result<(), Error> {
        let _measured = Phase::Execute.begin();
        self.watched(async {
            let stream = self.beneath.simple_query_raw(sql).await?;
            pin_mut!(stream);
            while let Some(message) = stream.next().await {
                if let SimpleQueryMessage::CommandComplete(_) = message? {
                    *completed += 1;
                }
            }
            Ok(())
        })
        .await
    }

    /// Whether the connection is known to be gone.
    pub fn is_closed(&self) -> bool {
        self.beneath.is_closed()
    }

    /// A token that cancels the current statement.
    pub(super) fn cancel_token(&self) -> CancelToken {
        self.beneath.cancel_token()
    }

    /// As `tokio_postgres::Client::simple_query`.
    pub async fn simple_query(&self, sql: &str) -> Result<Vec<SimpleQueryMessage>, Error> {
        self.watched(self.beneath.simple_query(sql)).await
    }

    /// As `tokio_postgres::Client::query_typed`.
    pub async fn query_typed(
        &self,
        sql: &str,
        parameters: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Vec<Row>, Error> {
        self.watched(self.beneath.query_typed(sql, parameters))
            .await
    }

    /// As `tokio_postgres::Client::execute_typed`.
    pub async fn execute_typed(
        &self,
        sql: &str,
        parameters: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<u64, Error> {
        self.watched(self.beneath.execute_typed(sql, parameters))
            .await
    }

    /// As `tokio_postgres::Client::prepare_typed`.
    pub(super) async fn prepare_typed(
        &self,
        sql: &str,
        types: &[Type],
    ) -> Result<Statement, Error> {
        self.watched(self.beneath.prepare_typed(sql, types)).await
    }

    /// As `tokio_postgres::Client::query`.
    pub async fn query<S: ?Sized + ToStatement + Sync>(
        &self,
        statement: &S,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Error> {
        self.watched(self.beneath.query(statement, parameters))
            .await
    }

    /// As `tokio_postgres::Client::query_one`.
    pub async fn query_one<S: ?Sized + ToStatement + Sync>(
        &self,
        statement: &S,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Row, Error> {
        self.watched(self.beneath.query_one(statement, parameters))
            .await
    }

    /// As `tokio_postgres::Client::query_opt`.
    pub async fn query_opt<S: ?Sized + ToStatement + Sync>(
        &self,
        statement: &S,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<Row>, Error> {
        self.watched(self.beneath.query_opt(statement, parameters))
            .await
    }

    /// As `tokio_postgres::Client::execute`.
    pub async fn execute<S: ?Sized + ToStatement + Sync>(
        &self,
        statement: &S,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, Error> {
        self.watched(self.beneath.execute(statement, parameters))
            .await
    }
}

impl From<tokio_postgres::Client> for Client {
    /// Creates a client without stall checks.
    fn from(beneath: tokio_postgres::Client) -> Self {
        Self {
            beneath,
            watch: OnceLock::new(),
        }
    }
}
