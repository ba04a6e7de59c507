//! Files and history that do not fit: a run is refused because of each.

use shared::domain::RefusalKind;
use shared::reconcile::{Disagreement, disagreements, reconcile};

use super::checks::Database;
use super::{Finding, Severity};

pub(super) fn check(database: &Database<'_>) -> Vec<Finding> {
    // Which rows of the history are wrong is found out first: a file may be pending only because its row is lost.
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
