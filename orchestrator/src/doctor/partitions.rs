//! Partitions that are neither attached nor detached.

use super::checks::{Database, busy};
use super::{Finding, Remedy, Repair, Severity};

pub(super) fn check(database: &Database<'_>) -> Vec<Finding> {
    let detaches = database.rows.detaches.iter();
    detaches
        .map(|detach| {
            let (parent, partition) = (&detach.parent, &detach.partition);
            let what = format!(
                "the detachment of partition {partition} from {parent} was begun and not finished"
            );
            if database.is_running() {
                let next = busy(database.name());
                return database.finding("pending_detach", Severity::Note, what, next, None);
            }
            if let Some(resume) = database.resume() {
                return database.finding("pending_detach", Severity::Warning, what, resume, None);
            }
            let sql = format!("ALTER TABLE {parent} DETACH PARTITION {partition} FINALIZE");
            // It waits for those who read the partition, and may not be what somebody wants any more.
            let remedy = Remedy::asks(Repair::Locked(sql.clone()));
            database.finding("pending_detach", Severity::Warning, what, sql, Some(remedy))
        })
        .collect()
}
