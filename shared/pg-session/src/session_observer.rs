//! A second connection to a server that observes sessions while they wait.
//!
//! Responsible for one such connection per server, shared by all observers and closed with the last of them. Not for
//! acting on what is observed (`runner`).

use std::time::Duration;

use tokio::sync::Mutex;

use super::activity::{self, LockWait, Progress};
use super::backoff::within;
use super::create_database::connect_to_maintenance;
use super::stall::SessionHandle;
use super::{ConnectOptions, Connection, connect};
use domain::Blocker;
use pg_address::DatabaseAddress;

/// Longer than a query takes on a server that responds at all.
const LONGEST_LOOK: Duration = Duration::from_secs(5);

/// Observes the sessions of one server. If it cannot connect, it sees nothing, and the limits set in the observed session
/// must suffice.
#[derive(Debug)]
pub struct SessionObserver {
    address: DatabaseAddress,
    options: ConnectOptions,
    connection: Mutex<Option<Connection>>,
}

impl SessionObserver {
    pub(super) fn new(address: DatabaseAddress, options: &ConnectOptions) -> Self {
        Self {
            address,
            options: ConnectOptions {
                retry_for: Duration::ZERO,
                application_name: format!("{} observer", options.application_name),
                ..options.clone()
            },
            connection: Mutex::new(None),
        }
    }

    /// What a server process waits for (`Some(None)`: nothing); `None` if that cannot be determined.
    pub async fn lock_wait(&self, handle: &SessionHandle) -> Option<Option<LockWait>> {
        self.ask(async |connection| activity::lock_wait(&connection.client, handle).await)
            .await
    }

    /// Which sessions block a server process; `None` if that cannot be determined.
    pub async fn blockers(&self, pid: i32) -> Option<Vec<Blocker>> {
        self.ask(async |connection| activity::blockers_of(&connection.client, pid).await)
            .await
    }

    /// Which sessions block those of this `application_name`; empty if none of them waits, `None` if that cannot be determined.
    pub async fn blockers_of_application(&self, application: &str) -> Option<Vec<Blocker>> {
        self.ask(async |connection| {
            activity::blockers_of_application(&connection.client, application).await
        })
        .await
    }

    /// How far the current statement of a server process is; `Some(None)` if it is idle, `None` if that cannot be determined.
    pub async fn progress(&self, pid: i32) -> Option<Option<Progress>> {
        self.ask(async |connection| activity::progress_of(&connection.client, pid).await)
            .await
    }

    /// Cancels the statement of a server process if it still waits for a lock in that transaction.
    pub async fn cancel_lock_wait(&self, handle: &SessionHandle, transaction: f64) -> Option<bool> {
        self.ask(async |connection| {
            activity::cancel_lock_wait(&connection.client, handle, transaction).await
        })
        .await
    }

    /// Cancels the statement of a server process, unless it has only just begun.
    pub async fn cancel_statement(&self, handle: &SessionHandle) -> Option<bool> {
        self.ask(async |connection| activity::cancel_statement(&connection.client, handle).await)
            .await
    }

    async fn ask<T>(
        &self,
        question: impl AsyncFnOnce(&Connection) -> Result<T, tokio_postgres::Error>,
    ) -> Option<T> {
        let mut kept = within(LONGEST_LOOK, self.connection.lock()).await.ok()?;
        let looked = within(LONGEST_LOOK, async {
            if kept.is_none() {
                *kept = self.open().await;
            }
            question(kept.as_ref()?).await.ok()
        });
        let answer = looked.await.ok().flatten();
        // A connection that did not respond is not kept.
        if answer.is_none() {
            *kept = None;
        }
        answer
    }

    /// In the maintenance database: a connection to the service's database would block commands that require exclusive access.
    async fn open(&self) -> Option<Connection> {
        match connect_to_maintenance(&self.address, &self.options).await {
            Ok(connection) => Some(connection),
            Err(_) => connect(&self.address, &self.options).await.ok(),
        }
    }
}
