//! The dispatcher: the loop that owns a run.

mod finish;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::board::Board;
use super::held::Held;
use super::lane::{Go, LaneTask, Message};
use super::secure::secure;
use super::{OnFailure, Recorder, Run, RunEnd, Stops, gate_watch};
use crate::config::EngineSettings;
use crate::domain::{
    Anchor, Direction, EVENT_SCHEMA, EventKind, ExitStatus, Failure, ServiceName, ServiceOutcome,
    StopCause, Totals,
};
use crate::gates::{self, GateEnd};
use crate::inspect::{ServiceError, Target};
use crate::postgres::{CancelHandle, Connections, RunIdentity, Session};
use crate::runner::StepDone;

/// Runs a plan to its end, whatever that is.
pub async fn dispatch(mut run: Run, recorder: &mut Recorder<'_>, stops: Stops) -> RunEnd {
    let started = Instant::now();
    recorder.run(EventKind::RunStarted {
        schema: EVENT_SCHEMA,
        command: run.command,
        services: run.plan.services().into_iter().cloned().collect(),
        unchanged: run.unchanged.clone(),
        steps: run.plan.steps.len(),
        program_version: run.identity.program_version,
    });
    if run.precaution.is_some()
        && let Err(stopped) = secure(&mut run, recorder, &stops).await
    {
        // Nothing has been begun, and nothing will be.
        run.stopped.push(stopped);
        run.on_failure = OnFailure::Stop;
    }
    let (sender, messages) = mpsc::unbounded_channel();
    Dispatcher::new(run, recorder, stops, sender, started)
        .run(messages)
        .await
}

/// What the dispatcher keeps of one service.
struct Lane {
    target: Arc<Target>,
    session: Option<Session>,
    held: Option<Held>,
    run_again: String,
    goes: Option<mpsc::UnboundedSender<Go>>,
    cancel: Option<CancelHandle>,
    began: Option<Instant>,
    applied: usize,
    reverted: usize,
    outcome: Option<ServiceOutcome>,
}

struct Dispatcher<'a, 'r> {
    board: Board,
    lanes: BTreeMap<ServiceName, Lane>,
    gate_targets: BTreeMap<ServiceName, Arc<Target>>,
    recorder: &'a mut Recorder<'r>,
    run: Arc<RunIdentity>,
    connections: Arc<Connections>,
    engine: EngineSettings,
    on_failure: OnFailure,
    wait: Duration,
    meet_gate: Box<dyn Fn(&ServiceName) -> String + Send + Sync>,
    stopped: Vec<(ServiceName, ServiceError)>,
    held_back: Vec<(ServiceName, usize, ServiceName)>,
    sender: mpsc::UnboundedSender<Message>,
    tasks: JoinSet<()>,
    cancelled: watch::Receiver<u32>,
    stops: Stops,
    /// Ends every wait, for a lock or a gate, once nothing new is to start.
    halt: watch::Sender<u32>,
    started: Instant,
    status: ExitStatus,
    totals: Totals,
    first_failure: Option<ServiceName>,
    gates_open: usize,
    next: Vec<String>,
    /// The ends of the journals that were written, by service.
    anchors: BTreeMap<ServiceName, Anchor>,
}

