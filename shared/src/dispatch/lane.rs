//! The task of one service: connect, lock, announce, wait for the go, do the step, announce again.
//!
//! A task lives for one stretch of steps that can run without waiting for another database, and holds the advisory
//! lock for just that long.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::config::EngineSettings;
use crate::domain::{
    Anchor, Direction, EventKind, Failure, Migration, Refusal, RefusalKind, ServiceName, Version,
};
use crate::gates::GateEnd;
use crate::inspect::{ServiceError, Target};
use crate::planning;
use crate::postgres::{
    CancelHandle, ConnectError, Connections, LockedSession, Pulse, RunIdentity, Session,
    end_orphan, install, is_connection_lost, read_anchor, read_history,
};
use crate::reconcile::{History, State, reconcile};
use crate::runner::{StepContext, StepDone, execute};

/// How long a lost server process may be at work on a statement of ours.
const LONGEST_FAREWELL: Duration = Duration::from_secs(5);

/// What tasks tell the dispatcher.
pub(super) enum Message {
    /// Something happened.
    Happened {
        service: ServiceName,
        version: Option<Version>,
        kind: EventKind,
    },
    /// A service holds its lock and asks for its next step.
    Ready {
        service: ServiceName,
        cancel: CancelHandle,
    },
    /// A step is through.
    Finished {
        step: usize,
        result: Result<StepDone, Box<Failure>>,
    },
    /// Another run did the step in the meantime.
    Unchanged { step: usize },
    /// The service cannot go on.
    Stopped {
        service: ServiceName,
        error: ServiceError,
    },
    /// The task is over, the lock is given back.
    Released {
        service: ServiceName,
        /// The end of its journal, where that was written.
        anchor: Option<Anchor>,
    },
    /// A gate is met, or will not be.
    GateEnded { index: usize, end: GateEnd },
}

/// The go for one step.
pub(super) struct Go {
    pub(super) step: usize,
    pub(super) place: usize,
    pub(super) version: Version,
    pub(super) direction: Direction,
}

/// Everything a task needs.
pub(super) struct LaneTask {
    pub(super) target: Arc<Target>,
    pub(super) session: Option<Session>,
    pub(super) connections: Arc<Connections>,
    pub(super) engine: EngineSettings,
    pub(super) run: Arc<RunIdentity>,
    pub(super) run_again: String,
    pub(super) messages: mpsc::UnboundedSender<Message>,
    pub(super) goes: mpsc::UnboundedReceiver<Go>,
    pub(super) cancelled: watch::Receiver<u32>,
    pub(super) halted: watch::Receiver<u32>,
    /// Whether an attempt was made, which the journal tells of.
    pub(super) wrote: bool,
    pub(super) anchor: Option<Anchor>,
}

impl LaneTask {
    /// Runs to the end of the stretch. Is never dropped half way: the dispatcher waits for `Released`.
    pub(super) async fn run(mut self) {
        let service = self.target.service.name.clone();
        if let Err(error) = self.stretch().await {
            self.tell(Message::Stopped {
                service: service.clone(),
                error,
            });
        }
        let anchor = self.anchor.take();
        self.tell(Message::Released { service, anchor });
    }

    async fn stretch(&mut self) -> Result<(), ServiceError> {
        let (mut locked, history) = match self.begin().await {
            // Nothing has been done yet. The session may have been ended while it waited for other services.
            Err(error) if error.is_connection_lost() => {
                tracing::warn!(service = %self.target.service.name, error = %error.chain(), "connecting again");
                self.begin().await?
            }
            begun => begun?,
        };
        let worked = self.work(&mut locked, &history).await;
        if worked.as_ref().is_err_and(ServiceError::is_connection_lost) {
            self.end_orphan(&locked.session().pulse()).await;
        }
        if self.wrote {
            self.anchor = self.look_up_anchor(locked.session()).await;
        }
        drop(locked.release().await);
        worked
    }

    /// The end of the journal, under the lock where the session still holds it. Without one the journal is written all the same.
    async fn look_up_anchor(&self, session: &Session) -> Option<Anchor> {
        let (target, service) = (&self.target, &self.target.service.name);
        let pulse = session.pulse();
        match self
            .connections
            .watch(&pulse, read_anchor(session, service))
            .await
        {
            Ok(anchor) => return anchor,
            Err(error) if !is_connection_lost(&error) => {
                tracing::warn!(%service, %error, "the end of the journal could not be read");
                return None;
            }
            Err(_) => {}
        }
        let looked = self
            .connections
            .session(&target.address, &target.history_table)
            .await
            .ok()?;
        read_anchor(&looked, service).await.ok().flatten()
    }

    /// Obtains the lock, and reads the history again under it.
    async fn begin(&mut self) -> Result<(LockedSession, History), ServiceError> {
        let session = self.open().await?;
        let pulse = session.pulse();
        let begun = async {
            let mut locked = self.lock(session).await?;
            self.refuse_read_only(locked.session())?;
            let history = self.read_again(&mut locked).await?;
            Ok((locked, history))
        }
        .await;
        if begun.as_ref().is_err_and(ServiceError::is_connection_lost) {
            self.end_orphan(&pulse).await;
        }
        begun
    }

    /// A lost server process may hold the lock, and wait for a client that will never speak again.
    async fn end_orphan(&self, lost: &Pulse) {
        let (address, table) = (&self.target.address, &self.target.history_table);
        if let Ok(session) = self.connections.session(address, table).await
            && let Err(error) = end_orphan(session.client(), lost, LONGEST_FAREWELL, true).await
        {
            tracing::debug!(%error, pid = lost.pid(), "the lost server process could not be ended");
        }
    }

