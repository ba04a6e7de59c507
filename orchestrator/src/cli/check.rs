//! `check`.

use std::collections::BTreeMap;

use shared::command::{CommandError, Context, print_document, select};
use shared::domain::{ExitStatus, Service};
use time::OffsetDateTime;

use super::check_lines::for_people;
use crate::check::{Report, allows};
use crate::lint::lint;
use crate::rules::{Rule, Rulebook, is_proven};

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  orchestrator check
  orchestrator check policy --output json

Migrations and reverts are held to the rules of docs/rules. A migration that breaks one on purpose says why in its own file or
in that of its revert: -- migration: allow <rule> \"why\". How grave a rule is stands in the configuration, [check.rules].
Exit code 4 when an error is found that is not allowed; a warning never leads to it.")]
pub(super) struct Args {
    /// Names of services [default: all]
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
    /// Look at the files only, without running them on a scratch database
    #[arg(long)]
    no_rehearsal: bool,
}

pub(super) async fn check(context: &Context, args: &Args) -> Result<ExitStatus, CommandError> {
    let rulebook = Rulebook::of(&context.configuration)?;
    let selected = select(&context.fleet, &super::or_all(&args.services), false)?;
    let services: Vec<&Service> = selected
        .names
        .iter()
        .filter_map(|name| context.fleet.service(name))
        .collect();
    let now = OffsetDateTime::now_utc();
    let mut findings = Vec::new();
    for service in &services {
        let mut found = lint(service, &rulebook, now);
        let is_asked = |rule: &Rule| !is_proven(rule);
        found.extend(allows(service, &rulebook, &found, is_asked));
        findings.extend(found);
    }
    let migrations = services
        .iter()
        .map(|service| service.migrations.len())
        .sum();
    let report = Report::new(services.len(), migrations, findings);
    if context.is_for_people() {
        let texts = texts(&services);
        super::print(&for_people(&report, &texts, context))?;
    } else {
        print_document(&report)?;
    }
    Ok(if report.summary.errors > 0 {
        ExitStatus::Findings
    } else {
        ExitStatus::Done
    })
}

/// The texts of all files, by their names.
fn texts<'a>(services: &[&'a Service]) -> BTreeMap<&'a str, &'a str> {
    let migrations = services.iter().flat_map(|service| &service.migrations);
    migrations
        .flat_map(|migration| [Some(&migration.script), migration.revert.as_ref()])
        .flatten()
        .map(|script| (script.path.as_str(), &*script.text))
        .collect()
}
