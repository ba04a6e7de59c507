//! The `check` command.

pub(super) mod fix;
mod fix_lines;
mod lines;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use clap::ValueEnum;
use domain::{Diagnostic, ExitStatus, Finding, Service};
use service_cli::command::{Context, Selected, print_document, print_exact, select, watch_signals};
use time::OffsetDateTime;

use self::fix::{Wish, fix};
use super::drift::ScratchArgs;
use super::progress::with_progress;
use crate::check::{
    Paths, Rehearsals, Report, Scope, annotations, combine, job_summary, merged, rehearsals, sarif,
};
use crate::git::{Changes, GitError};
pub(super) use lines::block;
use lines::human;
use lint::rules::{Rule, Rulebook, is_proven, is_textual, slugs};
use lint::{allows, lint};
use rehearsal::Reversibility;
use scratch::ScratchServers;

/// The variable with the path of GitHub's job summary.
const JOB_SUMMARY: &str = "GITHUB_STEP_SUMMARY";

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  orchestrator check
  orchestrator check policy --output json
  orchestrator check --changed-since origin/main
  orchestrator check --changed-since origin/main --format github
  orchestrator check policy --fix --dry-run

Checks migrations and reverts against the rules in docs/rules: their text, and a rehearsal of up, down, and up again on a scratch
database. To break a rule on purpose, add to the migration or to its revert: -- migration: allow <rule> \"why\". The severity of
each rule is configured in [check.rules]. The exit code is 4 when there are errors that are not allowed; warnings do not affect it.

--fix rewrites pending migrations, split into several files where one transaction is not enough. It proves on scratch databases that
the result reaches the same schema with weaker or shorter locks, and that its reverts undo it. Without proof nothing is written.")]
pub(super) struct Args {
    /// Names of services [default: all]
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
    /// Check only migrations added or edited since this branch left REV; also report edits of merged ones
    #[arg(long, value_name = "REV")]
    changed_since: Option<String>,
    /// Check only the files, without running them on a scratch database
    #[arg(long)]
    no_rehearsal: bool,
    /// Human-readable, GitHub workflow commands with a job summary, or SARIF 2.1.0
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
    /// Rewrite pending migrations to a safe form that is proven to reach the same schema with less locking
    #[arg(long, conflicts_with_all = ["no_rehearsal", "format"])]
    fix: bool,
    /// Show what --fix would write, without writing it
    #[arg(long, requires = "fix")]
    dry_run: bool,
    #[command(flatten)]
    scratch: ScratchArgs,
}

/// The format of a report, besides `--output json`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    #[default]
    Human,
    Github,
    Sarif,
}

pub(super) async fn check(context: &Context, args: &Args) -> Result<ExitStatus, Diagnostic> {
    if args.format != Format::Human && !context.is_human() {
        super::refuse_json(&context.globals, "--format")?;
    }
    let rulebook = Rulebook::of(&context.configuration)?;
    let selected = select(&context.fleet, &super::or_all(&args.services), false)?;
    let services: Vec<&Service> = selected
        .names
        .iter()
        .filter_map(|name| context.fleet.service(name))
        .collect();
    let paths = paths(context);
    let (scope, mut findings) = match &args.changed_since {
        Some(revision) => against(revision, context, &services, &selected, &rulebook, &paths)?,
        None => (Scope::everything(), Vec::new()),
    };
    if args.fix {
        return fix_in(context, args, &selected, &rulebook, &scope, &findings).await;
    }
    let now = OffsetDateTime::now_utc();
    let texts: Vec<Vec<Finding>> = services
        .iter()
        .map(|service| {
            let is_new = |version| scope.is_new(&service.name, version);
            let is_asked = |version| scope.has(&service.name, version);
            lint(service, &rulebook, now, is_new, is_asked)
        })
        .collect();
    let rehearsals = if args.no_rehearsal {
        Rehearsals::default()
    } else {
        let scratch_servers = ScratchServers::new(context, &args.scratch.scratch_server)?;
        let mut cancelled = watch_signals();
        let names = services
            .iter()
            .map(|service| service.name.clone())
            .collect();
        let texts = texts.iter().map(Vec::as_slice);
        let predicted: Vec<(&Service, &[Finding])> = services.iter().copied().zip(texts).collect();
        let (servers, services, selected) = (&scratch_servers, &predicted, &selected);
        let (scope, rulebook) = (&scope, &rulebook);
        let rehearsals =
            with_progress(context, ("check", "checking"), names, |events| async move {
                rehearsals(servers, services, selected, scope, rulebook, &events).await
            });
        match scratch_servers
            .until_cancelled(&mut cancelled, rehearsals)
            .await
        {
            Some(rehearsals) => rehearsals,
            None => return Ok(ExitStatus::Cancelled),
        }
    };
    for (service, text) in services.iter().zip(texts) {
        findings.extend(of_service(service, &rulebook, text, &rehearsals, &scope));
    }
    let migrations = services.iter().map(|service| scope.count(service)).sum();
    let report = Report::new(services.len(), migrations, findings, rehearsals);
    show(context, args, &report, &services, &rulebook, &scope, &paths)?;
    Ok(report.exit_status())
}

