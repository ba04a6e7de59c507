//! Opens sessions, at most the configured number per server.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::blocked;
use super::stall::{self, ServerActivity};
use super::{ConnectError, ConnectOptions, Connection, Session, SessionObserver};
use pg_address::DatabaseAddress;

/// The connections of one run.
#[derive(Debug)]
pub struct Connections {
    options: ConnectOptions,
    limit: usize,
    servers: Mutex<HashMap<String, Arc<Semaphore>>>,
    /// One step at a time may exceed the limit if no connection is free for its queries in other databases.
    beside: Arc<Semaphore>,
    observers: Mutex<HashMap<String, Weak<SessionObserver>>>,
}

/// A permit for one connection, returned when dropped.
#[derive(Debug)]
pub struct Permit(#[expect(dead_code, reason = "held for its Drop")] OwnedSemaphorePermit);

impl Connections {
    /// At most `limit` connections to one server.
    pub fn new(options: ConnectOptions, limit: usize) -> Self {
        Self {
            options,
            limit: limit.max(1),
            servers: Mutex::new(HashMap::new()),
            beside: Arc::new(Semaphore::new(1)),
            observers: Mutex::new(HashMap::new()),
        }
    }

    /// The limit for each attempt to connect.
    pub fn connect_timeout(&self) -> Duration {
        self.options.connect_timeout
    }

    /// After how long without a response a connection is checked from a second one; zero means never.
    pub fn patience(&self) -> Duration {
        self.options.patience
    }

    /// Checks the sessions with this `application_name` on a connection beyond the limit.
    pub async fn sight(&self, address: &DatabaseAddress, application: &str) -> ServerActivity {
        stall::sight(address, &self.options, application).await
    }

    /// Reports the holders of the locks that sessions with this `application_name` wait for; never returns.
    pub async fn name_blockers_of(&self, address: &DatabaseAddress, application: &str) {
        let observer = self.observer(address);
        blocked::name_blockers_of_application(&observer, address, application).await;
    }

    /// The maximum number of connections to one server.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Opens a session, waiting for a free connection if all are in use. Writes nothing.
    pub async fn session(
        &self,
        address: &DatabaseAddress,
        history_table: &str,
    ) -> Result<Session, ConnectError> {
        let permit = self.permit(address).await;
        Session::open(address, &self.options, history_table, permit).await
    }

    /// Opens a session for a step that already holds one, and therefore must not wait for others: within the limit if a connection is
    /// free, else beyond it. `beyond` is the step's permit for that, acquired once, regardless of the number of its databases.
    pub async fn session_beside(
        &self,
        address: &DatabaseAddress,
        history_table: &str,
        beyond: &mut Option<Permit>,
    ) -> Result<Session, ConnectError> {
        let permit = self.server(address).try_acquire_owned().ok().map(Permit);
        if permit.is_none() && beyond.is_none() {
            let beside = Arc::clone(&self.beside).acquire_owned();
            *beyond = beside.await.ok().map(Permit);
        }
        Session::open(address, &self.options, history_table, permit).await
    }

    /// Creates the address's database if it does not exist. Returns whether it was created here.
    pub async fn create_database(&self, address: &DatabaseAddress) -> Result<bool, ConnectError> {
        let _permit = self.permit(address).await;
        super::create_database::create_database(address, &self.options).await
    }

    /// Drops the address's database if it exists: for scratch databases only.
    pub async fn drop_database(&self, address: &DatabaseAddress) -> Result<(), ConnectError> {
        let _permit = self.permit(address).await;
        super::create_database::drop_database(address, &self.options).await
    }

    /// The observer of a server for one user: only the user that opened a session may see it. Its one connection is beyond
    /// the limit: if lanes hold all connections, the observer must still see what they wait for.
    pub fn observer(&self, address: &DatabaseAddress) -> Arc<SessionObserver> {
        let key = format!("{}@{}", address.user(), address.server_key());
        let mut observers = self
            .observers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let known = observers.entry(key).or_default();
        known.upgrade().unwrap_or_else(|| {
            let observer = Arc::new(SessionObserver::new(address.clone(), &self.options));
            *known = Arc::downgrade(&observer);
            observer
        })
    }

    /// A connection to the server's maintenance database that is kept for the duration of a command. It is beyond the limit:
    /// it does no work, and with a limit of one it would leave none.
    pub async fn keep(&self, address: &DatabaseAddress) -> Result<Connection, ConnectError> {
        super::create_database::connect_to_maintenance(address, &self.options).await
    }

    /// A connection that observes a working session, beyond the limit: with a limit of one it would never be free.
    pub async fn open_beside(&self, address: &DatabaseAddress) -> Result<Connection, ConnectError> {
        super::connect(address, &self.options).await
    }

    async fn permit(&self, address: &DatabaseAddress) -> Option<Permit> {
        // The semaphores are never closed: an error cannot occur, and would only mean no limit.
        self.server(address).acquire_owned().await.ok().map(Permit)
    }

    fn server(&self, address: &DatabaseAddress) -> Arc<Semaphore> {
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(
            servers
                .entry(address.server_key())
                .or_insert_with(|| Arc::new(Semaphore::new(self.limit))),
        )
    }
}
