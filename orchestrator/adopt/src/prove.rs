//! Proves up to which version our migrations produce the live schema.

use catalog::Snapshot;
use domain::History;
use domain::{
    Migration, Refusal, RefusalKind, SchemaDifference, Service, Version, commented, suggest,
};
use engine::inspect::{ServiceError, Target, inspect};
use pg_session::Session;
use report::units::count;
use store::{LegacyTable, read_legacy_tables};

use super::candidates::{Candidate, nearest, proven};
use super::event::{Drift, Proof};
use super::legacy::{LegacyHistory, match_rows};
use drift::{
    AcceptedDrift, CohostedService, Live, differences, other_major, read_live, read_replayed,
};
use scratch::{Replay, ScratchError, ScratchServers};

/// The evidence for an adoption besides the live schema.
#[derive(Clone, Debug, Default)]
pub(super) struct ProofInputs {
    /// The version that the user states for a database without a legacy history.
    pub baseline: Option<Version>,
    /// Differences that were reviewed and accepted.
    pub accepted: AcceptedDrift,
}

/// The result of a proof.
pub(super) enum ProofOutcome {
    /// The database already has our history: there is nothing to adopt.
    Present,
    /// The live schema matches a version.
    Proven(Box<Proven>),
    /// The live schema matches no version. `version` is the nearest; `is_vouched` is whether a legacy row or the baseline vouches for it.
    Drifted {
        version: Version,
        is_vouched: bool,
        drift: Box<Drift>,
    },
    /// The live schema matches a version, but nothing proves that its migrations ran.
    Unvouched(Version),
    /// The live schema matches a version beyond the legacy rows, but only with this number of accepted differences.
    AcceptedBeyond(Version, usize),
    /// The live schema matches the baseline, except for an accepted difference in this object, which a migration beyond the legacy rows
    /// changes.
    Hidden(Version, String),
}

/// A database that may be adopted.
pub(super) struct Proven {
    /// The newest migration that is adopted.
    pub version: Version,
    /// The evidence, for the events.
    pub proof: Proof,
    /// The legacy rows of each migration.
    pub legacy: LegacyHistory,
    /// The observed state, which is compared again under the lock.
    pub seen: Seen,
}

/// The state of a live database when it was read.
pub(super) struct Seen {
    /// The live schema.
    pub live: Live,
    /// The tables of the legacy tool.
    pub legacy_tables: Vec<LegacyTable>,
    /// The history tables of all services in the database.
    pub history_tables: Vec<String>,
}

impl Seen {
    /// Reads the state of a live database.
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

    /// Whether the database is unchanged.
    pub(super) fn is_same(&self, later: &Self) -> bool {
        self.legacy_tables == later.legacy_tables && self.live.snapshot == later.live.snapshot
    }
}

/// Decides whether a database can be adopted, and up to which version. Writes nothing on the live server.
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
    // Each session is closed before the next is opened, so that one free connection is enough.
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
    if let Some(warning) = other_major(&seen.live.server_version, &scratch_version) {
        scratch_servers.warn_once(warning);
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

/// The versions that could be adopted, oldest first, starting at the newest legacy row.
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
                "the baseline {baseline} is not newer than the legacy history, which ends at {newest}"
            ),
            next: commented(
                suggest(["adopt", service.name.as_str()]),
                "adopts it from the legacy history",
            ),
        });
    }
    Ok(service
        .migrations
        .iter()
        .map(|migration| migration.version)
        .filter(|version| match (legacy.newest(), baseline) {
            // The newest legacy row stays a candidate: the changes since then show what an accepted difference hides.
            (Some(newest), Some(baseline)) => *version == newest || *version == baseline,
            (Some(newest), None) => *version >= newest,
            (None, Some(baseline)) => *version == baseline,
            (None, None) => true,
        })
        .collect())
}

/// Replays the migrations on a scratch database and compares after each candidate. Also returns the version of the scratch server.
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
    let mut unapplied = Vec::new();
    for migration in all {
        unapplied.push(migration);
        if !to_try.contains(&migration.version) {
            continue;
        }
        replay
            .apply(service, &target.history_table, &unapplied)
            .await?;
        unapplied.clear();
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

/// Whether the expected side of a difference did not hold in an earlier schema: then a later migration changed it, and the
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
            // Each privilege is a fact of its own. For any other fact, the migrations set no value then and now.
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
    // With a baseline, the user vouches only for that version.
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
        message: format!("the database {database} does not exist: there is nothing to adopt"),
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
        message: format!("the database {database} is empty: there is nothing to adopt"),
        next: commented(suggest(["run", service.name.as_str()]), "migrates it"),
    }
}

/// Handles a database that already has our history: nothing to do, so that the same command completes an interrupted
/// adoption. Refuses a history that the command would not have written.
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
                "the database already has a migration history: {applied} applied, and {} is half done",
                interruption.version
            ),
            commented(suggest(["run", name.as_str()]), "finishes that migration"),
        ));
    }
    if history.applied.is_empty() {
        return Ok(None);
    }
    let mut versions = history.applied.iter().map(|row| row.version);
    match baseline {
        Some(baseline) if !versions.any(|version| version == baseline) => Err(refusal(
            format!(
                "the database already has a migration history: {applied} applied, and the baseline {baseline} is not among them"
            ),
            commented(suggest(["status", name.as_str()]), "shows what is applied"),
        )),
        _ => Ok(Some(ProofOutcome::Present)),
    }
}
