//! Numbers events and passes them to the reporter.

use time::OffsetDateTime;
use uuid::Uuid;

use domain::Reporter;
use domain::{Event, EventKind, ExitStatus, Refusal, ServiceName, ServiceOutcome, Version};

/// The only caller of the reporter.
pub struct Recorder<'a> {
    reporter: &'a mut dyn Reporter,
    run_id: Uuid,
    seq: u64,
}

impl<'a> Recorder<'a> {
    /// Creates a recorder for one run.
    pub fn new(reporter: &'a mut dyn Reporter, run_id: Uuid) -> Self {
        Self {
            reporter,
            run_id,
            seq: 0,
        }
    }

    /// Records an event of the whole run.
    pub fn run(&mut self, kind: EventKind) {
        self.record(None, None, kind);
    }

    /// Records an event of a service.
    pub fn service(&mut self, service: &ServiceName, kind: EventKind) {
        self.record(Some(service.clone()), None, kind);
    }

    /// Records an event of a migration.
    pub fn migration(&mut self, service: &ServiceName, version: Version, kind: EventKind) {
        self.record(Some(service.clone()), Some(version), kind);
    }

    /// Records the error that stopped a service outside of any step. Returns the outcome of the service.
    pub fn service_failed(
        &mut self,
        service: &ServiceName,
        message: String,
        next: Option<String>,
        refusal: Option<Refusal>,
        exit_code: ExitStatus,
    ) -> ServiceOutcome {
        let kind = EventKind::ServiceFailed {
            message,
            next,
            refusal: refusal.map(Box::new),
            exit_code,
        };
        self.service(service, kind);
        match exit_code {
            ExitStatus::Refused => ServiceOutcome::Refused,
            ExitStatus::Unavailable => ServiceOutcome::Unavailable,
            _ => ServiceOutcome::Failed,
        }
    }

    fn record(&mut self, service: Option<ServiceName>, version: Option<Version>, kind: EventKind) {
        self.seq += 1;
        self.reporter.report(&Event {
            run_id: self.run_id,
            seq: self.seq,
            time: OffsetDateTime::now_utc(),
            service,
            version,
            kind,
        });
    }
}
