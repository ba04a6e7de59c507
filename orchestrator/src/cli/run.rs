//! `all` and `run`.

use shared::command::{CommandError, Context, RunArgs, run as run_services, select};
use shared::domain::ExitStatus;

use crate::graph::GraphOrder;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  orchestrator all
  orchestrator all --dry-run
  orchestrator all --jobs 4 --on-failure continue
  orchestrator all --on-failure revert      when one fails, undoes what this run has applied
  orchestrator all --output json | jq -c 'select(.event == \"run_finished\")'")]
pub(super) struct AllArgs {
    #[command(flatten)]
    run: RunArgs,
}

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  orchestrator run policy                          its dependencies must be up to date
  orchestrator run policy --with-dependencies      brings them up to date first
  orchestrator run policy --wait 10m               waits until another run has done so
  orchestrator run policy --to 1753260000000       not further than this version
  orchestrator run policy control --dry-run        prints the SQL, writes nothing")]
pub(super) struct Args {
    /// Names of services, or `all`
    #[arg(required = true, value_name = "SERVICE")]
    services: Vec<String>,
    /// Also run everything that the services depend on
    #[arg(long)]
    with_dependencies: bool,
    #[command(flatten)]
    run: RunArgs,
}

pub(super) async fn all(context: &Context, args: &AllArgs) -> Result<ExitStatus, CommandError> {
    let selected = select(&context.fleet, &["all".to_owned()], false)?;
    run_services(context, &selected, &args.run, &GraphOrder, None).await
}

pub(super) async fn run(context: &Context, args: &Args) -> Result<ExitStatus, CommandError> {
    let selected = select(&context.fleet, &args.services, args.with_dependencies)?;
    run_services(context, &selected, &args.run, &GraphOrder, None).await
}
