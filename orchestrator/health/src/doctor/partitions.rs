//! Partitions with a pending detach.

use super::checks::{Database, busy};
use super::{Finding, Remedy, Repair, Severity};

pub(super) fn check(database: &Database<'_>) -> Vec<Finding> {
    let detaches = database.rows.detaches.iter();
    detaches
        .map(|detach| {
            let (parent, partition) = (&detach.parent, &detach.partition);
            let what =
                format!("DETACH PARTITION CONCURRENTLY of {partition} from {parent} is incomplete");
            if database.is_running() {
                let next = busy(database.name());
                return database.finding("pending_detach", Severity::Note, what, next, None);
            }
            if let Some(resume) = database.resume() {
                return database.finding("pending_detach", Severity::Warning, what, resume, None);
            }
            let sql = format!("ALTER TABLE {parent} DETACH PARTITION {partition} FINALIZE");
            // Asks first: FINALIZE waits for readers of the partition, and the detach may no longer be intended.
            let remedy = Remedy::asks(Repair::Locked(sql.clone()));
            database.finding("pending_detach", Severity::Warning, what, sql, Some(remedy))
        })
        .collect()
}
