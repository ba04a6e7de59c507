//! Which session holds the lock that one of our statements waits for.
//!
//! The server's error, "canceling statement due to lock timeout", does not name it, and after the error it can no longer be determined.
//! Therefore it is recorded while the statement waits.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::SessionObserver;
use super::stall::Watch;
use domain::Blocker;
use pg_address::DatabaseAddress;

/// How long a statement runs before the first check: nearly all are finished by that time.
pub(super) const MOMENT: Duration = Duration::from_secs(1);

/// The longest pause between two checks of a statement that does not wait.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// How long after the last check its blockers still explain an error.
const FRESH: Duration = Duration::from_secs(5);

/// The last blockers of one of our statements, by database.
static SEEN: Mutex<BTreeMap<String, (Instant, Vec<Blocker>)>> = Mutex::new(BTreeMap::new());

/// The holder of the lock that a statement in this database has just timed out on, as text; `None` if it was not observed.
pub fn recent_blockers(address: &DatabaseAddress) -> Option<String> {
    let seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    let (when, blockers) = seen.get(&address.database_key())?;
    (when.elapsed() < FRESH).then(|| named(blockers))
}

/// Checks repeatedly whether a session waits for a lock, and reports its holder; never returns.
pub(super) async fn name_blockers(watch: &Watch) {
    let mut named_last = Vec::new();
    let mut pause = MOMENT;
    loop {
        // Its connection is closed after each check: it may be the last free one of the server.
        let observer = SessionObserver::new(watch.handle.address.clone(), &watch.options);
        while let Some(Some(_)) = observer.lock_wait(&watch.handle).await {
            let blockers = observer.blockers(watch.handle.pid).await;
            note(&watch.handle.address, blockers, &mut named_last);
            pause = MOMENT;
            tokio::time::sleep(MOMENT).await;
        }
        drop(observer);
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// The same for the sessions of a client program with its own `application_name`; never returns.
pub(super) async fn name_blockers_of_application(
    observer: &SessionObserver,
    address: &DatabaseAddress,
    application: &str,
) {
    let mut named_last = Vec::new();
    loop {
        tokio::time::sleep(MOMENT).await;
        let blockers = observer.blockers_of_application(application).await;
        note(address, blockers, &mut named_last);
    }
}

/// Records blockers, and reports them if they differ from those reported last.
fn note(address: &DatabaseAddress, blockers: Option<Vec<Blocker>>, named_last: &mut Vec<i32>) {
    let blockers = blockers.unwrap_or_default();
    if blockers.is_empty() {
        return;
    }
    let pids: Vec<i32> = blockers.iter().map(|it| it.pid).collect();
    if pids != *named_last {
        tracing::warn!("{address}: waiting for a lock held by {}", named(&blockers));
        *named_last = pids;
    }
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    seen.insert(address.database_key(), (Instant::now(), blockers));
}

/// `pid 42 (app, psql, idle in transaction for 3m) and 2 more`.
fn named(blockers: &[Blocker]) -> String {
    let Some((first, others)) = blockers.split_first() else {
        return "another session".to_owned();
    };
    let age = Duration::from_secs(u64::try_from(first.transaction_age_s).unwrap_or_default());
    let since = format!("{} for {}", first.state, humantime::format_duration(age));
    // Names come from other programs.
    let facts: Vec<String> = [first.user.as_str(), &first.application, since.trim()]
        .iter()
        .filter(|fact| !fact.is_empty())
        .map(|fact| fact.chars().filter(|c| !c.is_control()).collect())
        .collect();
    let who = match &first.prepared {
        Some(gid) => format!("prepared transaction {}", gid.escape_debug()),
        None => format!("pid {}", first.pid),
    };
    let more = match others.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{who} ({}){more}", facts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocker(pid: i32, user: &str) -> Blocker {
        Blocker {
            pid,
            user: user.to_owned(),
            application: "psql".to_owned(),
            state: "idle in transaction".to_owned(),
            transaction_age_s: 185,
            query: "SELECT 'secret'".to_owned(),
            prepared: None,
            waits_for: Vec::new(),
        }
    }

    #[test]
    fn a_blocker_is_named_without_its_statement() {
        assert_eq!(
            named(&[blocker(42, "a\u{1b}[2Jpp"), blocker(43, "x")]),
            "pid 42 (a[2Jpp, psql, idle in transaction for 3m 5s) and 1 more"
        );
        let prepared = Blocker {
            prepared: Some("t'1".to_owned()),
            application: String::new(),
            state: "prepared transaction".to_owned(),
            ..blocker(0, "app")
        };
        assert_eq!(
            named(&[prepared]),
            "prepared transaction t\\'1 (app, prepared transaction for 3m 5s)"
        );
        assert_eq!(named(&[]), "another session");
    }
}
