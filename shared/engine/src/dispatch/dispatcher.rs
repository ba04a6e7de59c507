//! The dispatcher: the loop that owns the state of a run.

mod cancel;
mod compensate;
mod create;
mod finish;
mod gates;
mod service;
mod tasks;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use self::compensate::RunningCompensation;
pub(super) use self::create::Creation;
use self::tasks::{OnDatabases, Tasks};
use super::atomic::{Release, enter};
use super::board::Board;
use super::compensation::migrations;
use super::lane::{Cancel, LaneTask, Message, StartStep};
use super::lock_all::lock_all;
use super::locked_database::LockedDatabase;
use super::{
    DependencyGates, Migrations, OnFailure, Operation, Reverts, Run, Start, Stopped, Stops,
};
use crate::inspect::{ServiceError, Target};
use crate::runner::{StepDone, StepObserver};
use domain::Reporter;
use domain::{Direction, EventKind, ExitStatus, Failure, ServiceName, ServiceOutcome};
use pg_session::{Connections, Session};
use settings::EngineSettings;

/// Runs a plan to its end, whatever the outcome.
pub async fn dispatch(mut run: Run<'_>, reporter: &mut dyn Reporter, stops: Stops) -> ExitStatus {
    let start = start(&run);
    let mut operation = Operation::begin(reporter, stops, start);
    for resolved in std::mem::take(&mut run.resolved) {
        operation.run(EventKind::ReleaseResolved(Box::new(resolved)));
    }
    if run.atomic && !run.plan.steps.is_empty() {
        match enter(&mut run, &mut operation).await {
            Ok(entry) => return Release::new(run, entry, operation).run().await,
            Err(stopped) => begin_nothing(&mut run, stopped),
        }
    } else if run.pre_run_check.is_some() {
        match lock_all(&mut run, &mut operation).await {
            Ok(taken) => {
                if let Some(reverts) = &mut run.reverts {
                    reverts.restore_from.clone_from(&taken);
                }
                operation.backup = taken;
            }
            Err(stopped) => begin_nothing(&mut run, stopped),
        }
    }
    let dispatcher = Dispatcher::new(run, operation, Box::new(OnDatabases));
    dispatcher.run().await
}

fn start(run: &Run<'_>) -> Start {
    Start {
        command: run.command,
        services: run.services(),
        unchanged: run.unchanged.clone(),
        steps: run.steps(),
        undoes_on_failure: run.on_failure == OnFailure::Revert,
        labels_next: false,
    }
}

/// Reports why a run does not begin. A cancellation is reported when the dispatcher sees it.
fn begin_nothing(run: &mut Run<'_>, stopped: Stopped) {
    if stopped.1.exit_code() != ExitStatus::Cancelled {
        run.stopped.push(stopped);
    }
    run.on_failure = OnFailure::Stop;
}

/// The state of one service.
struct Lane {
    target: Arc<Target>,
    session: Option<Session>,
    /// Whether its database did not exist when it was inspected.
    is_absent: bool,
    creation: Option<Creation>,
    held: Option<LockedDatabase>,
    rerun_command: String,
    starts: Option<mpsc::UnboundedSender<StartStep>>,
    cancel: Option<Cancel>,
    /// Whether `ServiceStarted` was reported in this part of the run.
    announced: bool,
    outcome: Option<ServiceOutcome>,
}

struct Dispatcher<'a, 'r> {
    board: Board,
    databases: BTreeMap<ServiceName, String>,
    jobs: usize,
    /// What this run is to apply.
    planned: Migrations,
    /// What it has applied so far, completely or in part.
    applied: Migrations,
    reverts: Option<Reverts<'a>>,
    compensation: Option<RunningCompensation>,
    /// The first failure in this part of the run.
    why: Option<String>,
    is_undone: bool,
    lanes: BTreeMap<ServiceName, Lane>,
    operation: Operation<'r>,
    connections: Arc<Connections>,
    observer: Option<Arc<dyn StepObserver>>,
    spare_session: Option<mpsc::UnboundedSender<Session>>,
    dependency_gates: Option<Arc<DependencyGates>>,
    engine: EngineSettings,
    on_failure: OnFailure,
    wait: Duration,
    stopped: Vec<(ServiceName, ServiceError)>,
    held_back: Vec<(ServiceName, usize, ServiceName)>,
    sender: mpsc::UnboundedSender<Message>,
    tasks: Box<dyn Tasks>,
    spawned: JoinSet<()>,
    cancelled: watch::Receiver<u32>,
    /// Ends every wait for a lock or a gate, once nothing new may start.
    halt: watch::Sender<u32>,
    first_failure: Option<ServiceName>,
    gates_open: usize,
}

