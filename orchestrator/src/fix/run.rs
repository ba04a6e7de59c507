//! Rewrites the migrations of a service.
//!
//! Responsible for selecting the migrations to rewrite, and for proposing only proven rewrites. Not for writing
//! (`files`), nor for the output (`cli`).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use domain::{Direction, Migration, Service, ServiceName, Version};
use engine::source::{SourceError, migration_of};
use pg_address::DatabaseAddress;
use service_layout::files;

use super::files::FileChange;
use super::prove::{Before, Gain, ProofDatabase, prove};
use super::rewrite::{Left, Part, Rewrite, rewrite};
use lint::rules::{Rulebook, slugs};
use rehearsal::ObservedLocks;
use scratch::{ScratchError, ScratchServers};

/// A service whose migrations are to be rewritten.
pub struct Request<'a> {
    /// The service.
    pub service: &'a Service,
    /// The address of its live database, which may not exist.
    pub address: &'a DatabaseAddress,
    /// The history table.
    pub history_table: &'a str,
    /// The folder with `migrations` and `reverts`.
    pub folder: &'a Path,
    /// The versions applied to the live database.
    pub applied: &'a BTreeSet<Version>,
    /// The merged versions, which may be applied elsewhere.
    pub merged: &'a BTreeSet<Version>,
    /// The selected versions.
    pub wanted: &'a BTreeSet<Version>,
}

/// The outcome for a migration with statements to rewrite.
#[derive(Clone, Debug)]
pub struct Fixed {
    /// The service.
    pub service: ServiceName,
    /// The migration.
    pub version: Version,
    /// Its file.
    pub file: String,
    /// The outcome.
    pub outcome: Outcome,
    /// The statements that remain unchanged, and why.
    pub left: Vec<Left>,
}

/// The outcome for a migration with statements to rewrite.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It has a proven safe form.
    Proven {
        /// The files that change.
        changes: Vec<FileChange>,
        /// The locks that become weaker or shorter.
        gains: Vec<Gain>,
    },
    /// It must not change.
    Refused {
        /// Why.
        why: String,
    },
    /// It has a safe form that is not proven.
    NotProven {
        /// Why.
        why: String,
    },
    /// No safe form is known.
    NoForm,
}

/// Finds and proves the safe forms of a service's migrations. Writes nothing.
///
/// # Errors
/// When a scratch database fails, or the migrations do not run as they are.
pub async fn fix(
    scratch_servers: &ScratchServers<'_>,
    request: &Request<'_>,
    rulebook: &Rulebook,
) -> Result<Vec<Fixed>, ScratchError> {
    let service = request.service;
    let proof_database = ProofDatabase::prepare(
        scratch_servers,
        service,
        request.address,
        request.history_table,
    )
    .await?;
    let mut fixed = Vec::new();
    let last = request.wanted.iter().max();
    for migration in &service.migrations {
        if last.is_none_or(|last| migration.version > *last) {
            break;
        }
        if !request.wanted.contains(&migration.version) {
            proof_database.apply(service, &[migration]).await?;
            continue;
        }
        let observed = proof_database
            .take(service, migration, Direction::Up)
            .await?;
        let hazards = hazards(service, migration, &observed, rulebook);
        if hazards.is_empty() {
            continue;
        }
        let before = Before {
            burdens: observed.burdens(&migration.script),
            schema: proof_database.schema().await?,
            is_reversible: migration.revert.is_some(),
        };
        let one = Box::pin(one(scratch_servers, request, migration, &hazards, &before));
        fixed.extend(one.await?);
    }
    proof_database.clear().await;
    Ok(fixed)
}

/// Rewrites one migration, on a separate database.
async fn one(
    scratch_servers: &ScratchServers<'_>,
    request: &Request<'_>,
    migration: &Migration,
    hazards: &BTreeSet<usize>,
    before: &Before,
) -> Result<Option<Fixed>, ScratchError> {
    let report = |outcome, left| {
        Some(Fixed {
            service: request.service.name.clone(),
            version: migration.version,
            file: migration.script.path.clone(),
            outcome,
            left,
        })
    };
    if let Some(why) = refusal(request, migration) {
        return Ok(report(Outcome::Refused { why }, Vec::new()));
    }
    let Rewrite { ways, left } = match rewrite(request.service, migration, hazards) {
        Ok(rewrite) => rewrite,
        Err(why) => {
            let why = why.to_string();
            return Ok(report(Outcome::NotProven { why }, Vec::new()));
        }
    };
    let mut outcome = Outcome::NoForm;
    for parts in &ways {
        let proven = Box::pin(proven(scratch_servers, request, migration, parts, before)).await?;
        match proven {
            Ok(gains) => {
                let changes = changes(request, migration, parts);
                return Ok(report(Outcome::Proven { changes, gains }, left));
            }
            // The first split is the expected one, so its reason is reported.
            Err(why) if matches!(outcome, Outcome::NoForm) => outcome = Outcome::NotProven { why },
            Err(_) => {}
        }
    }
    Ok(report(outcome, left))
}

