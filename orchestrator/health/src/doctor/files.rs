//! Conflicts of files and history, each of which makes a run refuse.

use domain::RefusalKind;
use engine::reconcile::{Disagreement, disagreements, reconcile};

use super::checks::Database;
use super::{Finding, Severity};

pub(super) fn check(database: &Database<'_>) -> Vec<Finding> {
    // Skipped while history and journal disagree: a file may appear pending only because its row was lost.
    let disputed = disagreements(database.service, database.history)
        .iter()
        .any(Disagreement::is_contradiction);
    reconcile(database.service, database.history)
        .inconsistencies()
        .into_iter()
        .filter(|refusal| !(disputed && refusal.kind == RefusalKind::OutOfOrder))
        .map(|refusal| {
            let kind = match refusal.kind {
                RefusalKind::Divergent => "divergent",
                RefusalKind::Missing => "missing",
                _ => "out_of_order",
            };
            database.finding(kind, Severity::Error, refusal.message, refusal.next, None)
        })
        .collect()
}
