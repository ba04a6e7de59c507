//! Rewrites the migrations of a service.
//!
//! Responsible for selecting the migrations to rewrite, and for proposing only proven rewrites. Not for writing
//! (`files`), nor for the output (`cli`).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use domain::{Direction, Finding, Migration, Service, ServiceName, Version};
use engine::source::{SourceError, migration_of};
use pg_address::DatabaseAddress;
use pg_sql::Lines;
use service_layout::files;
use time::OffsetDateTime;

use super::files::FileChange;
use super::prove::{Before, Gain, ProofDatabase, prove};
use super::rewrite::{Left, Part, Rewrite, rewrite};
use lint::rules::{Rulebook, slugs};
use lint::{lint, overlap};
use rehearsal::ObservedLocks;
use scratch::{ScratchError, ScratchServers};

/// A service whose migrations are to be rewritten.
pub struct Request<'a> {
    pub service: &'a Service,
    /// The address of its live database, which may not exist.
    pub address: &'a DatabaseAddress,
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
    pub service: ServiceName,
    /// The migration.
    pub version: Version,
    pub file: String,
    pub outcome: Outcome,
    /// The statements that remain unchanged, and why.
    pub left: Vec<Left>,
}

/// The outcome for a migration with statements to rewrite.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It has a proven safe form.
    Proven {
        changes: Vec<FileChange>,
        /// The locks that become weaker or shorter.
        gains: Vec<Gain>,
    },
    /// It must not change.
    Refused { why: String },
    /// It has a safe form that is not proven.
    NotProven { why: String },
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
    let is_wanted = |version| request.wanted.contains(&version);
    let text = lint(
        service,
        rulebook,
        OffsetDateTime::now_utc(),
        is_wanted,
        is_wanted,
    );
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
        let version = Some(migration.version);
        let text: Vec<Finding> = text
            .iter()
            .filter(|it| it.version == version)
            .cloned()
            .collect();
        let hazards = hazards(service, migration, &observed, rulebook, &text);
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

/// The offsets of the statements to rewrite, in bytes: those with findings that are not allowed. `text` are the findings in the
/// text of the file.
fn hazards(
    service: &Service,
    migration: &Migration,
    observed: &ObservedLocks,
    rulebook: &Rulebook,
    text: &[Finding],
) -> BTreeSet<usize> {
    let script = &migration.script;
    let mut drafts = observed.drafts(script);
    drafts.retain(|it| it.rule == &slugs::SCANS_UNDER_LOCK || it.rule == &slugs::REWRITES_TABLE);
    let mut findings = rulebook.findings(service, migration, drafts);
    for seen in &mut findings {
        overlap(text, seen);
    }
    let is_drop = |it: &&Finding| it.rule == slugs::INDEX_DROP_NOT_CONCURRENT.slug;
    let drops = text.iter().filter(is_drop).cloned();
    findings.extend(drops.filter(|it| it.file == script.path));
    findings.retain(|finding| finding.allowed.is_none());
    let lines = Lines::of(&script.text);
    let statements = pg_sql::split(&script.text).unwrap_or_default();
    let offsets = statements.iter().map(|statement| statement.offset);
    offsets
        .filter(|offset| {
            let start = lines.position_at(*offset);
            let mut here = findings.iter().filter(|finding| {
                let place = finding.place;
                place.is_some_and(|it| (it.line, it.column) == (start.line, start.column))
            });
            here.any(|finding| !is_drop(&finding) || observed.blocks_at(*offset))
        })
        .collect()
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
