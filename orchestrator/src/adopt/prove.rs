//! The proof: up to which version our migrations make the live schema.

use catalog::Snapshot;
use shared::domain::{Drift, Migration, Proof, Refusal, RefusalKind, Service, Version, suggest};
use shared::inspect::{ServiceError, Target, inspect};
use shared::postgres::{LegacyTable, Session, read_adoption, read_legacy_tables};
use shared::reconcile::History;
use shared::report::units::count;

use super::candidates::{Candidate, nearest, proven};
use super::legacy::{LegacyHistory, match_rows};
use crate::drift::{
    AcceptedDrift, Live, Resident, differences, other_major, read_live, read_replayed,
};
use crate::scratch::{Replay, ScratchError, Workshop};

/// What an adoption may rest on besides the live schema.
#[derive(Clone, Debug, Default)]
pub(super) struct Ground {
    /// The version that the user says the schema is that of, where there is no legacy history.
    pub baseline: Option<Version>,
    /// Differences that were reviewed.
    pub accepted: AcceptedDrift,
}

/// What the proof came to.
pub(super) enum Finding {
    /// The live schema is that of a version.
    Proven(Box<Proven>),
    /// It is that of none; what it differs in from the nearest.
    Drifted(Version, Box<Drift>),
    /// It could be that of a version, and nobody says that its migrations ran.
    Unvouched(Version),
}

/// A database that may be adopted.
pub(super) struct Proven {
    /// The newest migration that is adopted.
    pub version: Version,
    /// What the proof rests on, for the events.
    pub proof: Proof,
    /// Which legacy rows each migration stands for.
    pub legacy: LegacyHistory,
    /// What was found, to be found again under the lock.
    pub seen: Seen,
}

/// What a live database held when it was looked at.
pub(super) struct Seen {
    /// Its schema.
    pub live: Live,
    /// The former tool's tables.
    pub legacy_tables: Vec<LegacyTable>,
    /// The history tables of all services in the database.
    pub history_tables: Vec<String>,
}

impl Seen {
    /// Looks at a live database.
    pub(super) async fn now(
        session: &Session,
        target: &Target,
        history_tables: Vec<String>,
    ) -> Result<Self, ServiceError> {
        let legacy_tables = read_legacy_tables(session, target.legacy_table.as_deref())
            .await
            .map_err(|source| ServiceError::query(&target.address, source))?;
        let names: Vec<&str> = history_tables.iter().map(String::as_str).collect();
        let live = read_live(session, target, &names, &legacy_tables).await?;
        Ok(Self {
            live,
            legacy_tables,
            history_tables,
        })
    }

    /// Whether the database still holds the same.
    pub(super) fn is_same(&self, later: &Self) -> bool {
        self.legacy_tables == later.legacy_tables && self.live.snapshot == later.live.snapshot
    }
}

/// Finds out whether a database may be adopted, and up to which version. Writes nothing on the live server.
pub(super) async fn prove(
    workshop: &Workshop<'_>,
    target: &Target,
    ground: &Ground,
) -> Result<Finding, ScratchError> {
    let context = workshop.context();
    let service = &target.service;
    let connections = context.connections();
    let inspection = inspect(&connections, target).await?;
    let Some(session) = inspection.session else {
        return Err(absent(service, target.address.database()).into());
    };
    if !inspection.history.applied.is_empty() || !inspection.history.interrupted.is_empty() {
        return Err(history_present(target, &session, &inspection.history)
            .await?
            .into());
    }
    // Each session is given back before the next is opened: one connection must do.
    drop(session);
    let beside = Resident::beside(context, target).await?;
    let session = connections
        .session(&target.address, &target.history_table)
        .await
        .map_err(ServiceError::from)?;
    let history_tables = beside
        .iter()
        .map(|resident| resident.history_table.clone())
        .chain([target.history_table.clone()])
        .collect();
    let seen = Seen::now(&session, target, history_tables).await?;
    drop(session);
    let legacy = match_rows(service, &seen.legacy_tables)?;
    if legacy.newest().is_none() && seen.live.is_empty() {
        return Err(empty(service, target.address.database()).into());
    }
    let candidates = to_try(service, &legacy, ground.baseline)?;
    let (candidates, scratch_version) =
        replay(workshop, target, &beside, &seen.live, ground, &candidates).await?;
    if let Some(words) = other_major(&seen.live.server_version, &scratch_version) {
        workshop.warn_once(words);
    }
    Ok(judge(
        service,
        seen,
        legacy,
        &candidates,
        ground.baseline,
        &scratch_version,
    ))
}

/// The versions that could be adopted, oldest first: those from the newest legacy row on.
fn to_try(
    service: &Service,
    legacy: &LegacyHistory,
    baseline: Option<Version>,
) -> Result<Vec<Version>, Refusal> {
    if let (Some(baseline), Some(newest)) = (baseline, legacy.newest()) {
        return Err(Refusal {
            kind: RefusalKind::LegacyHistory,
            service: Some(service.name.clone()),
            message: format!(
                "there is a legacy history up to {newest}; a baseline ({baseline}) is for a database without any"
            ),
            next: format!(
                "adopt it by its history: {}",
                suggest(["adopt", service.name.as_str()])
            ),
        });
    }
    Ok(service
        .migrations
        .iter()
        .map(|migration| migration.version)
        .filter(|version| legacy.newest().is_none_or(|newest| *version >= newest))
        .filter(|version| baseline.is_none_or(|baseline| *version == baseline))
        .collect())
}

