//! Formats domain objects within a line.
//!
//! Text from a server is sanitized and truncated here.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use domain::{Blocker, Decision, Gate, HeldLock, Holder, Resolved, ServiceName, StatementProgress};

use super::tally::Migration;
use super::text::{clean, one_line};
use super::units::{age, elapsed};

/// The maximum width of another session's statement.
const QUERY: usize = 60;
/// The maximum number of blockers that are named by pid.
const PIDS: usize = 3;
/// The maximum number of relations whose locks are named.
const LOCKS: usize = 3;
/// The maximum number of services that are named.
const NAMES: usize = 12;
/// The maximum number of versions that are named.
const VERSIONS: usize = 3;

/// `1753250000000 initial_schema`.
pub(super) fn migration(migration: &Migration) -> String {
    let name = clean(&migration.name);
    match migration.version {
        Some(version) => format!("{version} {name}"),
        None => name,
    }
}

/// `policy 1753250000000, 1753250000001 and 4 more`.
pub(super) fn gate(gate: &Gate) -> String {
    let mut named: Vec<String> = gate
        .versions
        .iter()
        .take(VERSIONS)
        .map(ToString::to_string)
        .collect();
    let rest = gate.versions.len().saturating_sub(VERSIONS);
    let last = match rest {
        0 => named.pop(),
        _ => Some(format!("{rest} more")),
    };
    match (named.is_empty(), last) {
        (_, None) => gate.service.to_string(),
        (true, Some(last)) => format!("{} {last}", gate.service),
        (false, Some(last)) => format!("{} {} and {last}", gate.service, named.join(", ")),
    }
}

/// `pid 4711 (soc, orchestrator, from 10.0.0.3, connected for 12 s, idle)`.
pub(super) fn holder(holder: Option<&Holder>) -> String {
    let Some(holder) = holder else {
        return "another run".to_owned();
    };
    let mut facts = session(&holder.user, &holder.application);
    if let Some(client) = &holder.client {
        facts.push(format!("from {}", one_line(client, QUERY)));
    }
    facts.push(format!("connected for {}", age(holder.connected_s)));
    facts.push(one_line(&holder.state, QUERY));
    facts.retain(|fact| !fact.is_empty());
    format!("pid {} ({})", holder.pid, facts.join(", "))
}

/// `pid 991 (app, psql, idle in transaction for 5 min 02 s): UPDATE policies …`, or for a prepared transaction
/// `prepared transaction 'transfer' (app, for 5 min 02 s)`.
pub(super) fn blocker(blocker: &Blocker) -> String {
    let mut facts = session(&blocker.user, &blocker.application);
    let since = age(blocker.transaction_age_s);
    if blocker.prepared.is_some() {
        facts.push(format!("for {since}"));
    } else if blocker.state.is_empty() {
        facts.push(format!("in a transaction for {since}"));
    } else {
        facts.push(format!("{} for {since}", one_line(&blocker.state, QUERY)));
    }
    facts.retain(|fact| !fact.is_empty());
    let query = one_line(&blocker.query, QUERY);
    let colon = if query.is_empty() { "" } else { ": " };
    format!("{} ({}){colon}{query}", identity(blocker), facts.join(", "))
}

/// The first blocker in full, the others by pid.
pub fn blockers(blockers: &[Blocker]) -> String {
    match blockers {
        [] => "a lock".to_owned(),
        [only] => blocker(only),
        [first, others @ ..] => format!(
            "{}, and {}",
            blocker(first),
            identities(others).unwrap_or_default()
        ),
    }
}

/// `pid 991, pid 992 and 3 more`; `None` if there is none.
pub fn identities(blockers: &[Blocker]) -> Option<String> {
    let (last, others) = blockers.split_last()?;
    let named: Vec<String> = others.iter().take(PIDS).map(identity).collect();
    Some(match others.len().saturating_sub(PIDS) {
        0 if named.is_empty() => identity(last),
        0 => format!("{} and {}", named.join(", "), identity(last)),
        rest => format!("{} and {} more", named.join(", "), rest + 1),
    })
}

fn identity(blocker: &Blocker) -> String {
    match &blocker.prepared {
        Some(name) => format!("prepared transaction '{}'", one_line(name, QUERY)),
        None => format!("pid {}", blocker.pid),
    }
}

fn session(user: &str, application: &str) -> Vec<String> {
    vec![one_line(user, QUERY), one_line(application, QUERY)]
}

