//! The loop that owns a release: starts files until all are executed, one fails, or the user cancels.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};

use super::super::board::Board;
use super::super::dependency_gates::HeldGates;
use super::super::{Operation, Run};
use super::enter::Entry;
use super::participant::{Due, Happened, Outage, Participant, Scope};
use crate::inspect::ServiceError;
use crate::runner::FailedWithin;
use domain::{
    Diagnostic, Direction, EventKind, ExitStatus, ServiceName, ServiceOutcome, Version, rerun,
    with_causes,
};

/// The interval of keepalive queries to an idle database, well below the timeout after which its server ends the session.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);

/// The result of a task.
pub(super) enum Ended {
    /// A step was attempted.
    Executed {
        step: usize,
        service: ServiceName,
        result: Result<(), FailedWithin>,
    },
    /// A keepalive query was sent. The flag is true if the connection is alive.
    Spoke(bool),
}

/// The state of a service.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ServiceProgress {
    pub(super) executed: usize,
    pub(super) outcome: Option<ServiceOutcome>,
}

/// A running atomic release.
pub(in crate::dispatch) struct Release<'r> {
    pub(super) board: Board,
    pub(super) operation: Operation<'r>,
    /// The idle databases, by database key. The others are in `busy`.
    pub(super) idle: BTreeMap<String, Participant>,
    pub(super) busy: JoinSet<(String, Participant, Ended)>,
    pub(super) database_of: BTreeMap<ServiceName, String>,
    unchanged: BTreeSet<usize>,
    pub(super) gates: BTreeMap<ServiceName, HeldGates>,
    names: Vec<String>,
    pub(super) happened: mpsc::UnboundedReceiver<Happened>,
    halt: watch::Sender<u32>,
    because: watch::Sender<Option<String>>,
    pub(super) outage: Arc<Outage>,
    /// Why it cannot be committed any more.
    pub(super) doomed: Option<String>,
    pub(super) services: BTreeMap<ServiceName, ServiceProgress>,
    pub(super) order: Vec<ServiceName>,
}

impl<'r> Release<'r> {
    /// Creates a release over locked databases.
    pub(in crate::dispatch) fn new(
        run: Run<'_>,
        entry: Entry,
        mut operation: Operation<'r>,
    ) -> Self {
        let order: Vec<ServiceName> = run.plan.services().into_iter().cloned().collect();
        let rerun_command = order
            .first()
            .and_then(|name| run.lanes.get(name))
            .map(|lane| lane.rerun_command.as_str())
            .unwrap_or_default();
        let (sender, happened) = mpsc::unbounded_channel();
        let halt = watch::Sender::new(0);
        let because = watch::Sender::new(None);
        operation.backup = entry.backup;
        let outage = Arc::new(Outage::default());
        let scope = Scope {
            run: Arc::clone(operation.identity()),
            engine: run.engine,
            connections: run.connections,
            rerun_command: rerun_command.into(),
            happened: sender,
            halted: halt.subscribe(),
            because: because.subscribe(),
            outage: Arc::clone(&outage),
        };
        let database_of: BTreeMap<ServiceName, String> = entry
            .databases
            .iter()
            .flat_map(|(key, entered)| {
                let services = entered.services.iter();
                services.map(|name| (name.clone(), key.clone()))
            })
            .collect();
        let names = run
            .plan
            .steps
            .iter()
            .map(|step| step.name.clone())
            .collect();
        let idle = entry
            .databases
            .into_iter()
            .zip(1..)
            .map(|((key, entered), number)| {
                let participant = Participant::new(
                    number,
                    entered.locked,
                    entered.targets,
                    entered.services,
                    scope.clone(),
                );
                (key, participant)
            })
            .collect();
        Self {
            board: Board::new(run.plan, &database_of, run.jobs),
            operation,
            idle,
            busy: JoinSet::new(),
            database_of,
            unchanged: entry.unchanged,
            gates: entry.gates,
            names,
            happened,
            halt,
            because,
            outage,
            doomed: None,
            services: order
                .iter()
                .map(|name| (name.clone(), ServiceProgress::default()))
                .collect(),
            order,
        }
    }

    /// Runs to the end, whatever the outcome.
    pub(in crate::dispatch) async fn run(mut self) -> ExitStatus {
        for name in self.order.clone() {
            let steps = self.board.step_count(&name);
            self.operation.service_begins(&name);
            self.operation
                .service(&name, EventKind::ServiceStarted { steps });
        }
        self.announce().await;
        self.execute_all().await;
        self.settle().await;
        self.finish().await
    }

    async fn execute_all(&mut self) {
        let mut cancelled = self.operation.stops().times.clone();
        let asked_before = *cancelled.borrow_and_update();
        self.cancel(asked_before);
        let mut watching = true;
        let mut keepalive = tokio::time::interval(KEEPALIVE_INTERVAL);
        loop {
            self.start_what_is_ready();
            if self.busy.is_empty() {
                break;
            }
            tokio::select! {
                // A cancellation is handled before anything that could start a new step.
                biased;
                changed = cancelled.changed(), if watching => match changed {
                    Ok(()) => {
                        let times = *cancelled.borrow_and_update();
                        self.cancel(times);
                    }
                    Err(_) => watching = false,
                },
                Some(happened) = self.happened.recv() => self.record(happened),
                Some(ended) = self.busy.join_next() => self.ended(ended),
                _ = keepalive.tick() => self.keep_idle_alive(),
            }
        }
        self.record_received();
    }