/// Replays the migrations on a scratch database and compares after each candidate. Gives the version of its server, too.
async fn replay(
    workshop: &Workshop<'_>,
    target: &Target,
    beside: &[Resident],
    live: &Live,
    ground: &Ground,
    to_try: &[Version],
) -> Result<(Vec<Candidate>, String), ScratchError> {
    let service = &target.service;
    let newest = to_try.last().copied();
    let all: Vec<&Migration> = service
        .migrations
        .iter()
        .filter(|migration| newest.is_some_and(|newest| migration.version <= newest))
        .collect();
    let replay = Replay::prepare(workshop, service, &target.address, &live.roles, &all).await?;
    for resident in beside {
        resident.replay(&replay).await?;
    }
    let mut candidates = Vec::new();
    let mut before: Option<Snapshot> = None;
    let mut waiting = Vec::new();
    for migration in all {
        waiting.push(migration);
        if !to_try.contains(&migration.version) {
            continue;
        }
        replay
            .apply(service, &target.history_table, &waiting)
            .await?;
        waiting.clear();
        let history_tables: Vec<&str> = beside
            .iter()
            .map(|resident| resident.history_table.as_str())
            .chain([target.history_table.as_str()])
            .collect();
        let expected = read_replayed(&replay, &history_tables).await?;
        let changes_schema = before.as_ref() != Some(&expected);
        candidates.push(candidate(
            ground,
            service,
            migration,
            &expected,
            live,
            changes_schema,
        ));
        before = Some(expected);
    }
    let version = replay.server_version().await?;
    replay.finish().await;
    Ok((candidates, version))
}

fn candidate(
    ground: &Ground,
    service: &Service,
    migration: &Migration,
    expected: &Snapshot,
    live: &Live,
    changes_schema: bool,
) -> Candidate {
    let found = differences(expected, live);
    let accepted = ground
        .accepted
        .of(&service.name)
        .filter(|accepted| accepted.version == migration.version);
    let (accepted, differences) = match accepted {
        Some(drift) => drift.part(found.differences),
        None => (Vec::new(), found.differences),
    };
    Candidate {
        version: migration.version,
        changes_schema,
        differences,
        accepted,
        column_order: found.column_order,
    }
}

fn judge(
    service: &Service,
    seen: Seen,
    legacy: LegacyHistory,
    candidates: &[Candidate],
    baseline: Option<Version>,
    scratch_version: &str,
) -> Finding {
    let name_of = |version: Version| {
        service
            .migration(version)
            .map(|migration| migration.name.clone())
            .unwrap_or_default()
    };
    // With a baseline the user vouches for it.
    let vouched = legacy.newest().or(baseline);
    if let Some(candidate) = proven(candidates, vouched) {
        if vouched.is_none() {
            return Finding::Unvouched(candidate.version);
        }
        let adopted = service
            .migrations
            .iter()
            .filter(|migration| migration.version <= candidate.version)
            .count();
        return Finding::Proven(Box::new(Proven {
            version: candidate.version,
            proof: Proof {
                name: name_of(candidate.version),
                adopted,
                pending: service.migrations.len() - adopted,
                legacy_rows: legacy.rows(),
                accepted: candidate.accepted.clone(),
                column_order: candidate.column_order.clone(),
                server_version: seen.live.server_version.clone(),
                scratch_server_version: scratch_version.to_owned(),
            },
            legacy,
            seen,
        }));
    }
    let nearest = nearest(candidates);
    let version = nearest.map_or(Version::new(0), |candidate| candidate.version);
    let drift = Drift {
        name: name_of(version),
        differences: nearest.map(|it| it.differences.clone()).unwrap_or_default(),
        column_order: nearest
            .map(|it| it.column_order.clone())
            .unwrap_or_default(),
        server_version: seen.live.server_version,
        scratch_server_version: scratch_version.to_owned(),
    };
    Finding::Drifted(version, Box::new(drift))
}

fn absent(service: &Service, database: &str) -> Refusal {
    Refusal {
        kind: RefusalKind::Empty,
        service: Some(service.name.clone()),
        message: format!("the database {database} does not exist: there is nothing to take over"),
        next: format!(
            "if it has another name, say so in the configuration (services.{}.database); else migrate it: {}",
            service.name,
            suggest(["run", service.name.as_str()])
        ),
    }
}

fn empty(service: &Service, database: &str) -> Refusal {
    Refusal {
        kind: RefusalKind::Empty,
        service: Some(service.name.clone()),
        message: format!("the database {database} is empty: there is nothing to take over"),
        next: format!("migrate it: {}", suggest(["run", service.name.as_str()])),
    }
}

async fn history_present(
    target: &Target,
    session: &Session,
    history: &History,
) -> Result<Refusal, ServiceError> {
    let name = &target.service.name;
    let applied = history.applied.len();
    let state = read_adoption(session, name)
        .await
        .map_err(|source| ServiceError::query(&target.address, source))?;
    let (message, next) = if !state.adopted.is_empty() && state.adopted.len() == applied {
        (
            format!(
                "it is adopted already: {} applied",
                count(applied, "migration")
            ),
            format!(
                "apply what is pending, or take the adoption back with `adopt --undo`: {}",
                suggest(["run", name.as_str()])
            ),
        )
    } else if let Some(interruption) = history.interrupted.first() {
        (
            format!(
                "it has a history of ours already: {} applied, and {} is half done",
                count(applied, "migration"),
                interruption.version
            ),
            format!("finish what was begun: {}", suggest(["run", name.as_str()])),
        )
    } else {
        (
            format!(
                "it has a history of ours already: {} applied",
                count(applied, "migration")
            ),
            format!(
                "nothing is to be adopted: {}",
                suggest(["status", name.as_str()])
            ),
        )
    };
    Ok(Refusal {
        kind: RefusalKind::HistoryPresent,
        service: Some(name.clone()),
        message,
        next,
    })
}
