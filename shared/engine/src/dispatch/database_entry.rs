//! Enters one database: connects, creates it where allowed, obtains the advisory lock, and reads the history under it.
//!
//! If this fails, it has changed nothing except creating a missing database. `lane` does the work under the lock.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::inspect::{ServiceError, Target};
use domain::History;
use domain::{EventKind, Refusal, RefusalKind, rerun, with_causes};
use pg_session::{
    ConnectError, Connections, LockedSession, Session, SessionHandle, end_orphan, is_in_doubt,
};
use settings::EngineSettings;
use store::read_history;

/// The longest time to wait for a lost server process to finish its statement.
const ORPHAN_TIMEOUT: Duration = Duration::from_secs(5);

/// What is needed to enter a database.
pub(super) struct DatabaseEntry<'a> {
    pub(super) target: &'a Arc<Target>,
    pub(super) connections: &'a Connections,
    pub(super) engine: &'a EngineSettings,
    /// Whether its session may exceed the limit on connections to a server.
    pub(super) exceeds_limit: bool,
    pub(super) say: &'a (dyn Fn(EventKind) + Send + Sync),
}

impl DatabaseEntry<'_> {
    /// Obtains the lock, on `session` if one is already open, and reads the history under it.
    pub(super) async fn enter(
        &self,
        session: Option<Session>,
        halted: &mut watch::Receiver<u32>,
    ) -> Result<(LockedSession, History), ServiceError> {
        let session = match session {
            Some(session) => session,
            None => self.open(halted).await?,
        };
        let handle = session.handle();
        let entered = async {
            let mut locked = self.lock(session, halted).await?;
            self.refuse_read_only(locked.session())?;
            let history = self.reread(&mut locked).await?;
            Ok((locked, history))
        }
        .await;
        if entered
            .as_ref()
            .is_err_and(ServiceError::is_connection_lost)
        {
            end_orphan_of(self.target, self.connections, &handle).await;
        }
        entered
    }

    async fn open(&self, halted: &mut watch::Receiver<u32>) -> Result<Session, ServiceError> {
        let address = &self.target.address;
        // Connecting writes nothing, so it may be dropped half way.
        let connected = tokio::select! {
            connected = self.connect() => connected,
            Ok(_) = halted.wait_for(|halted| *halted > 0) => return Err(ServiceError::Cancelled),
        };
        match connected {
            Err(ConnectError::DatabaseMissing { .. }) if self.target.may_create => {
                if self.connections.create_database(address).await? {
                    (self.say)(EventKind::DatabaseCreated {
                        database: address.database().to_owned(),
                    });
                }
                Ok(self.connect().await?)
            }
            Err(ConnectError::DatabaseMissing { .. }) => Err(ServiceError::missing(
                address,
                "in production, nor on a remote server without --create-databases",
            )),
            other => Ok(other?),
        }
    }

    async fn connect(&self) -> Result<Session, ConnectError> {
        let (address, table) = (&self.target.address, &self.target.history_table);
        let mut session = self.connections.session(address, table).await?;
        if self.exceeds_limit {
            session.release_permit();
        }
        Ok(session)
    }

    async fn lock(
        &self,
        session: Session,
        halted: &mut watch::Receiver<u32>,
    ) -> Result<LockedSession, ServiceError> {
        LockedSession::acquire(session, self.engine.advisory_lock_wait, halted, |holder| {
            (self.say)(EventKind::LockWaiting { holder })
        })
        .await
        .map_err(|source| ServiceError::lock(self.target, source))
    }

    fn refuse_read_only(&self, session: &Session) -> Result<(), ServiceError> {
        if !session.is_read_only() {
            return Ok(());
        }
        Err(Refusal {
            kind: RefusalKind::ReadOnly,
            service: Some(self.target.service.name.clone()),
            message: format!(
                "{} is read-only: it is a standby, or default_transaction_read_only is on",
                self.target.address
            ),
            next: rerun("with the address of the primary and a role that may write"),
        }
        .into())
    }

    /// Reads the history again under the lock, when no other run can change it.
    async fn reread(&self, locked: &mut LockedSession) -> Result<History, ServiceError> {
        let target = self.target;
        let session = locked.session_mut();
        let reading = async {
            // Also if all tables are known: they may have changed before the lock was obtained.
            session.refresh(&target.history_table).await?;
            // One round trip: the client pipelines the queries that are polled together.
            tokio::try_join!(
                biased;
                read_history(session, &target.service.name, &target.history_table),
                is_in_doubt(session.client()),
            )
        };
        let (history, in_doubt) = reading
            .await
            .map_err(|error| ServiceError::query(&target.address, error))?;
        locked.session().refuse_unusable()?;
        if in_doubt {
            return Err(self.refuse_in_doubt());
        }
        Ok(history)
    }

    /// Transactions left prepared were finished before the run was planned. This one appeared since, from a server process that outlived
    /// its client. The plan does not know which locks it holds and what it will have changed.
    fn refuse_in_doubt(&self) -> ServiceError {
        Refusal {
            kind: RefusalKind::ReleaseInDoubt,
            service: Some(self.target.service.name.clone()),
            message: format!(
                "{}: an atomic release was just interrupted, and its transaction is still prepared in this database",
                self.target.address
            ),
            next: rerun("finishes it first"),
        }
        .into()
    }
}

/// Ends a lost server process that may hold the lock while it waits for a client that is gone.
pub(super) async fn end_orphan_of(
    target: &Target,
    connections: &Connections,
    lost: &SessionHandle,
) {
    if let Ok(session) = connections
        .session(&target.address, &target.history_table)
        .await
        && let Err(error) = end_orphan(session.client(), lost, ORPHAN_TIMEOUT, true).await
    {
        tracing::debug!(error = %with_causes(&error), pid = lost.pid(), "cannot end the lost server process");
    }
}
