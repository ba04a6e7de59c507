//! The way into one database: connect, create it where that is wanted, obtain the advisory lock, read the history under it.
//!
//! Responsible for having changed nothing but a missing database when it fails. Not for what is done under the lock (`lane`).

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::config::EngineSettings;
use crate::domain::{EventKind, Refusal, RefusalKind, rerun, with_causes};
use crate::inspect::{ServiceError, Target};
use crate::postgres::{
    ConnectError, Connections, LockedSession, Session, SessionHandle, end_orphan, is_in_doubt,
    read_history,
};
use crate::reconcile::History;

/// How long a lost server process may be at work on a statement of ours.
const LONGEST_FAREWELL: Duration = Duration::from_secs(5);

/// What it takes to enter a database.
pub(super) struct Entrance<'a> {
    pub(super) target: &'a Arc<Target>,
    pub(super) connections: &'a Connections,
    pub(super) engine: &'a EngineSettings,
    /// Whether its session does not count for the most connections to a server.
    pub(super) beyond_the_bound: bool,
    pub(super) say: &'a (dyn Fn(EventKind) + Send + Sync),
}

impl Entrance<'_> {
    /// Obtains the lock, on `session` where one is open already, and reads the history under it.
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
            let history = self.read_again(&mut locked).await?;
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
        // Nothing is written while it connects: that may be dropped half way.
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
            Err(ConnectError::DatabaseMissing { .. }) => Err(ServiceError::MayNotCreate {
                address: address.to_string(),
                why: "in production, nor on a server elsewhere without --create-databases",
            }),
            other => Ok(other?),
        }
    }

    async fn connect(&self) -> Result<Session, ConnectError> {
        let (address, table) = (&self.target.address, &self.target.history_table);
        let mut session = self.connections.session(address, table).await?;
        if self.beyond_the_bound {
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
                "{} takes no writes: it is a standby, or default_transaction_read_only is on",
                self.target.address
            ),
            next: rerun("with the address of the primary, as a role that may write"),
        }
        .into())
    }

    /// Reads the history again, now that nobody else can change it.
    async fn read_again(&self, locked: &mut LockedSession) -> Result<History, ServiceError> {
        let target = self.target;
        let session = locked.session_mut();
        let reading = async {
            // Also where all tables are known: they may have been changed since.
            session.refresh(&target.history_table).await?;
            // One round trip: the client pipelines what is polled together.
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

    /// What was left prepared has been finished before the run was planned: this came since, from a server process that went on
    /// alone. What it holds and what it will have changed is not known to the plan.
    fn refuse_in_doubt(&self) -> ServiceError {
        Refusal {
            kind: RefusalKind::ReleaseInDoubt,
            service: Some(self.target.service.name.clone()),
            message: format!(
                "{}: an atomic release was interrupted just now, and is still prepared here",
                self.target.address
            ),
            next: rerun("finishes it first"),
        }
        .into()
    }
}

/// A lost server process may hold the lock, and wait for a client that will never speak again.
pub(super) async fn end_orphan_of(
    target: &Target,
    connections: &Connections,
    lost: &SessionHandle,
) {
    if let Ok(session) = connections
        .session(&target.address, &target.history_table)
        .await
        && let Err(error) = end_orphan(session.client(), lost, LONGEST_FAREWELL, true).await
    {
        tracing::debug!(error = %with_causes(&error), pid = lost.pid(), "the lost server process could not be ended");
    }
}
