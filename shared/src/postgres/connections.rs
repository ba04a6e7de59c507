//! Opening sessions, never more to one server at a time than configured.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::blocked;
use super::stall::{self, ServerActivity};
use super::{ConnectError, ConnectOptions, Connection, Session, SessionObserver};
use crate::config::DatabaseAddress;

/// The connections of one run.
#[derive(Debug)]
pub struct Connections {
    options: ConnectOptions,
    limit: usize,
    servers: Mutex<HashMap<String, Arc<Semaphore>>>,
    /// One step at a time may go beyond the bound, where no connection is free for what it has to see in other databases.
    beside: Arc<Semaphore>,
    observers: Mutex<HashMap<String, Weak<SessionObserver>>>,
}

/// The right to one connection; given back when dropped.
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

    /// After how long without an answer it is looked from outside; zero is never.
    pub fn patience(&self) -> Duration {
        self.options.patience
    }

    /// What a look from outside, beyond the bound, sees of the sessions with this `application_name`.
    pub async fn sight(&self, address: &DatabaseAddress, application: &str) -> ServerActivity {
        stall::sight(address, &self.options, application).await
    }

    /// Names who holds the locks that sessions with this `application_name` wait for; never ends.
    pub async fn name_blockers_of(&self, address: &DatabaseAddress, application: &str) {
        let observer = self.observer(address);
        blocked::name_blockers_of_application(&observer, address, application).await;
    }

    /// The most connections to one server.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Opens a session, waiting for a free connection where all are in use. Writes nothing.
    pub async fn session(
        &self,
        address: &DatabaseAddress,
        history_table: &str,
    ) -> Result<Session, ConnectError> {
        let permit = self.permit(address).await;
        Session::open(address, &self.options, history_table, permit).await
    }

    /// Opens a session for a step that holds one already, and so must not wait for those that others hold: within the bound where a
    /// connection is free, else beyond it. `beyond` is the step's right to that, obtained once, whatever the number of its databases.
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

    /// Creates the address's database where it does not exist. Gives whether it was created here.
    pub async fn create_database(&self, address: &DatabaseAddress) -> Result<bool, ConnectError> {
        let _permit = self.permit(address).await;
        super::create_database::create_database(address, &self.options).await
    }

    /// Drops the address's database where it exists: for scratch databases only.
    pub async fn drop_database(&self, address: &DatabaseAddress) -> Result<(), ConnectError> {
        let _permit = self.permit(address).await;
        super::create_database::drop_database(address, &self.options).await
    }

    /// The observer of a server, for a user of it: who may see a session is who opened it. Its one connection is beyond
    /// the bound: where lanes hold all others, somebody has to see whom they wait for.
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

    /// A connection to the server's maintenance database that is kept for as long as a command takes. It is beyond the bound:
    /// it does no work, and counted it would leave none where only one is allowed.
    pub async fn keep(&self, address: &DatabaseAddress) -> Result<Connection, ConnectError> {
        super::create_database::connect_to_maintenance(address, &self.options).await
    }

    /// A connection for looking on while a session works, beyond the bound: where only one is allowed it would never come.
    pub async fn open_beside(&self, address: &DatabaseAddress) -> Result<Connection, ConnectError> {
        super::connect(address, &self.options).await
    }

    async fn permit(&self, address: &DatabaseAddress) -> Option<Permit> {
        // The semaphores are never closed: an error cannot occur, and would only mean no bound.
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
