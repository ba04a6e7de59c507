//! Reports the events of a restore.

use shared::dispatch::Recorder;
use shared::domain::{
    Anchor, Diagnostic, EVENT_SCHEMA, EventKind, ExitStatus, ServiceName, ServiceOutcome,
    StopCause, Totals, Verdict, commented,
};
use shared::postgres::RunIdentity;
use shared::report::Reporter;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::choice::Restoration;
use super::error::RestoreError;

/// Sends events from any task of the restore.
#[derive(Clone)]
pub(super) struct EventSender(mpsc::UnboundedSender<(ServiceName, EventKind)>);

impl EventSender {
    pub(super) fn service(&self, service: &ServiceName, kind: EventKind) {
        // Fails only after the work has ended, when the receiver is gone.
        let _ = self.0.send((service.clone(), kind));
    }

    pub(super) fn warn(&self, service: &ServiceName, message: String) {
        self.service(service, EventKind::RestoreWarning { message });
    }
}

/// Records the events and the outcome of a restore.
pub(super) struct RestoreReporter<'a> {
    recorder: Recorder<'a>,
    /// The client that restores.
    pub identity: RunIdentity,
    started: Instant,
    status: ExitStatus,
    restored: usize,
    failed: usize,
    skipped: usize,
    next: Vec<String>,
    /// The ends of the journals that were written.
    pub anchors: Vec<Anchor>,
}

impl<'a> RestoreReporter<'a> {
    pub(super) fn begin(
        reporter: &'a mut dyn Reporter,
        services: Vec<ServiceName>,
        steps: usize,
    ) -> Self {
        let identity = RunIdentity::of_this_process();
        let mut recorder = Recorder::new(reporter, identity.run_id);
        recorder.run(EventKind::RunStarted {
            schema: EVENT_SCHEMA,
            command: "restore",
            services,
            unchanged: Vec::new(),
            steps,
            undoes_on_failure: false,
            program_version: identity.program_version,
        });
        Self {
            recorder,
            identity,
            started: Instant::now(),
            status: ExitStatus::Done,
            restored: 0,
            failed: 0,
            skipped: 0,
            next: Vec::new(),
            anchors: Vec::new(),
        }
    }

    /// Awaits some work and reports its events meanwhile.
    pub(super) async fn during<T, W: Future<Output = T>>(
        &mut self,
        work: impl FnOnce(EventSender) -> W,
    ) -> T {
        let (sender, mut said) = mpsc::unbounded_channel();
        let working = work(EventSender(sender));
        tokio::pin!(working);
        let done = loop {
            tokio::select! {
                biased;
                Some((service, kind)) = said.recv() => self.recorder.service(&service, kind),
                done = &mut working => break done,
            }
        };
        while let Ok((service, kind)) = said.try_recv() {
            self.recorder.service(&service, kind);
        }
        done
    }

    /// Reports an event of a service.
    pub(super) fn report(&mut self, service: &ServiceName, kind: EventKind) {
        self.recorder.service(service, kind);
    }

    /// Reports an event of the whole restore.
    pub(super) fn report_for_all(&mut self, kind: EventKind) {
        self.recorder.run(kind);
    }

    /// Whether there was no failure so far.
    pub(super) fn is_well(&self) -> bool {
        self.status == ExitStatus::Done
    }

    /// Whether a database was restored already.
    pub(super) fn has_restored(&self) -> bool {
        self.restored > 0
    }

    /// Reports a failed database. A cancellation is reported once for all.
    pub(super) fn fail(&mut self, restoration: &Restoration, error: &RestoreError) {
        let status = error.exit_status();
        let is_swapped = matches!(error, RestoreError::AfterSwap(_));
        if status == ExitStatus::Cancelled && !is_swapped {
            return self.cancel(restoration);
        }
        self.restored += usize::from(is_swapped);
        self.status = self.status.or_worse(status);
        self.failed += 1;
        let next = error.next();
        let name = restoration.service();
        self.next
            .extend(next.as_ref().map(|next| commented(next, name)));
        let refusal = error.refusal().cloned();
        let outcome = self
            .recorder
            .service_failed(name, error.chain(), next, refusal, status);
        self.finish(restoration, outcome);
    }

    /// Reports a database that is skipped because of another.
    pub(super) fn skip(&mut self, restoration: &Restoration, because: &str) {
        self.skipped += 1;
        for member in &restoration.members {
            let name = &member.target.service.name;
            let because = because.to_owned();
            let skipped = EventKind::ServiceSkipped { because, steps: 1 };
            self.recorder.service(name, skipped);
        }
        self.finish(restoration, ServiceOutcome::Skipped);
    }

    /// Reports a database that is unchanged because the user cancelled.
    pub(super) fn cancel(&mut self, restoration: &Restoration) {
        if self.status != ExitStatus::Cancelled {
            self.recorder.run(EventKind::CancelRequested {
                times: 1,
                cause: StopCause::Interrupt,
                cancels_in_ms: None,
            });
        }
        self.status = ExitStatus::Cancelled;
        self.finish(restoration, ServiceOutcome::Cancelled);
    }

    /// Reports a restored database.
    pub(super) fn restored(&mut self, restoration: &Restoration) {
        self.restored += 1;
        self.finish(restoration, ServiceOutcome::Done);
    }

    /// Reports an unchanged database.
    pub(super) fn finish(&mut self, restoration: &Restoration, outcome: ServiceOutcome) {
        for member in &restoration.members {
            self.finished(&member.target.service.name, outcome);
        }
    }

    /// Reports that a service is finished.
    pub(super) fn finished(&mut self, service: &ServiceName, outcome: ServiceOutcome) {
        let duration_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.recorder.service(
            service,
            EventKind::ServiceFinished {
                outcome,
                applied: 0,
                reverted: 0,
                duration_ms,
            },
        );
    }

    /// Reports a failure of a service that has no restoration.
    pub(super) fn fail_service(&mut self, service: &ServiceName, error: &RestoreError) {
        let status = error.exit_status();
        self.status = self.status.or_worse(status);
        self.failed += 1;
        let next = error.next();
        self.next
            .extend(next.as_ref().map(|next| commented(next, service)));
        let refusal = error.refusal().cloned();
        self.recorder
            .service_failed(service, error.chain(), next, refusal, status);
        self.finished(service, ServiceOutcome::Failed);
    }

    /// Reports that the former database of a restored one is kept against the user's wish.
    pub(super) fn keep_former(&mut self, service: &ServiceName, cause: Diagnostic) {
        self.status = self.status.or_worse(cause.exit_code);
        self.failed += 1;
        let (message, next) = (cause.message, cause.next);
        self.next
            .extend(next.as_ref().map(|next| commented(next, service)));
        self.recorder
            .service_failed(service, message, next, None, cause.exit_code);
    }

    /// Adds a next command.
    pub(super) fn advise(&mut self, next: String) {
        self.next.push(next);
    }

    /// Finishes the report. `done` is the number of operations other than restores.
    pub(super) fn end(mut self, done: usize) -> ExitStatus {
        let totals = Totals {
            restored: self.restored,
            failed: self.failed,
            skipped: self.skipped,
            ..Totals::default()
        };
        self.recorder.run(EventKind::RunFinished {
            verdict: Verdict::of(self.status, self.restored + done),
            exit_code: self.status,
            totals: totals.lasting(self.started.elapsed()),
            next: self.next,
            anchors: self.anchors,
            backup: None,
        });
        self.status
    }
}
