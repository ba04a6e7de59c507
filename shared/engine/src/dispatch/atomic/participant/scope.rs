//! The state that all databases of a release share, and how they report events.
//!
//! Provides what a step needs to run, and the time limit for servers that are unreachable. The participant sends the commands.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::dispatch::atomic::finish::LONGEST_OUTAGE;
use crate::inspect::Target;
use crate::runner::{Executed, StepContext};
use domain::History;
use domain::{Direction, EventKind, ExitStatus, ServiceName, Version};
use pg_session::{Connections, shortened};
use settings::EngineSettings;
use store::RunIdentity;

/// An event, for the recorder.
pub(in crate::dispatch::atomic) type Happened = (ServiceName, Option<Version>, EventKind);

/// A step that is due.
#[derive(Clone, Debug)]
pub(in crate::dispatch::atomic) struct Due {
    pub(in crate::dispatch::atomic) service: ServiceName,
    pub(in crate::dispatch::atomic) version: Version,
    /// Its position among the service's steps, from 1.
    pub(in crate::dispatch::atomic) place: usize,
}

/// A file that was executed in the open transaction.
#[derive(Clone, Debug)]
pub(in crate::dispatch::atomic) struct Ran {
    pub(in crate::dispatch::atomic) due: Due,
    pub(in crate::dispatch::atomic) executed: Executed,
}

/// The state that all databases of a release share.
#[derive(Clone)]
pub(in crate::dispatch::atomic) struct Scope {
    pub(in crate::dispatch::atomic) run: Arc<RunIdentity>,
    pub(in crate::dispatch::atomic) connections: Arc<Connections>,
    pub(in crate::dispatch::atomic) engine: EngineSettings,
    pub(in crate::dispatch::atomic) rerun_command: Arc<str>,
    pub(in crate::dispatch::atomic) happened: mpsc::UnboundedSender<Happened>,
    /// 2 once the release cannot be committed any more: running statements are then cancelled.
    pub(in crate::dispatch::atomic) halted: watch::Receiver<u32>,
    /// The cause, such as a failed service.
    pub(in crate::dispatch::atomic) because: watch::Receiver<Option<String>>,
    /// The deadline for unreachable servers, shared by all databases.
    pub(in crate::dispatch::atomic) outage: Arc<Outage>,
}

/// The time limit for unreachable servers, counted from the first loss.
#[derive(Debug, Default)]
pub(in crate::dispatch::atomic) struct Outage(Mutex<Option<Instant>>);

impl Outage {
    pub(super) fn until(&self) -> Instant {
        let mut until = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let until = *until.get_or_insert_with(|| now + LONGEST_OUTAGE);
        until.min(now + shortened(LONGEST_OUTAGE))
    }

    /// Restarts the time limit: a commit that is decided deserves the full time.
    pub(in crate::dispatch::atomic) fn restart(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
impl Scope {
    pub(super) fn until(&self) -> Instant {
        self.outage.until()
    }

    pub(in crate::dispatch::atomic) fn say(
        &self,
        service: &ServiceName,
        version: Option<Version>,
        kind: EventKind,
    ) {
        // The release receives until every task has ended, so this cannot fail.
        let _ = self.happened.send((service.clone(), version, kind));
    }

    /// Reports an event of one step. A step that is cancelled because another one failed did not fail itself.
    pub(super) fn reporter(&self, due: &Due) -> Box<dyn Fn(EventKind) + Send + Sync> {
        let (scope, due) = (self.clone(), due.clone());
        Box::new(move |kind| {
            let because = scope.because.borrow().clone();
            let kind = match (kind, because) {
                (EventKind::MigrationFailed(failure), Some(because))
                    if failure.exit_code == ExitStatus::Cancelled =>
                {
                    EventKind::MigrationRolledBack {
                        name: failure.name,
                        because,
                    }
                }
                (kind, _) => kind,
            };
            scope.say(&due.service, Some(due.version), kind);
        })
    }

    pub(super) fn context<'a>(
        &'a self,
        targets: &'a BTreeMap<ServiceName, (Arc<Target>, History)>,
        due: &Due,
        report: &'a (dyn Fn(EventKind) + Send + Sync),
    ) -> Option<StepContext<'a>> {
        let (target, history) = targets.get(&due.service)?;
        Some(StepContext {
            run: &self.run,
            service: &target.service,
            migration: target.service.migration(due.version)?,
            direction: Direction::Up,
            step: due.place,
            history_table: &target.history_table,
            engine: &self.engine,
            connections: &self.connections,
            resumed_after: None,
            has_progress: history
                .interrupted
                .iter()
                .any(|interruption| interruption.version == due.version),
            cancelled: self.halted.clone(),
            report,
            rerun_command: &self.rerun_command,
            because: None,
            in_release: true,
            gates: &[],
            observer: None,
        })
    }
}
