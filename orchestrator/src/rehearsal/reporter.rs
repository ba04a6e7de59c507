//! Turns messages of a rehearsal into events and an exit status.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use shared::dispatch::Recorder;
use shared::domain::{
    EVENT_SCHEMA, EventKind, ExitStatus, Rehearsed, ServiceName, ServiceOutcome, StopCause, Totals,
    Verdict, Version, commented, rerun,
};
use shared::postgres::RunIdentity;
use shared::report::Reporter;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::service::Rehearsal;
use crate::scratch::ScratchError;

/// A message about a service during its rehearsal.
pub(super) enum Message {
    /// The rehearsal started, with this number of migrations.
    Started(usize),
    /// A migration is rehearsed.
    Rehearsed(Version, Rehearsed),
    /// The rehearsal of the service ended; migrations may be left out.
    Finished(Rehearsal),
    /// The service could not be rehearsed.
    Failed(ScratchError),
}

/// Sends messages with the service that they are about.
pub(super) type MessageSender = mpsc::UnboundedSender<(ServiceName, Message)>;

/// The state of a rehearsal of several services.
pub(super) struct RehearsalReporter<'a> {
    recorder: Recorder<'a>,
    started: Instant,
    status: ExitStatus,
    totals: Totals,
    next: Vec<String>,
    /// Services that are not finished.
    open: BTreeSet<ServiceName>,
    /// When each service was started.
    begun: BTreeMap<ServiceName, Instant>,
}

impl<'a> RehearsalReporter<'a> {
    pub(super) fn begin(
        reporter: &'a mut dyn Reporter,
        services: Vec<ServiceName>,
        unchanged: Vec<ServiceName>,
        steps: usize,
    ) -> Self {
        let identity = RunIdentity::of_this_process();
        let mut recorder = Recorder::new(reporter, identity.run_id);
        let open = services.iter().cloned().collect();
        recorder.run(EventKind::RunStarted {
            schema: EVENT_SCHEMA,
            command: "rehearse",
            services,
            unchanged,
            steps,
            program_version: identity.program_version,
            undoes_on_failure: false,
        });
        Self {
            recorder,
            started: Instant::now(),
            status: ExitStatus::Done,
            totals: Totals::default(),
            next: Vec::new(),
            open,
            begun: BTreeMap::new(),
        }
    }

    /// Awaits `work` and reports its messages.
    pub(super) async fn during<W: Future<Output = ()>>(
        &mut self,
        work: impl FnOnce(MessageSender) -> W,
    ) {
        let (sender, mut messages) = mpsc::unbounded_channel();
        let working = work(sender);
        tokio::pin!(working);
        loop {
            tokio::select! {
                // Messages first, so that they are reported as they arrive. The loop below drains the last ones.
                biased;
                Some((service, message)) = messages.recv() => self.receive(&service, message),
                () = &mut working => break,
            }
        }
        while let Ok((service, message)) = messages.try_recv() {
            self.receive(&service, message);
        }
    }

    fn receive(&mut self, service: &ServiceName, message: Message) {
        match message {
            Message::Started(steps) => {
                self.begun.insert(service.clone(), Instant::now());
                self.recorder
                    .service(service, EventKind::ServiceStarted { steps });
            }
            Message::Rehearsed(version, rehearsed) => self.rehearsed(service, version, rehearsed),
            Message::Finished(rehearsal) => self.finished(service, &rehearsal),
            Message::Failed(error) => self.fail(service, &error),
        }
    }

    fn rehearsed(&mut self, service: &ServiceName, version: Version, rehearsed: Rehearsed) {
        let counting = rehearsed.findings.iter().filter(|it| it.counts()).count();
        self.totals.rehearsed += 1;
        self.totals.findings += counting;
        if counting > 0 {
            self.status = self.status.or_worse(ExitStatus::Findings);
        }
        let kind = EventKind::MigrationRehearsed(Box::new(rehearsed));
        self.recorder.migration(service, version, kind);
    }

    fn finished(&mut self, service: &ServiceName, rehearsal: &Rehearsal) {
        if !rehearsal.left_out.is_empty() {
            let last = rehearsal.migrations.last();
            let because = last.map_or_else(String::new, |(version, rehearsed)| {
                format!("{version} {} does not run", rehearsed.name)
            });
            let steps = rehearsal.left_out.len();
            // Even if a directive allows the failure: a migration that was not rehearsed is never a success.
            self.status = self.status.or_worse(ExitStatus::Findings);
            self.totals.skipped += steps;
            let skipped = EventKind::ServiceSkipped { because, steps };
            self.recorder.service(service, skipped);
        }
        let mut findings = rehearsal.migrations.iter().flat_map(|(_, it)| &it.findings);
        let outcome = if findings.any(|it| it.counts()) {
            ServiceOutcome::Findings
        } else if !rehearsal.left_out.is_empty() {
            ServiceOutcome::Failed
        } else {
            ServiceOutcome::Done
        };
        self.finish(service, outcome);
    }

    /// Reports a service that could not be rehearsed.
    pub(super) fn fail(&mut self, service: &ServiceName, error: &ScratchError) {
        let status = error.exit_status();
        self.status = self.status.or_worse(status);
        let next = error.next();
        self.next
            .extend(next.as_ref().map(|next| commented(next, service)));
        let refusal = error.refusal().cloned();
        let outcome = self
            .recorder
            .service_failed(service, error.chain(), next, refusal, status);
        self.finish(service, outcome);
    }

    fn finish(&mut self, service: &ServiceName, outcome: ServiceOutcome) {
        self.open.remove(service);
        let begun = self.begun.get(service);
        let took = begun.map_or(Duration::ZERO, Instant::elapsed);
        let finished = EventKind::ServiceFinished {
            outcome,
            applied: 0,
            reverted: 0,
            duration_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        };
        self.recorder.service(service, finished);
    }

    /// Reports a cancellation by the user: unfinished services are cancelled.
    pub(super) fn cancel(&mut self) {
        self.status = ExitStatus::Cancelled;
        self.recorder.run(EventKind::CancelRequested {
            times: 1,
            cause: StopCause::Interrupt,
            cancels_in_ms: None,
        });
        for service in std::mem::take(&mut self.open) {
            self.finish(&service, ServiceOutcome::Cancelled);
        }
    }

    /// Reports the end of the rehearsal.
    pub(super) fn end(mut self) -> ExitStatus {
        if self.totals.findings > 0 {
            self.next.push(
                rerun("first fix the files, or allow what is intended with a reason: -- migration: allow RULE \"why\""),
            );
        } else if self.totals.skipped > 0 {
            self.next.push(rerun(
                "first fix the migrations that do not run: later ones were not rehearsed",
            ));
        }
        self.recorder.run(EventKind::RunFinished {
            verdict: Verdict::of(self.status, self.totals.rehearsed),
            exit_code: self.status,
            totals: self.totals.lasting(self.started.elapsed()),
            next: self.next,
            anchors: Vec::new(),
            backup: None,
        });
        self.status
    }
}
