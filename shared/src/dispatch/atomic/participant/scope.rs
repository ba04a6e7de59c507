//! What all databases of a release share, and how each of them tells what happens.
//!
//! Responsible for what a step is given to run with, and for the time that servers which cannot be reached are given.
//! Not for what is sent to them. Floor 4.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::config::EngineSettings;
use crate::dispatch::atomic::finish::LONGEST_OUTAGE;
use crate::domain::{Direction, EventKind, ExitStatus, ServiceName, Version};
use crate::inspect::Target;
use crate::postgres::{Connections, RunIdentity, hurried};
use crate::reconcile::History;
use crate::runner::{Executed, StepContext};

/// What happened, for the recorder.
pub(in crate::dispatch::atomic) type Happened = (ServiceName, Option<Version>, EventKind);

/// A step that is due.
#[derive(Clone, Debug)]
pub(in crate::dispatch::atomic) struct Due {
    pub(in crate::dispatch::atomic) service: ServiceName,
    pub(in crate::dispatch::atomic) version: Version,
    /// Its place among the service's steps, from 1.
    pub(in crate::dispatch::atomic) place: usize,
}

/// A file that ran in the open transaction.
#[derive(Clone, Debug)]
pub(in crate::dispatch::atomic) struct Ran {
    pub(in crate::dispatch::atomic) due: Due,
    pub(in crate::dispatch::atomic) executed: Executed,
}

/// What all databases of a release share.
#[derive(Clone)]
pub(in crate::dispatch::atomic) struct Scope {
    pub(in crate::dispatch::atomic) run: Arc<RunIdentity>,
    pub(in crate::dispatch::atomic) connections: Arc<Connections>,
    pub(in crate::dispatch::atomic) engine: EngineSettings,
    pub(in crate::dispatch::atomic) run_again: Arc<str>,
    pub(in crate::dispatch::atomic) happened: mpsc::UnboundedSender<Happened>,
    /// 2 as soon as the release cannot be committed any more: statements under way are cancelled.
    pub(in crate::dispatch::atomic) halted: watch::Receiver<u32>,
    /// Because of whom or what.
    pub(in crate::dispatch::atomic) because: watch::Receiver<Option<String>>,
    /// Until when a server that cannot be reached is waited for: the same for all of them.
    pub(in crate::dispatch::atomic) outage: Arc<Outage>,
}

/// The time that servers which cannot be reached are given, from the first loss on.
#[derive(Debug, Default)]
pub(in crate::dispatch::atomic) struct Outage(Mutex<Option<Instant>>);

impl Outage {
    pub(super) fn until(&self) -> Instant {
        let mut until = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let until = *until.get_or_insert_with(|| now + LONGEST_OUTAGE);
        until.min(now + hurried(LONGEST_OUTAGE))
    }

    /// Gives them the whole time again: what is decided is worth another.
    pub(in crate::dispatch::atomic) fn begin_again(&self) {
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
        // The release listens until every task has ended.
        let _ = self.happened.send((service.clone(), version, kind));
    }

    /// Tells of one step. One that is cancelled because another failed did not fail itself.
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
            run_again: &self.run_again,
            because: None,
            in_release: true,
            gates: &[],
            observer: None,
        })
    }
}
