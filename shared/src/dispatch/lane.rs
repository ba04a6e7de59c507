//! The task of one service: connect, lock, announce, wait for the go, do the step, announce again.
//!
//! A task lives for one stretch of steps that can run without waiting for another database, and holds the advisory
//! lock for just that long.

mod record;

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use super::entrance::{Entrance, end_orphan_of};
use super::locked_database::LockedDatabase;
use super::ties::{HeldGates, Patience, Ties};
use crate::config::EngineSettings;
use crate::domain::{
    Anchor, Direction, EventKind, Failure, Migration, ServiceName, Version, with_causes,
};
use crate::gates::GateEnd;
use crate::inspect::{ServiceError, Target};
use crate::planning;
use crate::postgres::{
    CancelHandle, Connections, GateHold, LockedSession, RunIdentity, Session, install,
    is_connection_lost, read_anchor,
};
use crate::reconcile::History;
use crate::runner::{StepContext, StepDone, StepObserver, execute};
use crate::succession::{Due, Succession};

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
    /// The service's database knows what a compensation owes.
    Recorded { service: ServiceName },
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

/// What a task does once it has the lock.
pub(super) enum Work {
    /// The steps that it is given the go for.
    Steps,
    /// It records that these migrations of a run are to be undone.
    Record {
        of_run: Uuid,
        because: String,
        versions: BTreeSet<Version>,
    },
}

/// Everything a task needs.
pub(super) struct LaneTask {
    pub(super) target: Arc<Target>,
    pub(super) session: Option<Session>,
    pub(super) held: Option<LockedDatabase>,
    pub(super) connections: Arc<Connections>,
    pub(super) engine: EngineSettings,
    pub(super) run: Arc<RunIdentity>,
    pub(super) run_again: String,
    pub(super) work: Work,
    pub(super) messages: mpsc::UnboundedSender<Message>,
    pub(super) goes: mpsc::UnboundedReceiver<Go>,
    pub(super) cancelled: watch::Receiver<u32>,
    pub(super) halted: watch::Receiver<u32>,
    /// Whether an attempt was made, which the journal tells of.
    pub(super) wrote: bool,
    pub(super) anchor: Option<Anchor>,
    /// `None`: a history is replayed in a scratch database.
    pub(super) ties: Option<Arc<Ties>>,
    /// Who looks at the steps, in a rehearsal.
    pub(super) observer: Option<Arc<dyn StepObserver>>,
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
        let (mut locked, history) = match self.held.take() {
            Some(held) => held.take().await?,
            None => match self.begin().await {
                // Nothing has been done yet. The session may have been ended while it waited for other services.
                Err(error) if error.is_connection_lost() => {
                    tracing::warn!(service = %self.target.service.name, error = %error.chain(), "connecting again");
                    self.begin().await?
                }
                begun => begun?,
            },
        };
        let worked = match &self.work {
            Work::Steps => self.steps(&mut locked, &history).await,
            Work::Record {
                of_run,
                because,
                versions,
            } => {
                let recording =
                    self.record(&mut locked, &history, (*of_run, because.as_str()), versions);
                let recorded = recording.await;
                if recorded.is_ok() {
                    let service = self.target.service.name.clone();
                    self.tell(Message::Recorded { service });
                }
                recorded
            }
        };
        if worked.as_ref().is_err_and(ServiceError::is_connection_lost) {
            let handle = locked.session().handle();
            end_orphan_of(&self.target, &self.connections, &handle).await;
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
        match read_anchor(session, service).await {
            Ok(anchor) => return anchor,
            Err(error) if !is_connection_lost(&error) => {
                tracing::warn!(%service, error = %with_causes(&error), "the end of the journal could not be read");
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
        let session = self.session.take();
        let entrance = Entrance {
            target: &self.target,
            connections: &self.connections,
            engine: &self.engine,
            beyond_the_bound: false,
            say: &|kind| self.happened(None, kind),
        };
        entrance.enter(session, &mut self.halted.clone()).await
    }

    async fn steps(
        &mut self,
        locked: &mut LockedSession,
        history: &History,
    ) -> Result<(), ServiceError> {
        self.tell(Message::Ready {
            service: self.target.service.name.clone(),
            cancel: locked.session().cancel_handle(),
        });
        let target = Arc::clone(&self.target);
        let mut succession = Succession::of(&target.service, history);
        if self.ties.is_none() {
            succession = succession.with_gaps();
        }
        while let Some(go) = self.goes.recv().await {
            let Some(migration) = target.service.migration(go.version) else {
                continue;
            };
            if succession.due(go.version, go.direction)? == Due::Done {
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
            // Before the file has done anything: it could not be recorded.
            locked.session().refuse_unwritable()?;
            if !locked.session().is_installed(with_progress) {
                self.install(locked, with_progress).await?;
            }
            let (held, closed) = self.tie(locked, migration, go.direction).await?;
            self.wrote = true;
            let result = self
                .execute(locked, &go, migration, history, &held.gates)
                .await;
            drop(held);
            if closed {
                locked.open_gate().await;
            }
            if result.is_ok() {
                succession.took(go.version, go.direction);
            }
            self.tell(Message::Finished {
                step: go.step,
                result,
            });
        }
        Ok(())
    }

    /// Keeps what the step counts on in other databases as it is until the step is over. Gives whether the gate of its own was closed.
    async fn tie(
        &self,
        locked: &LockedSession,
        migration: &Migration,
        direction: Direction,
    ) -> Result<(HeldGates, bool), ServiceError> {
        let Some(ties) = &self.ties else {
            return Ok((HeldGates::default(), false));
        };
        let patience = Patience {
            connections: &self.connections,
            wait: self.engine.advisory_lock_wait,
            halted: self.halted.clone(),
            say: &|kind| self.happened(None, kind),
        };
        match direction {
            Direction::Up => {
                let service = &self.target.service.name;
                let migrations = [migration];
                let held = ties.hold(service, &migrations, |_| false, &patience);
                Ok((held.await?, false))
            }
            Direction::Down => {
                let closing = ties.close(locked, &self.target, migration.version, &patience);
                Ok((HeldGates::default(), closing.await?))
            }
        }
    }

    async fn install(
        &self,
        locked: &mut LockedSession,
        with_progress: bool,
    ) -> Result<(), ServiceError> {
        let table = &self.target.history_table;
        let installing = install(locked.session_mut(), table, with_progress);
        match installing.await {
            Ok(()) => Ok(()),
            Err(error) => {
                let session = locked.session();
                let explaining = ServiceError::installing(session, &self.target.address, error);
                Err(explaining.await)
            }
        }
    }

    async fn execute(
        &self,
        locked: &mut LockedSession,
        go: &Go,
        migration: &Migration,
        history: &History,
        gates: &[GateHold],
    ) -> Result<StepDone, Box<Failure>> {
        let report = |kind| self.happened(Some(go.version), kind);
        let resumed_after = history
            .interrupted
            .iter()
            .find(|interruption| {
                interruption.version == go.version && interruption.direction == go.direction
            })
            .map(|interruption| interruption.done);
        let because = history
            .owed
            .iter()
            .find(|owed| owed.version == go.version && go.direction == Direction::Down)
            .map(|owed| format!("compensation: {}", owed.because));
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
            because: because.as_deref(),
            in_release: false,
            gates,
            observer: self.observer.as_deref(),
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
