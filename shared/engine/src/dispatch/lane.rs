//! The task of one service: connects, locks, requests each step, runs it and reports its outcome.
//!
//! A task lives for one sequence of steps that run without waiting for another database. It holds the advisory lock for
//! exactly that long.

mod record;

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use super::database_entry::{DatabaseEntry, end_orphan_of};
use super::dependency_gates::{DependencyGates, GateWait, HeldGates};
use super::dispatcher::Creation;
use super::locked_database::LockedDatabase;
use crate::gates::GateEnd;
use crate::inspect::{ServiceError, Target};
use crate::runner::{StepContext, StepDone, StepObserver, execute};
use crate::succession::{Due, Succession};
use domain::History;
use domain::{Anchor, Direction, EventKind, Failure, Migration, ServiceName, Version, with_causes};
use pg_session::{CancelError, Connections, GateHold, LockedSession, Session, is_connection_lost};
use settings::EngineSettings;
use store::{RunIdentity, install, read_anchor};

/// Cancels on the server what a service does.
pub(super) type Cancel = Arc<dyn Fn() -> BoxFuture<'static, Result<(), CancelError>> + Send + Sync>;

/// The messages of tasks to the dispatcher.
pub(super) enum Message {
    /// An event to record.
    Happened {
        service: ServiceName,
        version: Option<Version>,
        kind: EventKind,
    },
    /// A service holds its lock and requests its next step.
    Ready {
        service: ServiceName,
        cancel: Cancel,
    },
    /// A step has ended.
    Finished {
        step: usize,
        result: Result<StepDone, Box<Failure>>,
    },
    /// The service's database has recorded what a compensation must undo.
    Recorded { service: ServiceName },
    /// Another run has done the step in the meantime.
    Unchanged { step: usize },
    /// The service cannot continue.
    Stopped {
        service: ServiceName,
        error: ServiceError,
    },
    /// The task has ended and its lock is released.
    Released {
        service: ServiceName,
        /// The last entry of its journal, if one was written.
        anchor: Option<Anchor>,
    },
    /// A gate is met, or will not be met.
    GateEnded { index: usize, end: GateEnd },
}

/// The permission to run one step.
pub(super) struct StartStep {
    pub(super) step: usize,
    pub(super) place: usize,
    pub(super) version: Version,
    pub(super) direction: Direction,
}

/// What a task does once it holds the lock.
pub(super) enum Work {
    /// Runs the steps that the dispatcher sends.
    Steps,
    /// Records that these migrations of a run are to be undone.
    Record {
        of_run: Uuid,
        because: String,
        versions: BTreeSet<Version>,
    },
}

/// Everything that a task needs.
pub(super) struct LaneTask {
    pub(super) target: Arc<Target>,
    pub(super) session: Option<Session>,
    /// The creation of its database, if it was missing.
    pub(super) creation: Option<Creation>,
    pub(super) held: Option<LockedDatabase>,
    pub(super) connections: Arc<Connections>,
    pub(super) engine: EngineSettings,
    pub(super) run: Arc<RunIdentity>,
    pub(super) rerun_command: String,
    pub(super) work: Work,
    pub(super) messages: mpsc::UnboundedSender<Message>,
    pub(super) starts: mpsc::UnboundedReceiver<StartStep>,
    pub(super) cancelled: watch::Receiver<u32>,
    pub(super) halted: watch::Receiver<u32>,
    /// Whether an attempt was made, so that the journal has an entry for it.
    pub(super) wrote: bool,
    pub(super) anchor: Option<Anchor>,
    /// `None`: a history is replayed in a scratch database.
    pub(super) dependency_gates: Option<Arc<DependencyGates>>,
    /// The observer of the steps, in a rehearsal.
    pub(super) observer: Option<Arc<dyn StepObserver>>,
    pub(super) spare_session: Option<mpsc::UnboundedSender<Session>>,
    /// Whether the last step left a session that can run another one.
    pub(super) is_reusable: bool,
}

impl LaneTask {
    /// Runs to the end of the sequence. It is never dropped half way: the dispatcher waits for `Released`.
    pub(super) async fn run(mut self) {
        let service = self.target.service.name.clone();
        if let Err(error) = self.stretch().await {
            self.send(Message::Stopped {
                service: service.clone(),
                error,
            });
        }
        let anchor = self.anchor.take();
        self.send(Message::Released { service, anchor });
    }

    async fn stretch(&mut self) -> Result<(), ServiceError> {
        let (mut locked, history) = match self.held.take() {
            Some(held) => held.take().await?,
            None => match self.begin().await {
                // Nothing was done yet. The server may have ended the session while it waited for other services.
                Err(error) if error.is_connection_lost() => {
                    tracing::warn!(service = %self.target.service.name, error = %error.diagnostic(), "reconnecting");
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
                    self.send(Message::Recorded { service });
                }
                recorded
            }
        };
        if worked.as_ref().is_err_and(ServiceError::is_connection_lost) {
            let handle = locked.session().handle();
            end_orphan_of(&self.target, &self.connections, &handle).await;
        }
        if self.wrote {
            self.anchor = self.query_anchor(locked.session()).await;
        }
        let session = locked.release().await;
        if worked.is_ok()
            && self.is_reusable
            && let Some(spare_session) = &self.spare_session
        {
            // Dropped if the run does not want it.
            let _ = spare_session.send(session);
        }
        worked
    }

