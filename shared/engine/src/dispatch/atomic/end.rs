//! The end of a release: reports the outcome of each service and the verdict.

use super::release::Release;
use domain::{EventKind, ExitStatus, ServiceOutcome};

impl Release<'_> {
    pub(super) async fn finish(mut self) -> ExitStatus {
        self.release_locks().await;
        let because = self.doomed.clone();
        for (service, steps, _) in self.board.left_over() {
            self.operation.totals.skipped += steps;
            let because = because
                .clone()
                .unwrap_or_else(|| "the run ended".to_owned());
            self.operation
                .service(&service, EventKind::ServiceSkipped { because, steps });
        }
        for service in std::mem::take(&mut self.order) {
            let standing = self.services.get(&service).copied().unwrap_or_default();
            let outcome = standing.outcome.unwrap_or(match &because {
                None => ServiceOutcome::Done,
                // The release was committed, but another database could not be reached.
                Some(_) if self.operation.applied(&service) > 0 => ServiceOutcome::Done,
                Some(_) if standing.executed > 0 => ServiceOutcome::RolledBack,
                Some(_) if self.operation.status() == ExitStatus::Cancelled => {
                    ServiceOutcome::Cancelled
                }
                Some(_) => ServiceOutcome::Skipped,
            });
            self.operation.service_finished(&service, outcome);
        }
        let applied = self.operation.totals.applied;
        self.operation.end(applied)
    }

    /// Releases all locks, and keeps the last journal entries.
    async fn release_locks(&mut self) {
        for participant in std::mem::take(&mut self.idle).into_values() {
            self.operation.anchors.extend(participant.release().await);
        }
    }
}