    async fn open(&mut self) -> Result<Session, ServiceError> {
        if let Some(session) = self.session.take() {
            return Ok(session);
        }
        let (address, table) = (&self.target.address, &self.target.history_table);
        // Nothing is written while it connects: that may be dropped half way.
        let connected = tokio::select! {
            connected = self.connections.session(address, table) => connected,
            Ok(_) = self.halted.wait_for(|halted| *halted > 0) => return Err(ServiceError::Cancelled),
        };
        match connected {
            Err(ConnectError::DatabaseMissing { .. }) if self.target.may_create => {
                if self.connections.create_database(address).await? {
                    self.happened(
                        None,
                        EventKind::DatabaseCreated {
                            database: address.database().to_owned(),
                        },
                    );
                }
                Ok(self.connections.session(address, table).await?)
            }
            Err(ConnectError::DatabaseMissing { .. }) => Err(ServiceError::MayNotCreate {
                address: address.to_string(),
                why: "in production, nor on a server elsewhere without --create-databases",
            }),
            other => Ok(other?),
        }
    }

    async fn lock(&mut self, session: Session) -> Result<LockedSession, ServiceError> {
        let service = self.target.service.name.clone();
        let messages = self.messages.clone();
        LockedSession::acquire(
            session,
            &self.connections,
            self.engine.advisory_lock_wait,
            &mut self.halted,
            |holder| {
                let _ = messages.send(Message::Happened {
                    service: service.clone(),
                    version: None,
                    kind: EventKind::LockWaiting { holder },
                });
            },
        )
        .await
        .map_err(|source| ServiceError::lock(&self.target, source))
    }

    async fn work(
        &mut self,
        locked: &mut LockedSession,
        history: &History,
    ) -> Result<(), ServiceError> {
        self.tell(Message::Ready {
            service: self.target.service.name.clone(),
            cancel: locked.session().cancel_handle(),
        });
        let target = Arc::clone(&self.target);
        while let Some(go) = self.goes.recv().await {
            let Some(migration) = target.service.migration(go.version) else {
                continue;
            };
            if self.is_done_already(history, &go)? {
                self.happened(
                    Some(go.version),
                    EventKind::MigrationUnchanged {
                        name: migration.name.clone(),
                    },
                );
                self.tell(Message::Unchanged { step: go.step });
                continue;
            }
            let with_progress = planning::script(migration, go.direction)
                .directives
                .no_transaction;
            if !locked.session().is_installed(with_progress) {
                self.install(locked, with_progress).await?;
            }
            self.wrote = true;
            let result = self.execute(locked, &go, migration, history).await;
            self.tell(Message::Finished {
                step: go.step,
                result,
            });
        }
        Ok(())
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
            next: "connect to the primary, as a role that may write".to_owned(),
        }
        .into())
    }

    /// Reads the history again, now that nobody else can change it.
    async fn read_again(&self, locked: &mut LockedSession) -> Result<History, ServiceError> {
        let target = &self.target;
        let pulse = locked.session().pulse();
        let session = locked.session_mut();
        let reading = async {
            if !session.is_installed(true) {
                session.refresh(&target.history_table).await?;
            }
            read_history(session, &target.service.name, &target.history_table).await
        };
        let read = self.connections.watch(&pulse, reading).await;
        read.map_err(|error| ServiceError::query(&target.address, error))
    }

    /// Whether another run did a step since it was planned. Refuses what has become inconsistent since.
    fn is_done_already(&self, history: &History, go: &Go) -> Result<bool, ServiceError> {
        let reconciliation = reconcile(&self.target.service, history);
        let standing = reconciliation
            .standings()
            .iter()
            .find(|standing| standing.version == go.version);
        let state = standing.map(|standing| standing.state);
        match go.direction {
            Direction::Up => {
                reconciliation.to_apply(None)?;
                Ok(state == Some(State::Applied))
            }
            Direction::Down => Ok(matches!(state, Some(State::Pending | State::OutOfOrder))),
        }
    }

    async fn install(
        &self,
        locked: &mut LockedSession,
        with_progress: bool,
    ) -> Result<(), ServiceError> {
        let pulse = locked.session().pulse();
        let table = &self.target.history_table;
        let installing = install(locked.session_mut(), table, with_progress);
        let installed = self.connections.watch(&pulse, installing).await;
        installed.map_err(|error| ServiceError::query(&self.target.address, error))
    }

    async fn execute(
        &self,
        locked: &mut LockedSession,
        go: &Go,
        migration: &Migration,
        history: &History,
    ) -> Result<StepDone, Box<Failure>> {
        let report = |kind| self.happened(Some(go.version), kind);
        let resumed_after = history
            .interrupted
            .iter()
            .find(|interruption| {
                interruption.version == go.version && interruption.direction == go.direction
            })
            .map(|interruption| interruption.done);
        let context = StepContext {
            run: &self.run,
            service: &self.target.service,
            migration,
            direction: go.direction,
            step: go.place,
            history_table: &self.target.history_table,
            engine: &self.engine,
            connections: &self.connections,
            resumed_after,
            has_progress: history
                .interrupted
                .iter()
                .any(|interruption| interruption.version == go.version),
            cancelled: self.cancelled.clone(),
            report: &report,
            run_again: &self.run_again,
        };
        execute(locked, &context).await
    }

    fn happened(&self, version: Option<Version>, kind: EventKind) {
        self.tell(Message::Happened {
            service: self.target.service.name.clone(),
            version,
            kind,
        });
    }

    fn tell(&self, message: Message) {
        // The dispatcher listens until every task has ended.
        let _ = self.messages.send(message);
    }
}
