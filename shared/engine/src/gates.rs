//! Gates: requirements on databases that a run does not migrate. They enforce the order between processes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::inspect::{Inspection, ServiceError, Target, inspect};
use domain::History;
use domain::{
    Direction, ExitStatus, Fleet, Gate, Migration, Refusal, RefusalKind, Service, ServiceName,
    Version, commented,
};
use pg_session::{Backoff, Connections};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The gates of one migration: its requirements on services outside the run, merged by service.
///
/// The first migration of a service in a run requires all migrations of each service in `depends_on`; every migration requires
/// what its `requires` directives name. A dependency without migrations is replaced by its own dependencies.
pub fn asked_by(
    fleet: &Fleet,
    service: &Service,
    migration: &Migration,
    first: bool,
    selected: impl Fn(&ServiceName) -> bool,
) -> Vec<Gate> {
    let mut asked: BTreeMap<&ServiceName, BTreeSet<Version>> = BTreeMap::new();
    let mut open: Vec<&ServiceName> = if first {
        service.depends_on.iter().collect()
    } else {
        Vec::new()
    };
    let mut seen = BTreeSet::new();
    while let Some(name) = open.pop() {
        let Some(dependency) = fleet.service(name) else {
            continue;
        };
        if selected(name) || !seen.insert(name) {
            continue;
        }
        if dependency.migrations.is_empty() {
            open.extend(&dependency.depends_on);
        } else {
            asked.entry(name).or_default().extend(
                dependency
                    .migrations
                    .iter()
                    .map(|migration| migration.version),
            );
        }
    }
    for requirement in &migration.script.directives.requires {
        if !selected(&requirement.service) {
            asked
                .entry(&requirement.service)
                .or_default()
                .insert(requirement.version);
        }
    }
    asked
        .into_iter()
        .map(|(name, versions)| Gate {
            service: name.clone(),
            versions: versions.into_iter().collect(),
        })
        .collect()
}

/// The part of a gate that is not met yet; `None` if it is met.
pub async fn unmet(
    connections: &Connections,
    target: &Target,
    gate: &Gate,
) -> Result<Option<Gate>, ServiceError> {
    let Inspection { history, .. } = inspect(connections, target).await?;
    Ok(unmet_in(&history, gate))
}

/// The part of a gate that a history does not meet; `None` if it is met.
pub fn unmet_in(history: &History, gate: &Gate) -> Option<Gate> {
    let applied: BTreeSet<Version> = history.applied.iter().map(|row| row.version).collect();
    let reverting: BTreeSet<Version> = history
        .interrupted
        .iter()
        .filter(|interruption| interruption.direction == Direction::Down)
        .map(|interruption| interruption.version)
        .chain(history.outstanding().map(|owed| owed.version))
        .collect();
    // If history and journal contradict each other, the gate is not met.
    let journal = history.journal.as_ref();
    let is_denied = |version: &Version| journal.is_some_and(|it| it.get(version) == Some(&false));
    let versions: Vec<Version> = gate
        .versions
        .iter()
        .copied()
        .filter(|version| {
            !applied.contains(version) || reverting.contains(version) || is_denied(version)
        })
        .collect();
    (!versions.is_empty()).then(|| Gate {
        service: gate.service.clone(),
        versions,
    })
}

/// How waiting for a gate ended.
#[derive(Debug)]
pub enum GateEnd {
    /// The gate is met, after this time.
    Met(Duration),
    /// The gate was not met in time; this part is still missing.
    TimedOut(Gate),
    /// The user cancelled.
    Cancelled,
    /// The database cannot be inspected.
    Failed(ServiceError),
}

/// Polls until the gate is met or `deadline` has passed. Holds no lock, and no connection between two checks.
pub async fn wait(
    connections: &Connections,
    target: &Target,
    gate: &Gate,
    deadline: Instant,
    mut cancelled: watch::Receiver<u32>,
) -> GateEnd {
    let started = Instant::now();
    let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    let mut has_answered = false;
    loop {
        let end = match unmet(connections, target, gate).await {
            Ok(None) => return GateEnd::Met(started.elapsed()),
            Ok(Some(missing)) => {
                has_answered = true;
                GateEnd::TimedOut(missing)
            }
            // A database that answered before is probably unavailable only temporarily: the server restarts, or the network was down.
            Err(error) if has_answered && error.exit_code() == ExitStatus::Unavailable => {
                GateEnd::Failed(error)
            }
            Err(error) => return GateEnd::Failed(error),
        };
        let Some(rest) = deadline
            .checked_duration_since(Instant::now())
            .filter(|rest| !rest.is_zero())
        else {
            return end;
        };
        tokio::select! {
            () = tokio::time::sleep(backoff.next_pause().min(rest)) => {}
            Ok(_) = cancelled.wait_for(|times| *times > 0) => return GateEnd::Cancelled,
        }
    }
}

/// The refusal for a gate that is not met.
pub fn refusal(
    service: &ServiceName,
    gate: &Gate,
    command: &str,
    waited: Option<Duration>,
) -> Refusal {
    let versions = match gate.versions.as_slice() {
        [one] => format!("migration {one}"),
        [first, .., last] => format!("{} migrations ({first} to {last})", gate.versions.len()),
        [] => "nothing".to_owned(),
    };
    let waited = waited.map_or_else(String::new, |waited| {
        format!(
            "waited {}; still ",
            humantime::format_duration(Duration::from_secs(waited.as_secs()))
        )
    });
    Refusal {
        kind: RefusalKind::Gate,
        service: Some(service.clone()),
        message: format!(
            "{waited}requires {versions} of {} to be applied first",
            gate.service
        ),
        next: commented(command, "or wait for it with --wait 10m"),
    }
}
