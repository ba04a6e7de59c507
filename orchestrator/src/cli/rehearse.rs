//! `rehearse`.

use shared::command::{CommandError, Context, select, watch_signals};
use shared::domain::ExitStatus;
use shared::report::Reporter;

use super::drift::ScratchArgs;
use super::rehearse_lines::RehearseLines;
use crate::rehearsal::{Scope, rehearse as rehearse_services};
use crate::rules::Rulebook;
use crate::scratch::Workshop;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  orchestrator rehearse
  orchestrator rehearse policy --every
  orchestrator rehearse all --every --output json
  orchestrator rehearse policy --scratch-server same

Each pending migration is run on a scratch database: up, down and up again. The revert must leave the schema that stood before,
object by object, and the second up the schema of the first; the order of columns is told and is no fault. Gates on other
services are not looked at. Nothing is written to the live database. What a file means it says itself: -- migration: allow RULE
\"why\". Exit code 4 when something is found.")]
pub(super) struct Args {
    /// Names of services [default: all]
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
    /// All migrations, also those that are applied; the live database is not asked
    #[arg(long)]
    every: bool,
    #[command(flatten)]
    scratch: ScratchArgs,
}

pub(super) async fn rehearse(context: &Context, args: &Args) -> Result<ExitStatus, CommandError> {
    let selected = select(&context.fleet, &super::or_all(&args.services), false)?;
    let workshop = Workshop::new(context, &args.scratch.scratch_server)?;
    let mut reporter: Box<dyn Reporter> = if context.is_for_people() {
        Box::new(RehearseLines::new(context))
    } else {
        context.reporter()
    };
    let scope = if args.every {
        Scope::Every
    } else {
        Scope::Pending
    };
    let rulebook = Rulebook::default();
    let cancelled = watch_signals();
    let rehearsal = rehearse_services(
        &workshop,
        &selected,
        scope,
        &rulebook,
        reporter.as_mut(),
        cancelled,
    );
    Ok(rehearsal.await)
}
