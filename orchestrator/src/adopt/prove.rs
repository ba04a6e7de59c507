//! The proof: up to which version our migrations make the live schema.

use catalog::Snapshot;
use shared::domain::{
    Drift, Migration, Proof, Refusal, RefusalKind, SchemaDifference, Service, Version, commented,
    suggest,
};
use shared::inspect::{ServiceError, Target, inspect};
use shared::postgres::{LegacyTable, Session, read_legacy_tables};
use shared::reconcile::History;
use shared::report::units::count;

use super::candidates::{Candidate, nearest, proven};
use super::legacy::{LegacyHistory, match_rows};
use crate::drift::{
    AcceptedDrift, CohostedService, Live, differences, other_major, read_live, read_replayed,
};
use crate::scratch::{Replay, ScratchError, ScratchServers};

/// What an adoption may rest on besides the live schema.
#[derive(Clone, Debug, Default)]
pub(super) struct ProofInputs {
    /// The version that the user says the schema is that of, where there is no legacy history.
    pub baseline: Option<Version>,
    /// Differences that were reviewed.
    pub accepted: AcceptedDrift,
}

/// What the proof came to.
pub(super) enum ProofOutcome {
    /// It has a history of ours already: there is nothing to adopt.
    Present,
    /// The live schema is that of a version.
    Proven(Box<Proven>),
    /// It is that of none; what it differs in from the nearest, and whether legacy rows or the baseline vouch for that one.
    Drifted {
        version: Version,
        is_vouched: bool,
        drift: Box<Drift>,
    },
    /// It could be that of a version, and nothing says that its migrations ran.
    Unvouched(Version),
    /// With so many accepted differences it is that of a version beyond the legacy rows.
    AcceptedBeyond(Version, usize),
    /// It is that of the baseline, but for an accepted difference in this object, which a migration beyond the legacy rows
    /// changes.
    Hidden(Version, String),
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
    scratch_servers: &ScratchServers<'_>,
    target: &Target,
    inputs: &ProofInputs,
) -> Result<ProofOutcome, ScratchError> {
    let context = scratch_servers.context();
    let service = &target.service;
    let connections = context.connections();
    let inspection = inspect(&connections, target).await?;
    let Some(session) = inspection.session else {
        return Err(absent(service, target.address.database()).into());
    };
    if let Some(finding) = history_present(service, &inspection.history, inputs.baseline)? {
        return Ok(finding);
    }
    // Each session is given back before the next is opened: one connection must do.
    drop(session);
    let beside = CohostedService::beside(context, target).await?;
    let session = connections
        .session(&target.address, &target.history_table)
        .await
        .map_err(ServiceError::from)?;
    let history_tables = beside
        .iter()
        .map(|cohosted_service| cohosted_service.history_table.clone())
        .chain([target.history_table.clone()])
        .collect();
    let seen = Seen::now(&session, target, history_tables).await?;
    drop(session);
    let legacy = match_rows(service, &seen.legacy_tables)?;
    if legacy.newest().is_none() && seen.live.is_empty() {
        return Err(empty(service, target.address.database()).into());
    }
    let candidates = to_try(service, &legacy, inputs.baseline)?;
    let (candidates, scratch_version) = replay(
        scratch_servers,
        target,
        &beside,
        &seen.live,
        inputs,
        &candidates,
    )
    .await?;
    if let Some(words) = other_major(&seen.live.server_version, &scratch_version) {
        scratch_servers.warn_once(words);
    }
    Ok(judge(
        service,
        seen,
        legacy,
        &candidates,
        inputs.baseline,
        &scratch_version,
    ))
}

/// The versions that could be adopted, oldest first: those from the newest legacy row on.
fn to_try(
    service: &Service,
    legacy: &LegacyHistory,
    baseline: Option<Version>,
) -> Result<Vec<Version>, Refusal> {
    if let (Some(baseline), Some(newest)) = (baseline, legacy.newest())
        && baseline <= newest
    {
        return Err(Refusal {
            kind: RefusalKind::LegacyHistory,
            service: Some(service.name.clone()),
            message: format!(
                "there is a legacy history up to {newest}; a baseline ({baseline}) is for versions beyond it"
            ),
            next: commented(
                suggest(["adopt", service.name.as_str()]),
                "adopt it by its history",
            ),
        });
    }
    Ok(service
        .migrations
        .iter()
        .map(|migration| migration.version)
        .filter(|version| match (legacy.newest(), baseline) {
            // The rows stay a candidate: what changed since tells what an accepted difference hides.
            (Some(newest), Some(baseline)) => *version == newest || *version == baseline,
            (Some(newest), None) => *version >= newest,
            (None, Some(baseline)) => *version == baseline,
            (None, None) => true,
        })
        .collect())
}

/// Replays the migrations on a scratch database and compares after each candidate. Gives the version of its server, too.
async fn replay(
    scratch_servers: &ScratchServers<'_>,
    target: &Target,
    beside: &[CohostedService],
    live: &Live,
    inputs: &ProofInputs,
    to_try: &[Version],
) -> Result<(Vec<Candidate>, String), ScratchError> {
    let service = &target.service;
    let newest = to_try.last().copied();
    let all: Vec<&Migration> = service
        .migrations
        .iter()
        .filter(|migration| newest.is_some_and(|newest| migration.version <= newest))
        .collect();
    let replay =
        Replay::prepare(scratch_servers, service, &target.address, &live.roles, &all).await?;
    for cohosted_service in beside {
        cohosted_service.replay(&replay).await?;
    }
    let mut candidates = Vec::new();
    let mut before: Option<Snapshot> = None;
    let mut first: Option<Snapshot> = None;
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
            .map(|cohosted_service| cohosted_service.history_table.as_str())
            .chain([target.history_table.as_str()])
            .collect();
        let expected = read_replayed(&replay, &history_tables).await?;
        let changes_schema = before.as_ref() != Some(&expected);
        let first = first.get_or_insert_with(|| expected.clone());
        let mut candidate = candidate(inputs, service, migration, &expected, live);
        candidate.changes_schema = changes_schema;
        candidate.hides = candidate
            .accepted
            .iter()
            .find(|accepted| is_changed_since(first, accepted))
            .map(|accepted| format!("{} {}", accepted.kind, accepted.object));
        candidates.push(candidate);
        before = Some(expected);
    }
    let version = replay.server_version().await?;
    replay.finish().await;
    Ok((candidates, version))
}

