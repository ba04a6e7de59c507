//! The `rehearse` command.

mod lines;
mod lock_lines;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use domain::{Diagnostic, ExitStatus, ServiceName, called};
use service_cli::command::{Context, Selected, select, watch_stops};

use super::drift::ScratchArgs;
use backup::restore::{Source, choose};
use lines::RehearseLines;
use lint::rules::Rulebook;
use rehearsal::{Archive, Origin, Scope, rehearse as rehearse_services};
use scratch::ScratchServers;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  orchestrator rehearse
  orchestrator rehearse policy --every
  orchestrator rehearse all --every --output json
  orchestrator rehearse policy --from live
  orchestrator rehearse policy --from backups/20261123T041500Z-01983f2a

Runs each pending migration on a scratch database: up, down, and up again. The revert must restore the previous schema, object
by object, and the second up must produce the same schema as the first. A changed order of columns is reported, but is not a
finding. Gates on other services are ignored. Nothing is written to the live database, and with --from live only rows of our
own tables are read from it. To accept a finding, add to the file: -- migration: allow RULE \"why\". The exit code is 4 when
there are findings.")]
pub(super) struct Args {
    /// Names of services [default: all]
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
    /// Start from: empty (replay applied migrations), live (the live schema without rows), or a backup's manifest
    #[arg(long, value_name = "empty|live|FILE", default_value = "empty")]
    from: SchemaSource,
    /// Rehearse all migrations, including applied ones; does not connect to the live database
    #[arg(long)]
    every: bool,
    #[command(flatten)]
    scratch: ScratchArgs,
}

/// The value of `--from`.
#[derive(Clone, Debug)]
enum SchemaSource {
    Empty,
    Live,
    File(PathBuf),
}

impl FromStr for SchemaSource {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "empty" => Self::Empty,
            "live" => Self::Live,
            file => Self::File(file.into()),
        })
    }
}

pub(super) async fn rehearse(context: &Context, args: &Args) -> Result<ExitStatus, Diagnostic> {
    let selected = select(&context.fleet, &super::or_all(&args.services), false)?;
    let scratch_servers = ScratchServers::new(context, &args.scratch.scratch_server)?;
    let stops = watch_stops(Duration::ZERO);
    let mut cancelled = stops.times.clone();
    let scope = scope(context, args, &selected);
    let Some(scope) = scratch_servers.until_cancelled(&mut cancelled, scope).await else {
        return Ok(ExitStatus::Cancelled);
    };
    let scope = scope?;
    let lines = RehearseLines::new(context);
    let mut reporter = context.reporter_with(Some(Box::new(lines)));
    let rulebook = Rulebook::of(&context.configuration)?;
    let rehearsal = rehearse_services(
        &scratch_servers,
        &selected,
        &scope,
        &rulebook,
        reporter.as_mut(),
        stops,
    );
    Ok(rehearsal.await)
}

/// Which migrations are rehearsed, and from which schema.
async fn scope(context: &Context, args: &Args, selected: &Selected) -> Result<Scope, Diagnostic> {
    if args.every {
        return match args.from {
            SchemaSource::Empty => Ok(Scope::Every),
            SchemaSource::Live | SchemaSource::File(_) => Err(Diagnostic::usage(
                "--every conflicts with --from: applied migrations cannot be rehearsed on a schema that has them",
                called().without_flag("--every").to_string(),
            )),
        };
    }
    let path = match &args.from {
        SchemaSource::Empty => return Ok(Scope::Pending(Origin::Empty)),
        SchemaSource::Live => return Ok(Scope::Pending(Origin::Live)),
        SchemaSource::File(path) => path,
    };
    let targets = context.targets(&selected.names, selected, false).await?;
    let (restorations, without) = choose(&Source::Manifest(path.clone()), selected, &targets)?;
    if !without.is_empty() {
        let names: Vec<&str> = without.iter().map(|name| name.as_str()).collect();
        tracing::warn!("no backup of {}: skipped", names.join(", "));
    }
    let mut archives = BTreeMap::new();
    for restoration in restorations {
        let members = restoration.members.iter();
        let names: Vec<ServiceName> = members.map(|it| it.target.service.name.clone()).collect();
        let archive = Arc::new(Archive::of_backup(context, restoration).await?);
        archives.extend(names.into_iter().map(|name| (name, Arc::clone(&archive))));
    }
    Ok(Scope::Pending(Origin::Backups(archives)))
}
