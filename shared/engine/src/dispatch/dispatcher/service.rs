//! The end of a service: stopped, failed or done.

use super::super::OnFailure;
use super::Dispatcher;
use crate::inspect::ServiceError;
use domain::{ExitStatus, ServiceName, ServiceOutcome};

impl Dispatcher<'_, '_> {
    pub(super) fn service_stopped(&mut self, service: &ServiceName, error: &ServiceError) {
        self.board.service_failed(service);
        self.operation.service_failed(service, error.diagnostic());
        let why = match error {
            ServiceError::Refused(refusal) => refusal.to_string(),
            other => format!("{service}: {}", other.diagnostic()),
        };
        self.fail(service, error.exit_code(), why);
    }

    pub(super) fn fail(&mut self, service: &ServiceName, status: ExitStatus, why: String) {
        self.first_failure.get_or_insert_with(|| service.clone());
        self.why.get_or_insert(why);
        if self.compensation.is_some() || self.on_failure != OnFailure::Continue {
            self.stop();
        }
        if let Some(lane) = self.lanes.get_mut(service) {
            lane.outcome = Some(status.into());
        }
    }

    pub(super) fn released(&mut self, service: &ServiceName) {
        self.board.deactivate(service);
        let complete = self.board.is_complete(service);
        let complete_as = match &self.compensation {
            Some(compensation) => compensation.outcome(service),
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
        if let Some(outcome) = self.lanes.get(service).and_then(|lane| lane.outcome) {
            self.operation.service_finished(service, outcome);
        }
    }
}
