//! A restore as it is told.

use shared::dispatch::Recorder;
use shared::domain::{
    Anchor, EVENT_SCHEMA, EventKind, ExitStatus, ServiceName, ServiceOutcome, StopCause, Totals,
    Verdict, commented,
};
use shared::postgres::RunIdentity;
use shared::report::Reporter;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::choice::Restoration;
use super::error::RestoreError;

/// Says what happens, from wherever the work is done.
#[derive(Clone)]
pub(super) struct Say(mpsc::UnboundedSender<(ServiceName, EventKind)>);

impl Say {
    pub(super) fn service(&self, service: &ServiceName, kind: EventKind) {
        // Heard for as long as there is work.
        let _ = self.0.send((service.clone(), kind));
    }

    pub(super) fn warn(&self, service: &ServiceName, message: String) {
        self.service(service, EventKind::RestoreWarning { message });
    }
}

/// What has happened so far, and what it comes to.
pub(super) struct RestoreReporter<'a> {
    recorder: Recorder<'a>,
    /// Who restores.
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

    /// Does some work, and tells what it says meanwhile.
    pub(super) async fn during<T, W: Future<Output = T>>(
        &mut self,
        work: impl FnOnce(Say) -> W,
    ) -> T {
        let (sender, mut said) = mpsc::unbounded_channel();
        let working = work(Say(sender));
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

    /// Tells something about a service.
    pub(super) fn tell(&mut self, service: &ServiceName, kind: EventKind) {
        self.recorder.service(service, kind);
    }

    /// Tells something about the databases together.
    pub(super) fn tell_of_all(&mut self, kind: EventKind) {
        self.recorder.run(kind);
    }

    /// Whether nothing has gone wrong so far.
    pub(super) fn is_well(&self) -> bool {
        self.status == ExitStatus::Done
    }

    /// Whether any database is restored by now.
    pub(super) fn has_restored(&self) -> bool {
        self.restored > 0
    }

    /// A database that is not restored, and why. A cancellation is told once, for all.
    pub(super) fn fail(&mut self, restoration: &Restoration, error: &RestoreError) {
        let status = error.exit_status();
        if status == ExitStatus::Cancelled {
            return self.cancel(restoration);
        }
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

    /// A database that stays as it is because of another.
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

    /// A database that stays as it is because the user cancelled.
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

    /// A database that is restored.
    pub(super) fn restored(&mut self, restoration: &Restoration) {
        self.restored += 1;
        self.finish(restoration, ServiceOutcome::Done);
    }

    /// A database that nothing was done to.
    pub(super) fn finish(&mut self, restoration: &Restoration, outcome: ServiceOutcome) {
        for member in &restoration.members {
            self.finished(&member.target.service.name, outcome);
        }
    }

    /// A service that is through.
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

    /// What is wrong with a service, where there is no restoration of it.
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

    /// What to do next.
    pub(super) fn advise(&mut self, next: String) {
        self.next.push(next);
    }

    /// The last word. `done`: how much was done other than restoring.
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