impl<'a, 'r> Dispatcher<'a, 'r> {
    fn new(run: Run<'a>, operation: Operation<'r>, tasks: Box<dyn Tasks>) -> Self {
        let databases: BTreeMap<ServiceName, String> = run
            .lanes
            .iter()
            .map(|(name, lane)| (name.clone(), lane.target.address.database_key()))
            .collect();
        let lanes = run
            .lanes
            .into_iter()
            .map(|(name, input)| {
                let lane = Lane {
                    target: input.target,
                    session: input.session,
                    is_absent: input.is_absent,
                    creation: None,
                    held: input.held,
                    rerun_command: input.rerun_command,
                    starts: None,
                    cancel: None,
                    announced: false,
                    outcome: None,
                };
                (name, lane)
            })
            .collect();
        Self {
            planned: migrations(&run.plan),
            board: Board::new(run.plan, &databases, run.jobs),
            databases,
            jobs: run.jobs,
            applied: Migrations::new(),
            reverts: run.reverts,
            compensation: None,
            why: None,
            is_undone: false,
            lanes,
            connections: run.connections,
            observer: run.observer,
            spare_session: run.spare_session,
            dependency_gates: run.dependency_gates,
            engine: run.engine,
            on_failure: run.on_failure,
            wait: run.wait,
            stopped: run.stopped,
            held_back: run.held_back,
            // Each part of the run has a channel of its own.
            sender: mpsc::unbounded_channel().0,
            tasks,
            spawned: JoinSet::new(),
            cancelled: operation.stops().times.clone(),
            operation,
            halt: watch::Sender::new(0),
            first_failure: None,
            gates_open: 0,
        }
    }

    async fn run(mut self) -> ExitStatus {
        for (service, error) in std::mem::take(&mut self.stopped) {
            self.service_stopped(&service, &error);
            self.service_finished(&service);
        }
        if self.undo_earlier_runs().await {
            self.go_forward().await;
        }
        self.report_skipped();
        self.undo_this_run().await;
        self.finish()
    }

    async fn go_forward(&mut self) {
        let mut messages = self.listen();
        self.watch_gates();
        // The user cancelled during planning: nothing is started.
        let asked_before = *self.cancelled.borrow_and_update();
        self.cancel(asked_before);
        if *self.halt.borrow() == 0 {
            self.create_databases();
        }
        self.drive(&mut messages).await;
    }

    /// A channel for one part of the run, so that no message of an earlier part arrives in it.
    fn listen(&mut self) -> mpsc::UnboundedReceiver<Message> {
        let (sender, messages) = mpsc::unbounded_channel();
        self.sender = sender;
        messages
    }

    /// Works through the board until no step can be started.
    async fn drive(&mut self, messages: &mut mpsc::UnboundedReceiver<Message>) {
        let mut watching = true;
        loop {
            self.start_what_is_ready();
            let waits = self.board.waits_for_gates() && self.gates_open > 0;
            if !self.board.is_active() && !waits {
                break;
            }
            tokio::select! {
                // A cancellation is handled before anything that could start a new step.
                biased;
                changed = self.cancelled.changed(), if watching => match changed {
                    Ok(()) => {
                        let times = *self.cancelled.borrow_and_update();
                        self.cancel(times);
                    }
                    Err(_) => watching = false,
                },
                Some(message) = messages.recv() => self.receive(message),
            }
        }
        self.stop();
        while self.spawned.join_next().await.is_some() {}
    }

    fn start_what_is_ready(&mut self) {
        for service in self.board.startable() {
            if self.is_irreversible(&service) {
                self.service_finished(&service);
                return;
            }
            let work = self.work_of(&service);
            let Some(lane) = self.lanes.get_mut(&service) else {
                continue;
            };
            let (starts, receiver) = mpsc::unbounded_channel();
            lane.starts = Some(starts);
            let task = LaneTask {
                target: Arc::clone(&lane.target),
                session: lane.session.take(),
                creation: lane.creation.take(),
                held: lane.held.take(),
                connections: Arc::clone(&self.connections),
                engine: self.engine,
                run: Arc::clone(self.operation.identity()),
                rerun_command: match &self.compensation {
                    Some(compensation) => compensation.resume.clone(),
                    None => lane.rerun_command.clone(),
                },
                work,
                messages: self.sender.clone(),
                starts: receiver,
                cancelled: self.cancelled.clone(),
                halted: self.halt.subscribe(),
                wrote: false,
                anchor: None,
                dependency_gates: self.dependency_gates.clone(),
                observer: self.observer.clone(),
                spare_session: self.spare_session.clone(),
                is_reusable: false,
            };
            self.board.activate(&service);
            self.begin_visit(&service);
            self.spawned.spawn(self.tasks.lane(task));
        }
    }