/// The findings for the selected migrations of one service.
fn of_service(
    service: &Service,
    rulebook: &Rulebook,
    text: Vec<Finding>,
    rehearsals: &Rehearsals,
    scope: &Scope,
) -> Vec<Finding> {
    let seen: Vec<Finding> = rehearsals
        .findings
        .iter()
        .filter(|finding| finding.service == service.name)
        .cloned()
        .collect();
    let is_rehearsed = |version| {
        rehearsals.proofs.iter().any(|proof| {
            proof.service == service.name
                && proof.version == version
                && proof.reversibility != Reversibility::Unknown
        })
    };
    let is_asked =
        |version, rule: &Rule| is_textual(rule) || (is_proven(rule) && is_rehearsed(version));
    let raw = [text.as_slice(), &seen].concat();
    let allows = allows(service, rulebook, &raw, is_asked);
    let mut findings = combine(service, text, seen, &rehearsals.proofs);
    findings.extend(allows);
    findings.retain(|finding| scope.has_finding(finding));
    findings
}

/// Rewrites the migrations in scope, except merged ones.
async fn fix_in(
    context: &Context,
    args: &Args,
    selected: &Selected,
    rulebook: &Rulebook,
    scope: &Scope,
    findings: &[Finding],
) -> Result<ExitStatus, Diagnostic> {
    let merged: BTreeSet<_> = findings
        .iter()
        .filter(|finding| finding.rule == slugs::MERGED_MIGRATION_EDITED.slug)
        .filter_map(|finding| Some((finding.service.clone(), finding.version?)))
        .collect();
    let wish = Wish {
        selected,
        rulebook,
        scratch_server: &args.scratch.scratch_server,
        scope,
        merged: &merged,
        dry_run: args.dry_run,
    };
    fix(context, &wish).await
}

/// Edits of merged migrations, as findings.
fn against(
    revision: &str,
    context: &Context,
    services: &[&Service],
    selected: &Selected,
    rulebook: &Rulebook,
    paths: &Paths,
) -> Result<(Scope, Vec<Finding>), GitError> {
    let changes = Changes::since(revision, &context.services_folder())?;
    let scope = Scope::changed(services, &changes, paths)?;
    let findings = merged(services, rulebook, &changes, paths, selected.all)?;
    Ok((scope, findings))
}

/// Paths of embedded files are relative to the project, those of `--services-dir` to the current directory.
fn paths(context: &Context) -> Paths {
    let from = match &context.globals.services_dir {
        Some(_) => std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
        None => context.project_root.clone(),
    };
    Paths::new(&from, &context.services_folder())
}

fn show(
    context: &Context,
    args: &Args,
    report: &Report,
    services: &[&Service],
    rulebook: &Rulebook,
    scope: &Scope,
    paths: &Paths,
) -> Result<(), Diagnostic> {
    if !context.is_human() {
        return print_document(report);
    }
    let texts = texts(services);
    match args.format {
        Format::Human => super::print(&human(report, &texts, context)),
        Format::Sarif => print_document(&sarif(report, rulebook, &texts, paths)),
        Format::Github => {
            print_exact(&annotations(report, scope, paths))?;
            match std::env::var_os(JOB_SUMMARY).filter(|file| !file.is_empty()) {
                Some(file) => append(&file.into(), &job_summary(report, paths)),
                None => Ok(()),
            }
        }
    }
}

fn append(file: &PathBuf, text: &str) -> Result<(), Diagnostic> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    let written = options
        .open(file)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|source| {
        Diagnostic::failed(
            format!("cannot write {} ({JOB_SUMMARY})", file.display()),
            &source,
        )
    })
}

/// The text of each file, by path.
fn texts<'a>(services: &[&'a Service]) -> BTreeMap<&'a str, &'a str> {
    let migrations = services.iter().flat_map(|service| &service.migrations);
    migrations
        .flat_map(|migration| [Some(&migration.script), migration.revert.as_ref()])
        .flatten()
        .map(|script| (script.path.as_str(), &*script.text))
        .collect()
}
