//! The `check --fix` command.

use std::collections::BTreeSet;

use domain::{Diagnostic, ErrorEntry, ExitStatus, ServiceName, Version};
use engine::inspect::{Target, inspect};
use engine::reconcile::reconcile;
use schemars::JsonSchema;
use serde::Serialize;
use service_cli::command::{Context, Selected, print_document, watch_signals};

use super::fix_lines::human;
use crate::check::{Scope, Unrehearsed};
use crate::fix;
use crate::fix::{FileChange, Fixed, Gain, Outcome, Request, WriteError};
use lint::rules::Rulebook;
use scratch::{ScratchError, ScratchServerChoice, ScratchServers};

/// The input of `check --fix`.
pub(super) struct Wish<'a> {
    pub(super) selected: &'a Selected,
    pub(super) rulebook: &'a Rulebook,
    pub(super) scratch_server: &'a ScratchServerChoice,
    /// The migrations in scope.
    pub(super) scope: &'a Scope,
    /// The migrations that are merged already and must not change.
    pub(super) merged: &'a BTreeSet<(ServiceName, Version)>,
    pub(super) dry_run: bool,
}

#[derive(Serialize, JsonSchema)]
pub(in crate::cli) struct Document<'a> {
    written: bool,
    migrations: Vec<Entry<'a>>,
    /// Services that could not be checked.
    failed: &'a [Unrehearsed],
}

#[derive(Serialize, JsonSchema)]
struct Entry<'a> {
    service: &'a ServiceName,
    version: Version,
    file: &'a str,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
    files: Vec<File<'a>>,
    gains: &'a [Gain],
    left: &'a [fix::Left],
}

#[derive(Serialize, JsonSchema)]
struct File<'a> {
    path: String,
    new: bool,
    text: &'a str,
}

/// Rewrites the migrations with a proven safe form, and reports the outcome of each.
pub(super) async fn fix(context: &Context, wish: &Wish<'_>) -> Result<ExitStatus, Diagnostic> {
    let scratch_servers = ScratchServers::new(context, wish.scratch_server)?;
    let names = &wish.selected.names;
    let targets = context.targets(names, wish.selected, false).await?;
    let work = async {
        let (mut fixed, mut failed) = (Vec::new(), Vec::new());
        for (name, target) in &targets {
            match of_service(&scratch_servers, target, wish).await {
                Ok(of_service) => fixed.extend(of_service),
                Err(error) => failed.push(Unrehearsed {
                    service: name.clone(),
                    error: ErrorEntry(error.into()),
                }),
            }
        }
        (fixed, failed)
    };
    let mut cancelled = watch_signals();
    let Some((fixed, failed)) = scratch_servers
        .until_cancelled(&mut cancelled, Box::pin(work))
        .await
    else {
        return Ok(ExitStatus::Cancelled);
    };
    if !wish.dry_run {
        for one in &fixed {
            fix::write(changes(one)).map_err(as_command_error)?;
        }
    }
    if context.is_human() {
        crate::cli::print(&human(&fixed, &failed, wish.dry_run, context.terminal.out))?;
    } else {
        print_document(&Document {
            written: !wish.dry_run,
            migrations: fixed.iter().map(entry).collect(),
            failed: &failed,
        })?;
    }
    let worst = status(&fixed);
    Ok(failed
        .iter()
        .fold(worst, |worst, one| worst.or_worse(one.error.0.exit_code)))
}

async fn of_service(
    scratch_servers: &ScratchServers<'_>,
    target: &Target,
    wish: &Wish<'_>,
) -> Result<Vec<Fixed>, ScratchError> {
    let context = scratch_servers.context();
    let service = &target.service;
    let history = inspect(&context.connections(), target).await?.history;
    let pending: BTreeSet<Version> = reconcile(service, &history)
        .to_apply(None)?
        .iter()
        .map(|migration| migration.version)
        .collect();
    let all: BTreeSet<Version> = service.migrations.iter().map(|it| it.version).collect();
    let wanted = all.iter().copied();
    let wanted = wanted.filter(|version| wish.scope.has(&service.name, *version));
    let wanted = wanted.collect();
    let merged = wish.merged.iter();
    let merged = merged
        .filter(|(name, _)| *name == service.name)
        .map(|(_, version)| *version)
        .collect();
    let request = Request {
        service,
        address: &target.address,
        history_table: &target.history_table,
        folder: &context.services_folder().join(service.name.as_str()),
        applied: &all.difference(&pending).copied().collect(),
        merged: &merged,
        wanted: &wanted,
    };
    fix::fix(scratch_servers, &request, wish.rulebook).await
}

/// A migration that must not change is a refusal; one that stays unsafe is a finding.
fn status(fixed: &[Fixed]) -> ExitStatus {
    fixed
        .iter()
        .fold(ExitStatus::Done, |worst, one| match &one.outcome {
            Outcome::Refused { .. } => worst.or_worse(ExitStatus::Refused),
            Outcome::Proven { .. } if one.left.is_empty() => worst,
            _ => worst.or_worse(ExitStatus::Findings),
        })
}

fn changes(fixed: &Fixed) -> &[FileChange] {
    match &fixed.outcome {
        Outcome::Proven { changes, .. } => changes,
        _ => &[],
    }
}

fn entry(fixed: &Fixed) -> Entry<'_> {
    let (outcome, why, gains): (_, Option<&str>, &[Gain]) = match &fixed.outcome {
        Outcome::Proven { gains, .. } => ("rewritten", None, gains),
        Outcome::Refused { why } => ("refused", Some(why), &[]),
        Outcome::NotProven { why } => ("not_proven", Some(why), &[]),
        Outcome::NoForm => ("no_safe_form", None, &[]),
    };
    let files = changes(fixed).iter().map(|change| File {
        path: change.path.display().to_string(),
        new: change.before.is_none(),
        text: &change.after,
    });
    Entry {
        service: &fixed.service,
        version: fixed.version,
        file: &fixed.file,
        outcome,
        why,
        files: files.collect(),
        gains,
        left: &fixed.left,
    }
}

fn as_command_error(error: WriteError) -> Diagnostic {
    match error {
        WriteError::Io { path, source } => {
            Diagnostic::failed(format!("cannot write {}", path.display()), &source)
        }
        other => Diagnostic::of(ExitStatus::Refused, &other, None),
    }
}
