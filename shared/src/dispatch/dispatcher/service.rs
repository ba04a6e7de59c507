//! The end of a service: stopped, failed or done.

use super::super::OnFailure;
use super::Dispatcher;
use crate::domain::{EventKind, ExitStatus, ServiceName, ServiceOutcome, millis};
use crate::inspect::ServiceError;

impl Dispatcher<'_, '_> {
    pub(super) fn service_stopped(&mut self, service: &ServiceName, error: &ServiceError) {
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
        let why = match error {
            ServiceError::Refused(refusal) => refusal.to_string(),
            other => format!("{service}: {}", other.chain()),
        };
        self.fail(service, error.exit_status(), error.next(), why);
    }

    pub(super) fn fail(
        &mut self,
        service: &ServiceName,
        status: ExitStatus,
        next: Option<String>,
        why: String,
    ) {
        self.status = self.status.or_worse(status);
        self.next.extend(next);
        self.first_failure.get_or_insert_with(|| service.clone());
        self.why.get_or_insert(why);
        if self.undoing.is_some() || self.on_failure != OnFailure::Continue {
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

    pub(super) fn released(&mut self, service: &ServiceName) {
        self.board.deactivate(service);
        let complete = self.board.is_complete(service);
        let complete_as = match &self.undoing {
            Some(undoing) => undoing.outcome(service),
            None => Some(ServiceOutcome::Done),
        };
        if let Some(lane) = self.lanes.get_mut(service) {
            lane.starts = None;
            lane.cancel = None;
            if complete && let Some(outcome) = complete_as {
                lane.outcome.get_or_insert(outcome);
            }
            if lane.outcome.is_some() {
                self.service_finished(service);
            }
        }
    }

    pub(super) fn service_finished(&mut self, service: &ServiceName) {
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
}
