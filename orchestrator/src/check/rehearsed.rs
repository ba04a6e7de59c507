//! Rehearses the selected migrations, without events.

use domain::{ErrorEntry, Finding, Service, ServiceName, Version};
use engine::dispatch::Events;
use futures_util::{StreamExt, stream};
use schemars::JsonSchema;
use serde::Serialize;
use service_cli::command::Selected;

use super::Scope;
use super::schema_file::schema_file;
use lint::rules::{Rulebook, slugs};
use rehearsal::{
    Rehearsal, Rehearsed, Reversibility, Scope as Which, SeenLock, Work, rehearse_service,
};
use scratch::{ScratchError, ScratchServers};

/// At most this many services are rehearsed at a time: each keeps a processor busy.
const REHEARSALS: usize = 4;

/// The result of a migration's rehearsal, besides findings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Proof {
    pub service: ServiceName,
    pub version: Version,
    /// Whether the migration can be reverted.
    #[serde(flatten)]
    pub reversibility: Reversibility,
    /// The locks on relations that existed before the migration.
    pub locks: Vec<SeenLock>,
    /// What could not be checked.
    pub notes: Vec<String>,
}

/// A service whose rehearsal did not finish for a reason other than its files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Unrehearsed {
    pub service: ServiceName,
    #[serde(flatten)]
    pub error: ErrorEntry,
}

/// The results of rehearsals.
#[derive(Debug, Default)]
pub struct Rehearsals {
    pub findings: Vec<Finding>,
    /// The result of each migration.
    pub proofs: Vec<Proof>,
    /// Migrations that were not rehearsed, because an earlier one does not run.
    pub left_out: Vec<(ServiceName, Version)>,
    /// Services whose rehearsal did not finish.
    pub unrehearsed: Vec<Unrehearsed>,
}

/// Rehearses the selected migrations, several services at a time; each service with the findings in the text of its files.
pub async fn rehearsals(
    scratch_servers: &ScratchServers<'_>,
    services: &[(&Service, &[Finding])],
    selected: &Selected,
    scope: &Scope,
    rulebook: &Rulebook,
    events: &Events,
) -> Rehearsals {
    let at_a_time = REHEARSALS.min(scratch_servers.context().jobs());
    let done = stream::iter(services)
        .map(|(service, predicted)| async move {
            let rules = (rulebook, *predicted);
            let rehearsing = async {
                let rehearsals = one(scratch_servers, service, selected, scope, rules).await;
                // Migrations that do not run are reported already.
                let all_ran = rehearsals.iter().all(|it| it.as_ref().is_ok_and(ran));
                let schema = match all_ran && scope.has_schema_of(service) {
                    true => schema_file(scratch_servers, service, selected, rulebook).await,
                    false => Ok(None),
                };
                (rehearsals, schema)
            };
            (
                &service.name,
                events.within(&service.name, rehearsing).await,
            )
        })
        .buffered(at_a_time)
        .collect::<Vec<_>>()
        .await;
    let mut all = Rehearsals::default();
    for (name, (outcome, schema)) in done {
        match schema {
            Ok(finding) => all.findings.extend(finding),
            Err(error) => all.unrehearsed.push(Unrehearsed {
                service: name.clone(),
                error: ErrorEntry(error.into()),
            }),
        }
        for rehearsal in outcome {
            match rehearsal {
                Ok(rehearsal) => all.add(name, rehearsal),
                Err(error) => all.unrehearsed.push(Unrehearsed {
                    service: name.clone(),
                    error: ErrorEntry(error.into()),
                }),
            }
        }
    }
    all
}

fn ran(rehearsal: &Rehearsal) -> bool {
    let mut findings = rehearsal.migrations.iter().flat_map(|it| &it.1.findings);
    rehearsal.left_out.is_empty() && !findings.any(|it| it.rule == slugs::UP_FAILS.slug)
}

impl Rehearsals {
    fn add(&mut self, service: &ServiceName, rehearsal: Rehearsal) {
        for (version, rehearsed) in rehearsal.migrations {
            let Rehearsed {
                reversibility,
                findings,
                locks,
                notes,
                ..
            } = rehearsed;
            self.findings.extend(findings);
            self.proofs.push(Proof {
                service: service.clone(),
                version,
                reversibility,
                locks,
                notes,
            });
        }
        let left_out = rehearsal.left_out.into_iter();
        self.left_out
            .extend(left_out.map(|version| (service.clone(), version)));
    }
}

/// Consecutive migrations are rehearsed together: each group on its own scratch database, to which all earlier migrations were applied.
async fn one(
    scratch_servers: &ScratchServers<'_>,
    service: &Service,
    selected: &Selected,
    scope: &Scope,
    (rulebook, predicted): (&Rulebook, &[Finding]),
) -> Vec<Result<Rehearsal, ScratchError>> {
    let stretches = stretches(service, scope);
    if stretches.is_empty() {
        return Vec::new();
    }
    let every = match Work::of(scratch_servers, &service.name, selected, &Which::Every).await {
        Ok(Some(every)) => every,
        Ok(None) => return Vec::new(),
        Err(error) => return vec![Err(error)],
    };
    let mut rehearsals = Vec::new();
    for (applied, pending) in stretches {
        let work = Work {
            applied,
            pending,
            ..every.clone()
        };
        let rehearsal =
            rehearse_service(scratch_servers, &work, rulebook, predicted, |_, _| {}).await;
        let is_stopped = rehearsal.is_err();
        rehearsals.push(rehearsal);
        if is_stopped {
            break;
        }
    }
    rehearsals
}

/// The selected migrations in groups of consecutive versions, each with all versions before it.
fn stretches(service: &Service, scope: &Scope) -> Vec<(Vec<Version>, Vec<Version>)> {
    let versions: Vec<Version> = service.migrations.iter().map(|it| it.version).collect();
    let mut stretches: Vec<(Vec<Version>, Vec<Version>)> = Vec::new();
    let mut continues = false;
    for (index, version) in versions.iter().enumerate() {
        if !scope.has(&service.name, *version) {
            continues = false;
            continue;
        }
        match stretches.last_mut() {
            Some((_, pending)) if continues => pending.push(*version),
            _ => stretches.push((versions[..index].to_vec(), vec![*version])),
        }
        continues = true;
    }
    stretches
}
