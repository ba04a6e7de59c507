//! Files and history that do not fit: a run is refused because of each.

use shared::domain::RefusalKind;
use shared::reconcile::reconcile;

use super::checks::Database;
use super::{Finding, Severity};

pub(super) fn check(database: &Database<'_>) -> Vec<Finding> {
    reconcile(database.service, database.history)
        .inconsistencies()
        .into_iter()
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