/// Proves one split, on a separate database. The inner error is why it is not proven.
async fn proven(
    scratch_servers: &ScratchServers<'_>,
    request: &Request<'_>,
    migration: &Migration,
    parts: &[Part],
    before: &Before,
) -> Result<Result<Vec<Gain>, String>, ScratchError> {
    let service = match with_parts(request, migration, parts) {
        Ok(service) => service,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let proof_database = ProofDatabase::prepare(
        scratch_servers,
        &service,
        request.address,
        request.history_table,
    )
    .await?;
    let earlier: Vec<&Migration> = service
        .migrations
        .iter()
        .filter(|it| it.version < migration.version)
        .collect();
    proof_database.apply(&service, &earlier).await?;
    let new: Vec<&Migration> = parts
        .iter()
        .filter_map(|part| service.migration(part.version))
        .collect();
    let proven = prove(&proof_database, &service, &new, before).await?;
    proof_database.clear().await;
    Ok(proven.map_err(|not_proven| not_proven.to_string()))
}

/// The offsets of the statements to rewrite, in bytes: those with findings that are not allowed.
fn hazards(
    service: &Service,
    migration: &Migration,
    observed: &ObservedLocks,
    rulebook: &Rulebook,
) -> BTreeSet<usize> {
    let allows = |slug: &str| {
        [Some(&migration.script), migration.revert.as_ref()]
            .into_iter()
            .flatten()
            .flat_map(|script| &script.directives.allow)
            .any(|allow| allow.rule == slug)
    };
    let statements = pg_sql::split(&migration.script.text).unwrap_or_default();
    let text = |offset: usize| {
        let statement = statements.iter().find(|it| it.offset == offset);
        statement.map_or(String::new(), |it| it.text.to_ascii_lowercase())
    };
    let mut hazards = BTreeSet::new();
    for draft in observed.drafts(&migration.script) {
        let is_work =
            draft.rule == &slugs::SCANS_UNDER_LOCK || draft.rule == &slugs::REWRITES_TABLE;
        let Some(range) = draft.range.clone().filter(|_| is_work) else {
            continue;
        };
        let finding = rulebook.finding(service, migration, draft);
        let is_allowed = finding.is_none_or(|finding| finding.allowed.is_some())
            || twins(&text(range.start)).any(allows);
        if !is_allowed {
            hazards.insert(range.start);
        }
    }
    for statement in &statements {
        if observed.blocks_at(statement.offset)
            && is_index(&statement.text.to_ascii_lowercase(), "drop")
            && !allows(slugs::INDEX_DROP_NOT_CONCURRENT.slug)
        {
            hazards.insert(statement.offset);
        }
    }
    hazards
}

/// The text rules that report the same problem: an `allow` of one of them covers it.
fn twins(text: &str) -> impl Iterator<Item = &'static str> {
    let twins = [
        (is_index(text, "create"), &slugs::INDEX_NOT_CONCURRENT),
        (text.contains("foreign key"), &slugs::FOREIGN_KEY_NOT_VALID),
        (text.contains("check"), &slugs::CONSTRAINT_NOT_VALID),
        (text.contains("foreign key"), &slugs::CONSTRAINT_NOT_VALID),
        (text.contains("not null"), &slugs::NOT_NULL_STEPS),
        (text.contains("unique"), &slugs::UNIQUE_CONSTRAINT),
        (text.contains("primary key"), &slugs::UNIQUE_CONSTRAINT),
    ];
    twins
        .into_iter()
        .filter_map(|(is_one, rule)| is_one.then_some(rule.slug))
}

/// Whether a statement creates or drops an index.
fn is_index(text: &str, verb: &str) -> bool {
    let mut words = text.split_whitespace();
    words.next() == Some(verb) && words.find(|word| *word != "unique") == Some("index")
}

/// Why a migration must not change.
fn refusal(request: &Request<'_>, migration: &Migration) -> Option<String> {
    let version = migration.version;
    if request.applied.contains(&version) {
        return Some("it is applied: put the change in a new migration".to_owned());
    }
    if request.merged.contains(&version) {
        return Some(
            "it is merged and may be applied elsewhere: put the change in a new migration"
                .to_owned(),
        );
    }
    let scripts = [
        ("migrations", Some(&migration.script)),
        ("reverts", migration.revert.as_ref()),
    ];
    scripts.into_iter().find_map(|(kind, script)| {
        let script = script?;
        let path = path(request, kind, version, &migration.name);
        match files::read_optional_text(&path) {
            Ok(Some(text)) if text == *script.text => None,
            Ok(_) => Some(format!(
                "{} differs from the embedded file: rebuild, or use --services-dir",
                path.display()
            )),
            Err(error) => Some(error.to_string()),
        }
    })
}

fn path(request: &Request<'_>, kind: &str, version: Version, name: &str) -> PathBuf {
    let file = format!("V{version}__{name}.sql");
    request.folder.join(kind).join(file)
}

/// The service with one migration replaced by new ones.
fn with_parts(
    request: &Request<'_>,
    migration: &Migration,
    parts: &[Part],
) -> Result<Service, SourceError> {
    let mut service = request.service.clone();
    service
        .migrations
        .retain(|it| it.version != migration.version);
    for part in parts {
        let path = |kind| {
            path(request, kind, part.version, &part.name)
                .display()
                .to_string()
        };
        let revert = part.revert.clone().map(|text| (path("reverts"), text));
        let script = (path("migrations"), part.up.clone());
        let new = migration_of(part.version, &part.name, script, revert)?;
        service.migrations.push(new);
    }
    service.migrations.sort_by_key(|it| it.version);
    Ok(service)
}

/// The changes of files.
fn changes(request: &Request<'_>, migration: &Migration, parts: &[Part]) -> Vec<FileChange> {
    let mut changes = Vec::new();
    for part in parts {
        let keeps_name = part.version == migration.version;
        let files = [
            ("migrations", Some(&part.up), Some(&migration.script)),
            ("reverts", part.revert.as_ref(), migration.revert.as_ref()),
        ];
        for (kind, after, before) in files {
            let before = before.filter(|_| keeps_name);
            let before = before.map(|script| script.text.to_string());
            if let Some(after) = after
                && before.as_ref() != Some(after)
            {
                changes.push(FileChange {
                    path: path(request, kind, part.version, &part.name),
                    before,
                    after: after.clone(),
                });
            }
        }
    }
    changes
}
