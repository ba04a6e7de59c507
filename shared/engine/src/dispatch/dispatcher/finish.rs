//! The end of a run: the skipped services with the cause, the counts, the verdict.

use super::Dispatcher;
use domain::{EventKind, ExitStatus, ServiceOutcome, Verdict};

impl Dispatcher<'_, '_> {
    /// Reports the services that were not started, with the cause.
    pub(super) fn report_skipped(&mut self) {
        let cancelled = *self.cancelled.borrow() > 0;
        let mut left_over = self.board.left_over();
        left_over.extend(
            self.held_back
                .drain(..)
                .map(|(service, steps, culprit)| (service, steps, Some(culprit))),
        );
        for (service, steps, culprit) in left_over {
            self.operation.totals.skipped += steps;
            let failed_itself = self.lanes.get(&service).is_some_and(
                |lane| matches!(lane.outcome, Some(outcome) if outcome != ServiceOutcome::Done),
            );
            if failed_itself {
                continue;
            }
            let because = match (&culprit, &self.first_failure) {
                (Some(culprit), _) => format!("{culprit} did not get through"),
                (None, _) if cancelled => "the run was cancelled".to_owned(),
                (None, Some(first)) => {
                    format!("{first} did not get through, and nothing new is started after that")
                }
                (None, None) => "the run ended".to_owned(),
            };
            self.operation
                .service(&service, EventKind::ServiceSkipped { because, steps });
            if let Some(lane) = self.lanes.get_mut(&service) {
                lane.outcome = Some(if culprit.is_none() && cancelled {
                    ServiceOutcome::Cancelled
                } else {
                    ServiceOutcome::Skipped
                });
            }
            self.service_finished(&service);
        }
    }

    pub(super) fn finish(self) -> ExitStatus {
        if self.is_undone {
            return self.operation.end_as(Verdict::Reverted);
        }
        let totals = self.operation.totals;
        self.operation.end(totals.applied + totals.reverted)
    }
}
