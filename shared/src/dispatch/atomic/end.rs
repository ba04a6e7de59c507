//! The end of a release: reports the outcome of each service and the verdict.

use super::super::RunEnd;
use super::release::Release;
use crate::domain::{Anchor, EventKind, ExitStatus, ServiceName, ServiceOutcome, Verdict, millis};

impl Release<'_, '_> {
    pub(super) async fn finish(mut self) -> RunEnd {
        let anchors = self.release_locks().await;
        let took = millis(self.began.elapsed());
        let because = self.doomed.clone();
        for (service, steps, _) in self.board.left_over() {
            self.totals.skipped += steps;
            let because = because
                .clone()
                .unwrap_or_else(|| "the run ended".to_owned());
            self.recorder
                .service(&service, EventKind::ServiceSkipped { because, steps });
        }
        for service in std::mem::take(&mut self.order) {
            let standing = self.services.get(&service).copied().unwrap_or_default();
            let outcome = standing.outcome.unwrap_or(match &because {
                None => ServiceOutcome::Done,
                // The release was committed, but another database could not be reached.
                Some(_) if standing.applied > 0 => ServiceOutcome::Done,
                Some(_) if standing.executed > 0 => ServiceOutcome::RolledBack,
                Some(_) if self.status == ExitStatus::Cancelled => ServiceOutcome::Cancelled,
                Some(_) => ServiceOutcome::Skipped,
            });
            self.recorder.service(
                &service,
                EventKind::ServiceFinished {
                    outcome,
                    applied: standing.applied,
                    reverted: 0,
                    duration_ms: took,
                },
            );
        }
        let totals = self.totals.lasting(self.started.elapsed());
        self.next.dedup();
        self.recorder.run(EventKind::RunFinished {
            verdict: Verdict::of(self.status, totals.applied),
            exit_code: self.status,
            totals,
            next: std::mem::take(&mut self.next),
            anchors,
            backup: self.backup.take(),
        });
        RunEnd {
            status: self.status,
            totals,
        }
    }

    /// Releases all locks, and returns the last journal entries.
    async fn release_locks(&mut self) -> Vec<Anchor> {
        let mut anchors: Vec<(ServiceName, Anchor)> = Vec::new();
        for participant in std::mem::take(&mut self.idle).into_values() {
            anchors.extend(participant.release().await);
        }
        anchors.sort_by(|(a, _), (b, _)| a.cmp(b));
        anchors.into_iter().map(|(_, anchor)| anchor).collect()
    }
}