    fn receive(&mut self, message: Message) {
        match message {
            Message::Happened {
                service,
                version,
                kind,
            } => match version {
                Some(version) => self.operation.migration(&service, version, kind),
                None => self.operation.service(&service, kind),
            },
            Message::Ready { service, cancel } => self.ready(&service, cancel),
            Message::Finished { step, result } => self.finished(step, result),
            Message::Recorded { service } => self.end_visit(&service),
            Message::Unchanged { step } => {
                self.board.done(step);
                let service = self.board.plan().steps[step].service.clone();
                self.let_go_on(&service);
            }
            Message::Stopped { service, error } => {
                if error.exit_code() != ExitStatus::Cancelled {
                    self.service_stopped(&service, &error);
                }
            }
            Message::Released { service, anchor } => {
                if let Some(anchor) = anchor {
                    // A service that was visited before has an older one.
                    self.operation.anchors.retain(|it| it.service != service);
                    self.operation.anchors.push(anchor);
                }
                self.released(&service);
            }
            Message::GateEnded { index, end } => self.gate_ended(index, end),
        }
    }

    fn ready(&mut self, service: &ServiceName, cancel: Cancel) {
        let steps = self.board.step_count(service);
        if let Some(lane) = self.lanes.get_mut(service) {
            lane.cancel = Some(cancel);
            self.operation.service_begins(service);
            if !std::mem::replace(&mut lane.announced, true) {
                self.operation
                    .service(service, EventKind::ServiceStarted { steps });
            }
        }
        self.let_go_on(service);
    }

    /// Sends a task its next step, or ends it.
    fn let_go_on(&mut self, service: &ServiceName) {
        self.is_irreversible(service);
        let next = self.board.next_step(service);
        let Some(lane) = self.lanes.get_mut(service) else {
            return;
        };
        match (next, &lane.starts) {
            (Some(step), Some(starts)) => {
                let planned = &self.board.plan().steps[step];
                let start = StartStep {
                    step,
                    place: self.board.place(step),
                    version: planned.version,
                    direction: planned.direction,
                };
                // The task keeps its receiver until it is ended, so this cannot fail.
                let _ = starts.send(start);
            }
            _ => lane.starts = None,
        }
    }

    fn finished(&mut self, step: usize, result: Result<StepDone, Box<Failure>>) {
        let planned = &self.board.plan().steps[step];
        let (service, direction) = (planned.service.clone(), planned.direction);
        let version = planned.version;
        let leaves_something = match &result {
            Ok(_) => true,
            Err(failure) => !failure.rolled_back || failure.outcome_unknown,
        };
        if direction == Direction::Up && leaves_something {
            let applied = self.applied.entry(service.clone()).or_default();
            applied.insert(version);
        }
        match result {
            Ok(done) => {
                self.board.done(step);
                self.operation.count(&service, direction);
                match done {
                    StepDone::Done if self.board.makes_way(&service) => self.end_task(&service),
                    StepDone::Done => self.let_go_on(&service),
                    // The next step begins with a new session.
                    StepDone::SessionSpent => self.end_task(&service),
                }
            }
            Err(failure) => {
                // Recorded before anything that depends on it can start.
                self.board.failed(step);
                let Failure {
                    exit_code: status,
                    next,
                    ..
                } = *failure;
                match status {
                    ExitStatus::Cancelled => self.operation.totals.cancelled += 1,
                    _ => self.operation.totals.failed += 1,
                }
                let why = match direction {
                    Direction::Up => format!("{service} {version} failed"),
                    Direction::Down => format!("the revert of {service} {version} failed"),
                };
                self.operation.worsen(status);
                self.operation.next.push(next);
                self.fail(&service, status, why);
                self.end_task(&service);
            }
        }
    }

    fn end_task(&mut self, service: &ServiceName) {
        if let Some(lane) = self.lanes.get_mut(service) {
            lane.starts = None;
        }
    }
}