    /// The last journal entry, read under the lock if the session still holds it. Without one, the journal is still written.
    async fn query_anchor(&self, session: &Session) -> Option<Anchor> {
        let (target, service) = (&self.target, &self.target.service.name);
        match read_anchor(session, service).await {
            Ok(anchor) => return anchor,
            Err(error) if !is_connection_lost(&error) => {
                tracing::warn!(%service, error = %with_causes(&error), "cannot read the end of the journal");
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
        let session = match self.creation.take() {
            Some(creation) => self.created(creation).await?,
            None => self.session.take(),
        };
        let database_entry = DatabaseEntry {
            target: &self.target,
            connections: &self.connections,
            engine: &self.engine,
            exceeds_limit: false,
            say: &|kind| self.happened(None, kind),
        };
        database_entry
            .enter(session, &mut self.halted.clone())
            .await
    }

    /// Waits until the database was created.
    async fn created(&self, creation: Creation) -> Result<Option<Session>, ServiceError> {
        let mut halted = self.halted.clone();
        tokio::select! {
            // Without an answer, the entrance looks for the database.
            created = creation => Ok(created.unwrap_or(Ok(None))?),
            Ok(_) = halted.wait_for(|halted| *halted > 0) => Err(ServiceError::Cancelled),
        }
    }

    async fn steps(
        &mut self,
        locked: &mut LockedSession,
        history: &History,
    ) -> Result<(), ServiceError> {
        let handle = locked.session().cancel_handle();
        self.send(Message::Ready {
            service: self.target.service.name.clone(),
            cancel: Arc::new(move || {
                let handle = handle.clone();
                async move { handle.cancel().await }.boxed()
            }),
        });
        let target = Arc::clone(&self.target);
        let mut succession = Succession::of(&target.service, history);
        if self.dependency_gates.is_none() {
            succession = succession.with_gaps();
        }
        while let Some(start) = self.starts.recv().await {
            let Some(migration) = target.service.migration(start.version) else {
                continue;
            };
            if succession.due(start.version, start.direction)? == Due::Done {
                self.happened(
                    Some(start.version),
                    EventKind::MigrationUnchanged {
                        name: migration.name.clone(),
                    },
                );
                self.send(Message::Unchanged { step: start.step });
                continue;
            }
            let with_progress = migration.script(start.direction).directives.no_transaction;
            // Checked before the file runs, because afterwards its outcome could not be recorded.
            locked.session().refuse_unwritable()?;
            if !locked.session().is_installed(with_progress) {
                self.install(locked, with_progress).await?;
            }
            let (held, closed) = self.tie(locked, migration, start.direction).await?;
            self.wrote = true;
            let result = self
                .execute(locked, &start, migration, history, &held.gates)
                .await;
            drop(held);
            if closed {
                locked.open_gate().await;
            }
            if result.is_ok() {
                succession.took(start.version, start.direction);
            }
            self.is_reusable = matches!(result, Ok(StepDone::Done));
            self.send(Message::Finished {
                step: start.step,
                result,
            });
        }
        Ok(())
    }

    /// Keeps what the step requires in other databases from changing until the step ends. Returns whether this database's own gate was closed.
    async fn tie(
        &self,
        locked: &LockedSession,
        migration: &Migration,
        direction: Direction,
    ) -> Result<(HeldGates, bool), ServiceError> {
        let Some(dependency_gates) = &self.dependency_gates else {
            return Ok((HeldGates::default(), false));
        };
        let gate_wait = GateWait {
            connections: &self.connections,
            wait: self.engine.advisory_lock_wait,
            halted: self.halted.clone(),
            say: &|kind| self.happened(None, kind),
        };
        match direction {
            Direction::Up => {
                let service = &self.target.service.name;
                let migrations = [migration];
                let held = dependency_gates.hold(service, &migrations, |_| false, &gate_wait);
                Ok((held.await?, false))
            }
            Direction::Down => {
                let closing =
                    dependency_gates.close(locked, &self.target, migration.version, &gate_wait);
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
        start: &StartStep,
        migration: &Migration,
        history: &History,
        gates: &[GateHold],
    ) -> Result<StepDone, Box<Failure>> {
        let report = |kind| self.happened(Some(start.version), kind);
        let resumed_after = history
            .interrupted
            .iter()
            .find(|interruption| {
                interruption.version == start.version && interruption.direction == start.direction
            })
            .map(|interruption| interruption.done);
        let because = history
            .owed
            .iter()
            .find(|owed| owed.version == start.version && start.direction == Direction::Down)
            .map(|owed| format!("compensation: {}", owed.because));
        let context = StepContext {
            run: &self.run,
            service: &self.target.service,
            migration,
            direction: start.direction,
            step: start.place,
            history_table: &self.target.history_table,
            engine: &self.engine,
            connections: &self.connections,
            resumed_after,
            has_progress: history
                .interrupted
                .iter()
                .any(|interruption| interruption.version == start.version),
            cancelled: self.cancelled.clone(),
            report: &report,
            rerun_command: &self.rerun_command,
            because: because.as_deref(),
            in_release: false,
            gates,
            observer: self.observer.as_deref(),
        };
        execute(locked, &context).await
    }

    fn happened(&self, version: Option<Version>, kind: EventKind) {
        self.send(Message::Happened {
            service: self.target.service.name.clone(),
            version,
            kind,
        });
    }

    fn send(&self, message: Message) {
        // The dispatcher receives until every task has ended, so this cannot fail.
        let _ = self.messages.send(message);
    }
}
