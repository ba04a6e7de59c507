//! One operation on databases, from `run_started` to `run_finished`: numbers its events, and keeps what the last one reports.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use time::OffsetDateTime;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::Stops;
use domain::Reporter;
use domain::{
    Anchor, Diagnostic, Direction, EVENT_SCHEMA, Event, EventKind, ExitStatus, Phase, ServiceName,
    ServiceOutcome, StopCause, Totals, Verdict, Version, commented, millis,
};
use store::RunIdentity;

/// What an operation announces first.
pub struct Start {
    pub command: &'static str,
    /// The services with steps.
    pub services: Vec<ServiceName>,
    /// Selected services without steps.
    pub unchanged: Vec<ServiceName>,
    pub steps: usize,
    /// Whether it undoes what it applied when something fails.
    pub undoes_on_failure: bool,
    /// Whether the next command of a failure is commented with its service. The commands of a run name it already.
    pub labels_next: bool,
}

impl Start {
    /// A command whose only step in each service is the command itself.
    pub fn of(command: &'static str, services: Vec<ServiceName>) -> Self {
        Self {
            command,
            steps: services.len(),
            services,
            unchanged: Vec::new(),
            undoes_on_failure: false,
            labels_next: true,
        }
    }
}

/// The state of one service.
#[derive(Default)]
struct Progress {
    began: Option<Instant>,
    applied: usize,
    reverted: usize,
    is_finished: bool,
}

/// A running operation, and the only caller of its reporter.
pub struct Operation<'r> {
    reporter: &'r mut dyn Reporter,
    identity: Arc<RunIdentity>,
    stops: Stops,
    labels_next: bool,
    seq: u64,
    started: Instant,
    services: BTreeMap<ServiceName, Progress>,
    status: ExitStatus,
    /// The counts.
    pub totals: Totals,
    /// What to do next.
    pub next: Vec<String>,
    /// The ends of the journals that were written.
    pub anchors: Vec<Anchor>,
    /// The manifest of the backup that was taken.
    pub backup: Option<String>,
}

impl<'r> Operation<'r> {
    /// Begins an operation, and announces it.
    pub fn begin(reporter: &'r mut dyn Reporter, stops: Stops, start: Start) -> Self {
        let identity = RunIdentity::of_this_process();
        let services = start.services.iter();
        let mut operation = Self {
            reporter,
            stops,
            labels_next: start.labels_next,
            seq: 0,
            started: Instant::now(),
            services: services
                .map(|name| (name.clone(), Progress::default()))
                .collect(),
            status: ExitStatus::Done,
            totals: Totals::default(),
            next: Vec::new(),
            anchors: Vec::new(),
            backup: None,
            identity: Arc::new(identity),
        };
        operation.run(EventKind::RunStarted {
            schema: EVENT_SCHEMA,
            command: start.command,
            services: start.services,
            unchanged: start.unchanged,
            steps: start.steps,
            program_version: operation.identity.program_version,
            undoes_on_failure: start.undoes_on_failure,
        });
        operation
    }

    /// The identity of the run, for the journal.
    pub fn identity(&self) -> &Arc<RunIdentity> {
        &self.identity
    }

    /// The ID of the run.
    pub fn run_id(&self) -> Uuid {
        self.identity.run_id
    }

    /// The requests to stop it.
    pub fn stops(&self) -> &Stops {
        &self.stops
    }

    /// When it began.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// The exit status so far.
    pub fn status(&self) -> ExitStatus {
        self.status
    }

    /// Whether nothing has failed so far.
    pub fn is_well(&self) -> bool {
        self.status == ExitStatus::Done
    }

    /// Records an exit status, unless the one so far is worse.
    pub fn worsen(&mut self, status: ExitStatus) {
        self.status = self.status.or_worse(status);
    }

    /// Records an event of the whole operation.
    pub fn run(&mut self, kind: impl Into<EventKind>) {
        self.record(None, None, kind.into());
    }

    /// Records an event of a service.
    pub fn service(&mut self, service: &ServiceName, kind: impl Into<EventKind>) {
        self.record(Some(service.clone()), None, kind.into());
    }

    /// Records an event of a migration.
    pub fn migration(
        &mut self,
        service: &ServiceName,
        version: Version,
        kind: impl Into<EventKind>,
    ) {
        self.record(Some(service.clone()), Some(version), kind.into());
    }

    /// Starts the clock of a service, unless it runs already.
    pub fn service_begins(&mut self, service: &ServiceName) {
        let progress = self.services.entry(service.clone()).or_default();
        progress.began.get_or_insert_with(Instant::now);
    }

    /// Counts a migration that was applied or reverted.
    pub fn count(&mut self, service: &ServiceName, direction: Direction) {
        let progress = self.services.entry(service.clone()).or_default();
        let (count, total) = match direction {
            Direction::Up => (&mut progress.applied, &mut self.totals.applied),
            Direction::Down => (&mut progress.reverted, &mut self.totals.reverted),
        };
        *count += 1;
        *total += 1;
    }

    /// The number of migrations applied to a service.
    pub fn applied(&self, service: &ServiceName) -> usize {
        self.services.get(service).map_or(0, |it| it.applied)
    }