/// `held AccessExclusiveLock on public.policies, ShareLock on public.users and 3 more`: the strongest mode of each relation.
pub(super) fn locks(locks: &[HeldLock]) -> String {
    let mut strongest: BTreeMap<&str, &str> = BTreeMap::new();
    for lock in locks {
        let known = strongest.entry(&lock.relation).or_insert(&lock.mode);
        if strength(&lock.mode) > strength(known) {
            *known = &lock.mode;
        }
    }
    let mut held: Vec<(&str, &str)> = strongest.into_iter().collect();
    held.sort_by_key(|(relation, mode)| (Reverse(strength(mode)), *relation));
    if held.is_empty() {
        return "held no lock that others could wait for".to_owned();
    }
    let rest = held.len().saturating_sub(LOCKS);
    let named: Vec<String> = held
        .iter()
        .take(LOCKS)
        .map(|(relation, mode)| format!("{} on {}", clean(mode), one_line(relation, QUERY)))
        .collect();
    let more = if rest == 0 {
        String::new()
    } else {
        format!(" and {rest} more")
    };
    format!("held {}{more}", named.join(", "))
}

/// PostgreSQL's lock modes, weakest first.
fn strength(mode: &str) -> usize {
    let modes = [
        "AccessShareLock",
        "RowShareLock",
        "RowExclusiveLock",
        "ShareUpdateExclusiveLock",
        "ShareLock",
        "ShareRowExclusiveLock",
        "ExclusiveLock",
        "AccessExclusiveLock",
    ];
    modes
        .iter()
        .position(|known| *known == mode)
        .unwrap_or_default()
}

/// `an interrupted release was committed in auth and policy, as it had been decided`.
pub(super) fn resolved(resolved: &Resolved) -> String {
    let what = match resolved.decision {
        Decision::Commit => "committed",
        Decision::Rollback => "rolled back",
    };
    let place = match resolved.finished.as_slice() {
        [] => String::new(),
        finished => format!(" in {}", names(finished, NAMES)),
    };
    let left = match resolved.left.as_slice() {
        [] => String::new(),
        left => format!(
            "; {} could not be reached: the next run finishes it there",
            names(left, NAMES)
        ),
    };
    let id = resolved.release;
    format!("the interrupted atomic release {id} was {what}{place}{left}")
}

/// `CREATE INDEX policies_title, building index: 45 %, about 2 min left`.
pub(super) fn progress(progress: &StatementProgress) -> String {
    let mut text = one_line(&progress.statement, QUERY);
    if let Some(phase) = &progress.phase {
        text.push_str(&format!(", {}", one_line(phase, QUERY)));
    }
    if let Some(percent) = progress.percent() {
        text.push_str(&format!(": {percent} %"));
    }
    if let Some(remaining) = progress.remaining_ms {
        text.push_str(&format!(
            ", about {} left",
            elapsed(Duration::from_millis(remaining))
        ));
    }
    text
}

/// `auth, client, policy`, or `auth, client and 5 more` when there are more than `most`.
pub(super) fn names<'a>(names: impl IntoIterator<Item = &'a ServiceName>, most: usize) -> String {
    let names: Vec<&str> = names.into_iter().map(ServiceName::as_str).collect();
    if names.len() <= most {
        return names.join(", ");
    }
    let (shown, hidden) = names.split_at(most.saturating_sub(1));
    format!("{} and {} more", shown.join(", "), hidden.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Version;

    fn policy(versions: &[i64]) -> Gate {
        Gate {
            service: "policy".parse().unwrap(),
            versions: versions.iter().copied().map(Version::new).collect(),
        }
    }

    #[test]
    fn a_gate_names_three_versions_at_most() {
        assert_eq!(gate(&policy(&[1])), "policy 1");
        assert_eq!(gate(&policy(&[1, 2, 3])), "policy 1, 2 and 3");
        assert_eq!(gate(&policy(&[1, 2, 3, 4, 5])), "policy 1, 2, 3 and 2 more");
    }

    #[test]
    fn a_session_omits_unset_values() {
        let blocker = Blocker {
            pid: 991,
            user: "app".to_owned(),
            application: String::new(),
            state: "active".to_owned(),
            transaction_age_s: 7,
            query: String::new(),
            prepared: None,
            waits_for: Vec::new(),
        };
        assert_eq!(super::blocker(&blocker), "pid 991 (app, active for 7 s)");
        let prepared = Blocker {
            pid: 0,
            prepared: Some("transfer".to_owned()),
            ..blocker
        };
        let name = "prepared transaction 'transfer'";
        assert_eq!(super::blocker(&prepared), format!("{name} (app, for 7 s)"));
        let many = vec![prepared; 5];
        assert_eq!(
            blockers(&many),
            format!("{name} (app, for 7 s), and {name}, {name}, {name} and {name}")
        );
        assert_eq!(
            identities(&many),
            Some(format!("{name}, {name}, {name} and 2 more"))
        );
    }

    #[test]
    fn many_names_are_counted() {
        let all: Vec<ServiceName> = ["a", "b", "c"].map(|name| name.parse().unwrap()).into();
        assert_eq!(names(&all, 3), "a, b, c");
        assert_eq!(names(&all, 2), "a and 2 more");
    }
}