fn candidate(
    inputs: &ProofInputs,
    service: &Service,
    migration: &Migration,
    expected: &Snapshot,
    live: &Live,
) -> Candidate {
    let found = differences(expected, live);
    let accepted = inputs
        .accepted
        .of(&service.name)
        .filter(|accepted| accepted.version == migration.version);
    let (accepted, differences) = match accepted {
        Some(drift) => drift.part(found.differences),
        None => (Vec::new(), found.differences),
    };
    Candidate {
        version: migration.version,
        changes_schema: true,
        differences,
        accepted,
        hides: None,
        column_order: found.column_order,
    }
}

/// Whether what a difference says is expected was not so in an earlier schema: then a migration since has changed it, and the
/// live schema does not show that it ran.
fn is_changed_since(earlier: &Snapshot, difference: &SchemaDifference) -> bool {
    let mut objects = earlier.objects();
    let object = objects.find(|object| {
        object.name == difference.object && object.kind.to_string() == difference.kind
    });
    if difference.facts.is_empty() {
        return object.is_some() != difference.expected.is_some();
    }
    difference.facts.iter().any(|fact| {
        let was = |value: &str| object.is_some_and(|object| object.has_fact(&fact.fact, value));
        match (&fact.expected, &fact.found) {
            (Some(expected), _) => !was(expected),
            // A privilege is one fact; of any other the migrations set no value, now and then.
            (None, Some(found)) if fact.fact == "grant" => was(found),
            (None, _) => object.is_some_and(|object| object.attribute(&fact.fact).is_some()),
        }
    })
}

fn judge(
    service: &Service,
    seen: Seen,
    legacy: LegacyHistory,
    candidates: &[Candidate],
    baseline: Option<Version>,
    scratch_version: &str,
) -> ProofOutcome {
    let name_of = |version: Version| {
        service
            .migration(version)
            .map(|migration| migration.name.clone())
            .unwrap_or_default()
    };
    // With a baseline the user vouches for it, and for nothing else.
    let vouched = baseline.or(legacy.newest());
    let candidates = match baseline {
        Some(_) => &candidates[candidates.len().saturating_sub(1)..],
        None => candidates,
    };
    if let Some(candidate) = proven(candidates, vouched) {
        if vouched.is_none() {
            return ProofOutcome::Unvouched(candidate.version);
        }
        if let Some(object) = &candidate.hides {
            return ProofOutcome::Hidden(candidate.version, object.clone());
        }
        let adopted = service
            .migrations
            .iter()
            .filter(|migration| migration.version <= candidate.version)
            .count();
        return ProofOutcome::Proven(Box::new(Proven {
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
    let mut equal = candidates.iter().filter(|it| it.differences.is_empty());
    if let Some(candidate) = equal.next_back() {
        return ProofOutcome::AcceptedBeyond(candidate.version, candidate.accepted.len());
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
    ProofOutcome::Drifted {
        version,
        is_vouched: vouched.is_none_or(|vouched| version <= vouched),
        drift: Box::new(drift),
    }
}

fn absent(service: &Service, database: &str) -> Refusal {
    Refusal {
        kind: RefusalKind::Empty,
        service: Some(service.name.clone()),
        message: format!("the database {database} does not exist: there is nothing to take over"),
        next: commented(
            suggest(["run", service.name.as_str()]),
            format!(
                "migrates it; if it has another name, configure services.{}.database",
                service.name
            ),
        ),
    }
}

fn empty(service: &Service, database: &str) -> Refusal {
    Refusal {
        kind: RefusalKind::Empty,
        service: Some(service.name.clone()),
        message: format!("the database {database} is empty: there is nothing to take over"),
        next: commented(suggest(["run", service.name.as_str()]), "migrates it"),
    }
}

/// What to do about a database that has a history of ours: nothing, so that an adoption that was interrupted is completed by
/// the same command. Refused where that history is not what the command would have made.
fn history_present(
    service: &Service,
    history: &History,
    baseline: Option<Version>,
) -> Result<Option<ProofOutcome>, Refusal> {
    let name = &service.name;
    let applied = count(history.applied.len(), "migration");
    let refusal = |message: String, next: String| Refusal {
        kind: RefusalKind::HistoryPresent,
        service: Some(name.clone()),
        message,
        next,
    };
    if let Some(interruption) = history.interrupted.first() {
        return Err(refusal(
            format!(
                "the database has a history already: {applied} applied, and {} is half done",
                interruption.version
            ),
            commented(suggest(["run", name.as_str()]), "finishes what was begun"),
        ));
    }
    if history.applied.is_empty() {
        return Ok(None);
    }
    let mut versions = history.applied.iter().map(|row| row.version);
    match baseline {
        Some(baseline) if !versions.any(|version| version == baseline) => Err(refusal(
            format!(
                "the database has a history already: {applied} applied, and the baseline {baseline} is not among them"
            ),
            commented(suggest(["status", name.as_str()]), "see what is applied"),
        )),
        _ => Ok(Some(ProofOutcome::Present)),
    }
}