impl<'a, 'r> Dispatcher<'a, 'r> {
    fn new(
        run: Run,
        recorder: &'a mut Recorder<'r>,
        stops: Stops,
        sender: mpsc::UnboundedSender<Message>,
        started: Instant,
    ) -> Self {
        let databases = run
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
                    held: input.held,
                    run_again: input.run_again,
                    goes: None,
                    cancel: None,
                    began: None,
                    applied: 0,
                    reverted: 0,
                    outcome: None,
                };
                (name, lane)
            })
            .collect();
        Self {
            board: Board::new(run.plan, &databases, run.jobs),
            lanes,
            gate_targets: run.gate_targets,
            recorder,
            run: Arc::new(run.identity),
            connections: run.connections,
            engine: run.engine,
            on_failure: run.on_failure,
            wait: run.wait,
            meet_gate: run.meet_gate,
            stopped: run.stopped,
            held_back: run.held_back,
            sender,
            tasks: JoinSet::new(),
            cancelled: stops.times.clone(),
            stops,
            halt: watch::Sender::new(0),
            started,
            status: ExitStatus::Done,
            totals: Totals::default(),
            first_failure: None,
            gates_open: 0,
            next: Vec::new(),
            anchors: BTreeMap::new(),
        }
    }

    async fn run(mut self, mut messages: mpsc::UnboundedReceiver<Message>) -> RunEnd {
        for (service, error) in std::mem::take(&mut self.stopped) {
            self.service_stopped(&service, &error);
            self.service_finished(&service);
        }
        self.watch_gates();
        let mut cancelled = self.cancelled.clone();
        // Asked while the run was planned: nothing is started.
        let asked_before = *cancelled.borrow_and_update();
        self.cancel(asked_before);
        let mut watching = true;
        loop {
            self.start_what_is_ready();
            let waits = self.board.waits_for_gates() && self.gates_open > 0;
            if !self.board.is_active() && !waits {
                break;
            }
            tokio::select! {
                // A wish to stop comes before what would start something new.
                biased;
                changed = cancelled.changed(), if watching => match changed {
                    Ok(()) => {
                        let times = *cancelled.borrow_and_update();
                        self.cancel(times);
                    }
                    Err(_) => watching = false,
                },
                Some(message) = messages.recv() => self.receive(message),
            }
        }
        self.stop();
        while self.tasks.join_next().await.is_some() {}
        self.finish()
    }

    fn watch_gates(&mut self) {
        let deadline = self.started + self.wait;
        for (index, gate) in self.board.plan().gates.clone().into_iter().enumerate() {
            let Some(target) = self.gate_targets.get(&gate.service).cloned() else {
                continue;
            };
            for service in self.waiting_for(index) {
                self.recorder
                    .service(&service, EventKind::GateWaiting { gate: gate.clone() });
            }
            self.gates_open += 1;
            self.tasks.spawn(gate_watch::watch(
                index,
                gate,
                target,
                Arc::clone(&self.connections),
                deadline,
                self.halt.subscribe(),
                self.sender.clone(),
            ));
        }
    }

    /// The services with a step behind a gate.
    fn waiting_for(&self, gate: usize) -> Vec<ServiceName> {
        let mut services: Vec<ServiceName> = self
            .board
            .plan()
            .steps
            .iter()
            .filter(|step| step.gates.contains(&gate))
            .map(|step| step.service.clone())
            .collect();
        services.dedup();
        services
    }

    fn start_what_is_ready(&mut self) {
        for service in self.board.startable() {
            let Some(lane) = self.lanes.get_mut(&service) else {
                continue;
            };
            let (goes, receiver) = mpsc::unbounded_channel();
            lane.goes = Some(goes);
            let task = LaneTask {
                target: Arc::clone(&lane.target),
                session: lane.session.take(),
                held: lane.held.take(),
                connections: Arc::clone(&self.connections),
                engine: self.engine,
                run: Arc::clone(&self.run),
                run_again: lane.run_again.clone(),
                messages: self.sender.clone(),
                goes: receiver,
                cancelled: self.cancelled.clone(),
                halted: self.halt.subscribe(),
                wrote: false,
                anchor: None,
            };
            self.board.activate(&service);
            self.tasks.spawn(task.run());
        }
    }

    fn receive(&mut self, message: Message) {
        match message {
            Message::Happened {
                service,
                version,
                kind,
            } => match version {
                Some(version) => self.recorder.migration(&service, version, kind),
                None => self.recorder.service(&service, kind),
            },
            Message::Ready { service, cancel } => self.ready(&service, cancel),
            Message::Finished { step, result } => self.finished(step, result),
            Message::Unchanged { step } => {
                self.board.done(step);
                let service = self.board.plan().steps[step].service.clone();
                self.let_go_on(&service);
            }
            Message::Stopped { service, error } => {
                if error.exit_status() != ExitStatus::Cancelled {
                    self.service_stopped(&service, &error);
                }
            }
            Message::Released { service, anchor } => {
                if let Some(anchor) = anchor {
                    self.anchors.insert(service.clone(), anchor);
                }
                self.released(&service);
            }
            Message::GateEnded { index, end } => self.gate_ended(index, end),
        }
    }

    fn ready(&mut self, service: &ServiceName, cancel: CancelHandle) {
        let steps = self.board.step_count(service);
        if let Some(lane) = self.lanes.get_mut(service) {
            lane.cancel = Some(cancel);
            if lane
                .began
                .replace(lane.began.unwrap_or_else(Instant::now))
                .is_none()
            {
                self.recorder
                    .service(service, EventKind::ServiceStarted { steps });
            }
        }
        self.let_go_on(service);
    }

    /// Gives a service its next step, or sends it home.
    fn let_go_on(&mut self, service: &ServiceName) {
        let next = self.board.next_step(service);
        let Some(lane) = self.lanes.get_mut(service) else {
            return;
        };
        match (next, &lane.goes) {
            (Some(step), Some(goes)) => {
                let planned = &self.board.plan().steps[step];
                let go = Go {
                    step,
                    place: self.board.place(step),
                    version: planned.version,
                    direction: planned.direction,
                };
                // The task holds the receiver until it is sent home: it cannot be gone.
                let _ = goes.send(go);
            }
            _ => lane.goes = None,
        }
    }

    fn finished(&mut self, step: usize, result: Result<StepDone, Box<Failure>>) {
        let planned = &self.board.plan().steps[step];
        let (service, direction) = (planned.service.clone(), planned.direction);
        match result {
            Ok(done) => {
                self.board.done(step);
                if let Some(lane) = self.lanes.get_mut(&service) {
                    match direction {
                        Direction::Up => {
                            lane.applied += 1;
                            self.totals.applied += 1;
                        }
                        Direction::Down => {
                            lane.reverted += 1;
                            self.totals.reverted += 1;
                        }
                    }
                }
                match done {
                    StepDone::Done => self.let_go_on(&service),
                    // The next step begins with a new session.
                    StepDone::SessionSpent => self.send_home(&service),
                }
            }
            Err(failure) => {
                // Recorded before anything that waits for it could be released.
                self.board.failed(step);
                let Failure {
                    exit_code: status,
                    next,
                    ..
                } = *failure;
                match status {
                    ExitStatus::Cancelled => self.totals.cancelled += 1,
                    _ => self.totals.failed += 1,
                }
                self.fail(&service, status, Some(next));
                self.send_home(&service);
            }
        }
    }

    fn send_home(&mut self, service: &ServiceName) {
        if let Some(lane) = self.lanes.get_mut(service) {
            lane.goes = None;
        }
    }

    fn service_stopped(&mut self, service: &ServiceName, error: &ServiceError) {
        let refusal = match error {
            ServiceError::Refused(refusal) => Some(Box::new(refusal.clone())),
            _ => None,
        };
        self.board.service_failed(service);
        self.recorder.service(
            service,
            EventKind::ServiceFailed {
                message: error.chain(),
                next: error.next(),
                refusal,
                exit_code: error.exit_status(),
            },
        );
        self.fail(service, error.exit_status(), error.next());
    }

    fn fail(&mut self, service: &ServiceName, status: ExitStatus, next: Option<String>) {
        self.status = self.status.or_worse(status);
        self.next.extend(next);
        self.first_failure.get_or_insert_with(|| service.clone());
        if self.on_failure == OnFailure::Stop {
            self.stop();
        }
        if let Some(lane) = self.lanes.get_mut(service) {
            lane.outcome = Some(match status {
                ExitStatus::Refused => ServiceOutcome::Refused,
                ExitStatus::Unavailable => ServiceOutcome::Unavailable,
                ExitStatus::Cancelled => ServiceOutcome::Cancelled,
                _ => ServiceOutcome::Failed,
            });
        }
    }

    fn released(&mut self, service: &ServiceName) {
        self.board.deactivate(service);
        let complete = self.board.is_complete(service);
        if let Some(lane) = self.lanes.get_mut(service) {
            lane.goes = None;
            lane.cancel = None;
            if complete {
                lane.outcome.get_or_insert(ServiceOutcome::Done);
            }
            if lane.outcome.is_some() {
                self.service_finished(service);
            }
        }
    }

    fn service_finished(&mut self, service: &ServiceName) {
        let Some(lane) = self.lanes.get(service) else {
            return;
        };
        let Some(outcome) = lane.outcome else { return };
        self.recorder.service(
            service,
            EventKind::ServiceFinished {
                outcome,
                applied: lane.applied,
                reverted: lane.reverted,
                duration_ms: lane.began.map_or(0, |began| millis(began.elapsed())),
            },
        );
    }

    fn gate_ended(&mut self, index: usize, end: GateEnd) {
        self.gates_open -= 1;
        let gate = self.board.plan().gates[index].clone();
        let services = self.waiting_for(index);
        match end {
            GateEnd::Met(waited) => {
                self.board.gate_met(index);
                for service in services {
                    self.recorder.service(
                        &service,
                        EventKind::GateMet {
                            gate: gate.clone(),
                            waited_ms: millis(waited),
                        },
                    );
                }
            }
            GateEnd::TimedOut(missing) => {
                for service in services {
                    let command = (self.meet_gate)(&missing.service);
                    let refusal = gates::refusal(&service, &missing, &command, Some(self.wait));
                    self.gate_failed(&service, &ServiceError::Refused(refusal));
                }
            }
            GateEnd::Failed(error) => {
                for service in services {
                    self.gate_failed(&service, &error);
                }
            }
            GateEnd::Cancelled => {}
        }
    }

    /// A service that waits behind a gate is not at work: it ends here.
    fn gate_failed(&mut self, service: &ServiceName, error: &ServiceError) {
        self.service_stopped(service, error);
        self.service_finished(service);
    }

    /// Nothing new starts, and nobody waits any longer for a lock or a gate.
    fn stop(&mut self) {
        self.board.stop();
        self.halt.send_replace(1);
    }

    fn cancel(&mut self, times: u32) {
        if times == 0 {
            return;
        }
        self.stop();
        self.status = self.status.or_worse(ExitStatus::Cancelled);
        let cause = (*self.stops.cause.borrow()).unwrap_or(StopCause::Interrupt);
        let is_timed = times == 1 && cause == StopCause::Terminate && !self.stops.grace.is_zero();
        self.recorder.run(EventKind::CancelRequested {
            times,
            cause,
            cancels_in_ms: is_timed.then(|| millis(self.stops.grace)),
        });
        if times > 1 {
            self.cancel_between_steps();
        }
    }

    /// Cancels what services do on the server before and after their steps. A step sees to its own statements: a request
    /// that came late would hit what is written after it.
    fn cancel_between_steps(&mut self) {
        for (service, lane) in &self.lanes {
            let Some(handle) = lane.cancel.clone() else {
                continue;
            };
            if self.board.is_running(service) {
                continue;
            }
            self.tasks.spawn(async move {
                if let Err(error) = handle.cancel().await {
                    tracing::warn!(%error, "a statement could not be cancelled");
                }
            });
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
