//! Problematic sessions: idle in a transaction, or blocked by another.

use domain::{commented, in_sql};
use pg_sql::quote_identifier;
use report::units::{age, count};

use super::checks::Database;
use super::queries::SessionRow;
use super::{Finding, Remedy, Repair, Severity};

/// Shorter waits, in seconds, are normal and not reported.
const LONG_WAIT: i64 = 1;

pub(super) fn hidden(database: &Database<'_>) -> Vec<Finding> {
    if database.rows.hidden == 0 {
        return Vec::new();
    }
    let what = format!(
        "{} of other users cannot be inspected with the privileges of {}",
        count(database.rows.hidden, "session"),
        database.address.user()
    );
    let next = format!(
        "GRANT pg_monitor, pg_signal_backend TO {}",
        quote_identifier(database.address.user())
    );
    vec![database.finding("hidden_sessions", Severity::Note, what, next, None)]
}

pub(super) fn idle(database: &Database<'_>) -> Vec<Finding> {
    let limit = database.idle_limit();
    let idle = database.rows.idle.iter();
    idle.map(|session| {
        let what = format!(
            "{} has been idle in a transaction for {} (open for {}); its last statement: {}",
            who(session),
            age(session.state_age),
            age(session.transaction_age),
            session.query
        );
        let sql = format!(
            "SELECT pg_catalog.pg_terminate_backend(pid, 5000) FROM pg_catalog.pg_stat_activity WHERE pid = {} \
             AND state LIKE 'idle in transaction%' AND state_change <= pg_catalog.clock_timestamp() - interval '{limit} s'",
            session.pid
        );
        if session.state_age < limit {
            let next = commented(
                database.orchestrator("doctor"),
                format!("no action yet; reported as a warning after {}", age(limit)),
            );
            return database.finding("idle_in_transaction", Severity::Note, what, next, None);
        }
        let remedy = Remedy::asks(Repair::Terminate(sql.clone()));
        database.finding("idle_in_transaction", Severity::Warning, what, sql, Some(remedy))
    })
    .collect()
}

pub(super) fn blocked(database: &Database<'_>) -> Vec<Finding> {
    let blocked = database.rows.blocked.iter();
    blocked
        .filter(|session| session.state_age >= LONG_WAIT)
        .map(|session| {
            let blockers: Vec<String> = session.blockers.iter().map(|&pid| blocker(pid)).collect();
            let what = format!(
                "{} has been blocked for {} by {}: {}",
                who(session),
                age(session.state_age),
                blockers.join(", "),
                session.query
            );
            let first = session.blockers.iter().find(|&&pid| pid != 0);
            let next = match first {
                Some(pid) => in_sql(
                    format!("SELECT pg_catalog.pg_cancel_backend({pid})"),
                    format!("or wait; if the session is idle in a transaction: pg_terminate_backend({pid})"),
                ),
                None => in_sql(
                    "SELECT * FROM pg_catalog.pg_prepared_xacts",
                    "commit or roll back the prepared transaction",
                ),
            };
            database.finding("blocked", Severity::Warning, what, next, None)
        })
        .collect()
}

fn blocker(pid: i32) -> String {
    match pid {
        0 => "a prepared transaction".to_owned(),
        pid => format!("pid {pid}"),
    }
}

/// The description of a session in findings.
pub(super) fn who(session: &SessionRow) -> String {
    match session.application.as_str() {
        "" => format!("pid {} (user {})", session.pid, session.user),
        application => format!("pid {} (user {}, {application})", session.pid, session.user),
    }
}