    /// Records what stopped a service outside of any step. Returns the outcome of the service.
    pub fn service_failed(
        &mut self,
        service: &ServiceName,
        diagnostic: Diagnostic,
    ) -> ServiceOutcome {
        let exit_code = diagnostic.exit_code;
        self.worsen(exit_code);
        let next = diagnostic.next.as_ref().map(|next| match self.labels_next {
            true => commented(next, service),
            false => next.clone(),
        });
        self.next.extend(next);
        self.service(service, EventKind::ServiceFailed(Box::new(diagnostic)));
        exit_code.into()
    }

    /// Records the end of a service.
    pub fn service_finished(&mut self, service: &ServiceName, outcome: ServiceOutcome) {
        let progress = self.services.entry(service.clone()).or_default();
        progress.is_finished = true;
        let kind = EventKind::ServiceFinished {
            outcome,
            applied: progress.applied,
            reverted: progress.reverted,
            duration_ms: progress.began.map_or(0, |began| millis(began.elapsed())),
        };
        self.service(service, kind);
    }

    /// Records that the user asked to stop.
    pub fn cancel_requested(&mut self, times: u32, cancels_in_ms: Option<u64>) {
        self.worsen(ExitStatus::Cancelled);
        let cause = (*self.stops.cause.borrow()).unwrap_or(StopCause::Interrupt);
        self.run(EventKind::CancelRequested {
            times,
            cause,
            cancels_in_ms,
        });
    }

    /// Records once that the user asked to stop, for work that is dropped then.
    pub fn cancelled(&mut self) {
        if self.status != ExitStatus::Cancelled {
            self.cancel_requested(1, None);
        }
    }

    /// Ends the unfinished services, because the user asked to stop.
    pub fn cancel_unfinished(&mut self) {
        self.cancelled();
        let unfinished = self.services.iter().filter(|(_, it)| !it.is_finished);
        let unfinished: Vec<ServiceName> = unfinished.map(|(name, _)| name.clone()).collect();
        for service in unfinished {
            self.service_finished(&service, ServiceOutcome::Cancelled);
        }
    }

    /// Awaits work, and records the events that it sends meanwhile.
    pub async fn during<T, W: Future<Output = T>>(&mut self, work: impl FnOnce(Events) -> W) -> T {
        let (sender, events) = mpsc::unbounded_channel();
        let working = work(Events(sender));
        let record = |operation: &mut Self, (service, kind)| operation.record(service, None, kind);
        self.receive(events, working, record).await
    }

    /// Awaits work, and receives the messages that it sends meanwhile.
    pub async fn receive<M, T>(
        &mut self,
        mut messages: mpsc::UnboundedReceiver<M>,
        work: impl Future<Output = T>,
        mut receive: impl FnMut(&mut Self, M),
    ) -> T {
        tokio::pin!(work);
        let ended = loop {
            tokio::select! {
                // Messages are received in the order in which the work sends them; what is left at its end is drained below.
                biased;
                Some(message) = messages.recv() => receive(self, message),
                ended = &mut work => break ended,
            }
        };
        while let Ok(message) = messages.try_recv() {
            receive(self, message);
        }
        ended
    }

    /// Records the end of an operation that did so many things.
    pub fn end(self, done: usize) -> ExitStatus {
        let verdict = Verdict::of(self.status, done);
        self.end_as(verdict)
    }

    /// Records the end with a verdict.
    pub fn end_as(mut self, verdict: Verdict) -> ExitStatus {
        self.next.dedup();
        self.anchors.sort_by(|a, b| a.service.cmp(&b.service));
        let finished = EventKind::RunFinished {
            verdict,
            exit_code: self.status,
            totals: self.totals.lasting(self.started.elapsed()),
            next: std::mem::take(&mut self.next),
            anchors: std::mem::take(&mut self.anchors),
            backup: self.backup.take(),
            timings: domain::timings(),
        };
        self.run(finished);
        self.status
    }

    fn record(&mut self, service: Option<ServiceName>, version: Option<Version>, kind: EventKind) {
        self.seq += 1;
        let _measured = Phase::Report.begin();
        self.reporter.report(&Event {
            run_id: self.identity.run_id,
            seq: self.seq,
            time: OffsetDateTime::now_utc(),
            service,
            version,
            kind,
        });
    }
}

/// Sends events to an operation, from any task.
#[derive(Clone)]
pub struct Events(mpsc::UnboundedSender<(Option<ServiceName>, EventKind)>);

impl Events {
    /// Sends an event of the whole operation.
    pub fn run(&self, kind: impl Into<EventKind>) {
        self.send(None, kind.into());
    }

    /// Sends an event of a service.
    pub fn service(&self, service: &ServiceName, kind: impl Into<EventKind>) {
        self.send(Some(service.clone()), kind.into());
    }

    /// Awaits the work on a service, and reports its beginning and its end.
    pub async fn within<T>(&self, service: &ServiceName, work: impl Future<Output = T>) -> T {
        let began = Instant::now();
        self.service(service, EventKind::ServiceStarted { steps: 1 });
        let done = work.await;
        let finished = EventKind::ServiceFinished {
            outcome: ServiceOutcome::Done,
            applied: 0,
            reverted: 0,
            duration_ms: millis(began.elapsed()),
        };
        self.service(service, finished);
        done
    }

    fn send(&self, service: Option<ServiceName>, kind: EventKind) {
        // Fails only after the work has ended, when the receiver is gone.
        let _ = self.0.send((service, kind));
    }
}