    fn start_what_is_ready(&mut self) {
        loop {
            let mut passed = false;
            for service in self.board.startable() {
                let key = self.database_of.get(&service).cloned();
                let Some(key) = key.filter(|key| self.idle.contains_key(key)) else {
                    continue;
                };
                self.board.activate(&service);
                let Some(step) = self.board.next_step(&service) else {
                    self.board.deactivate(&service);
                    continue;
                };
                if self.unchanged.contains(&step) {
                    self.pass(step, &service);
                    passed = true;
                    continue;
                }
                if let Some(participant) = self.idle.remove(&key) {
                    self.start(step, service, key, participant);
                }
            }
            if !passed {
                return;
            }
        }
    }

    /// Another run has done the step in the meantime.
    fn pass(&mut self, step: usize, service: &ServiceName) {
        let version = self.board.plan().steps[step].version;
        let name = self.names[step].clone();
        let kind = EventKind::MigrationUnchanged { name };
        self.operation.migration(service, version, kind);
        self.board.done(step);
        self.board.deactivate(service);
    }

    fn start(
        &mut self,
        step: usize,
        service: ServiceName,
        key: String,
        mut participant: Participant,
    ) {
        let due = Due {
            service: service.clone(),
            version: self.board.plan().steps[step].version,
            place: self.board.place(step),
        };
        self.busy.spawn(async move {
            let result = participant.execute(due).await;
            let ended = Ended::Executed {
                step,
                service,
                result,
            };
            (key, participant, ended)
        });
    }

    /// Keeps idle sessions alive: a server must not end one that waits with its transaction open.
    fn keep_idle_alive(&mut self) {
        for (key, participant) in std::mem::take(&mut self.idle) {
            self.busy.spawn(async move {
                let is_there = participant.keep_alive().await;
                (key, participant, Ended::Spoke(is_there))
            });
        }
    }

    fn ended(&mut self, ended: Result<(String, Participant, Ended), JoinError>) {
        // Events of the task are recorded before its result, which may follow from them.
        self.record_received();
        let (key, participant, ended) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                // The task took its connection with it, so the server rolls its transaction back.
                tracing::error!(error = %with_causes(&error), "a task of the release panicked");
                self.operation.worsen(ExitStatus::Failed);
                return self.doom("a part of the program did not get through".to_owned());
            }
        };
        match ended {
            Ended::Executed {
                step,
                service,
                result,
            } => {
                match result {
                    Ok(()) => self.board.done(step),
                    Err(failed) => {
                        self.board.failed(step);
                        self.failed(&failed);
                    }
                }
                self.board.deactivate(&service);
            }
            Ended::Spoke(true) => {}
            Ended::Spoke(false) => {
                let error = Diagnostic::new(
                    ExitStatus::Unavailable,
                    format!(
                        "{}: the connection was lost while the release waited for other services",
                        participant.place()
                    ),
                    rerun("once the server can be reached"),
                );
                if let Some(service) = participant.services.first().cloned()
                    && self.doomed.is_none()
                {
                    self.stopped(&service, &error.into());
                }
            }
        }
        self.idle.insert(key, participant);
    }

    fn failed(&mut self, failed: &FailedWithin) {
        let status = failed.failure.exit_code;
        if status == ExitStatus::Cancelled {
            // Cancelled by the user, or by the failure of another step, which is reported by itself.
            return;
        }
        self.operation.worsen(status);
        self.operation.next.push(failed.failure.next.clone());
        if let Some(standing) = self.services.get_mut(&failed.service) {
            standing.outcome = Some(status.into());
        }
        self.doom(format!("{} did not get through", failed.service));
    }

    /// A service cannot continue, for a reason other than a failed step.
    pub(super) fn stopped(&mut self, service: &ServiceName, error: &ServiceError) {
        let outcome = self.operation.service_failed(service, error.diagnostic());
        if let Some(standing) = self.services.get_mut(service) {
            standing.outcome = Some(outcome);
        }
        self.doom(format!("{service} did not get through"));
    }

    /// From here on the release can only be rolled back: nothing new starts, and running statements are cancelled.
    fn doom(&mut self, because: String) {
        self.board.stop();
        if self.doomed.is_none() {
            self.because.send_replace(Some(because.clone()));
            self.doomed = Some(because);
        }
        self.halt.send_replace(2);
    }

    /// Before the decision, the first Ctrl-C cancels running statements: what was executed is rolled back anyway.
    pub(super) fn cancel(&mut self, times: u32) {
        if times == 0 {
            return;
        }
        if self.operation.status() != ExitStatus::Cancelled {
            self.operation.cancel_requested(2, None);
        }
        self.board.stop();
        self.doomed
            .get_or_insert_with(|| "the run was cancelled".to_owned());
        self.halt.send_replace(2);
    }

    /// Records all events received so far.
    pub(super) fn record_received(&mut self) {
        while let Ok(happened) = self.happened.try_recv() {
            self.record(happened);
        }
    }

    pub(super) fn record(&mut self, (service, version, kind): Happened) {
        self.count(&service, version, &kind);
        match version {
            Some(version) => self.operation.migration(&service, version, kind),
            None => self.operation.service(&service, kind),
        }
    }

    fn count(&mut self, service: &ServiceName, version: Option<Version>, kind: &EventKind) {
        let Some(standing) = self.services.get_mut(service) else {
            return;
        };
        match kind {
            EventKind::MigrationApplied { .. } => self.operation.count(service, Direction::Up),
            EventKind::MigrationExecuted { .. } => standing.executed += 1,
            EventKind::MigrationFailed(failure) => match failure.exit_code {
                ExitStatus::Cancelled => self.operation.totals.cancelled += 1,
                _ => self.operation.totals.failed += 1,
            },
            _ => tracing::trace!(%service, ?version, "said"),
        }
    }
}
