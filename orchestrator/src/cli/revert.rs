//! The `revert` command.

use domain::{Diagnostic, ExitStatus};
use service_cli::command::{CheckedRevert, Context, RevertArgs, revert as revert_services, select};

use crate::graph::GraphOrder;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  orchestrator revert policy                       the last applied migration
  orchestrator revert policy --steps 2
  orchestrator revert policy --to 1753260000000    everything newer than this version
  orchestrator revert workflow --all --with-dependents
  orchestrator revert all                          the last migration of every service
  orchestrator revert all --all                    all migrations of every service
  orchestrator revert all --run ID                 what this run applied; also continues an interrupted undo
  orchestrator revert all --run ID --give-up       keep what this run applied, and stop undoing it")]
pub(super) struct Args {
    /// Names of services, or `all`
    #[arg(required = true, value_name = "SERVICE")]
    services: Vec<String>,
    /// Also revert migrations of other services that require the reverted ones
    #[arg(long, conflicts_with = "run")]
    with_dependents: bool,
    #[command(flatten)]
    revert: RevertArgs,
}

pub(super) async fn revert(context: &Context, args: &Args) -> Result<ExitStatus, Diagnostic> {
    let selected = select(&context.fleet, &args.services, false)?;
    let asked = CheckedRevert {
        args: args.revert.clone(),
        with_dependents: args.with_dependents,
    };
    revert_services(context, &selected, &asked, &GraphOrder).await
}
