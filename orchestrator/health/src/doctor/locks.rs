//! Holders of the advisory lock of a run.

use report::units::age;

use super::checks::{Database, busy};
use super::sessions::who;
use super::{Finding, Remedy, Repair, Severity};

pub(super) fn check(database: &Database<'_>) -> Vec<Finding> {
    let limit = database.idle_limit();
    let holders = database.rows.holders.iter();
    holders
        .map(|holder| {
            let what = format!("{} holds the advisory lock of a run", who(holder));
            // A live run is never idle for long between two statements: a long idle time means that its machine is gone.
            if holder.state != "idle" || holder.state_age < limit {
                let next = busy(database.name());
                return database.finding("advisory_lock", Severity::Note, what, next, None);
            }
            let sql = format!(
                "SELECT pg_catalog.pg_terminate_backend(pid, 5000) FROM pg_catalog.pg_stat_activity \
                 WHERE pid = {} AND state = 'idle' AND state_change <= pg_catalog.clock_timestamp() - interval '{limit} s'",
                holder.pid
            );
            let what = format!("{what}, and has been idle for {}", age(holder.state_age));
            let remedy = Remedy::asks(Repair::Terminate(sql.clone()));
            database.finding("advisory_lock", Severity::Warning, what, sql, Some(remedy))
        })
        .collect()
}
