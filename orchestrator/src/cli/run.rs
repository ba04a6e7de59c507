//! The `all` and `run` commands.

use std::sync::Arc;

use domain::{Diagnostic, ExitStatus, called};
use service_cli::command::{Context, PreRun, RunArgs, run as run_services, select};

use super::backup::{BackupArgs, BackupLines};
use crate::graph::GraphOrder;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  orchestrator all
  orchestrator all --dry-run
  orchestrator all --atomic                        migrate all services or none
  orchestrator all --jobs 4 --on-failure continue
  orchestrator all --on-failure revert             on a failure, undo what this run applied
  orchestrator all --backup                        dump the databases that will change first
  orchestrator all --output json | jq -c 'select(.event == \"run_finished\")'")]
pub(super) struct AllArgs {
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    backup: PreRunArgs,
}

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  orchestrator run policy                          requires up-to-date dependencies
  orchestrator run policy --with-dependencies      also migrates its dependencies
  orchestrator run policy --wait 10m               waits for another run to migrate them
  orchestrator run policy --to 1753260000000       up to this version
  orchestrator run policy control --dry-run        prints the SQL without running it")]
pub(super) struct Args {
    /// Names of services, or `all`
    #[arg(required = true, value_name = "SERVICE")]
    services: Vec<String>,
    /// Also run everything that the services depend on
    #[arg(long)]
    with_dependencies: bool,
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    backup: PreRunArgs,
}

/// The options for the backup before the first step.
#[derive(clap::Args, Debug)]
struct PreRunArgs {
    /// Back up every database that will change first; a failed backup prevents the run
    #[arg(long)]
    backup: bool,
    #[command(flatten)]
    args: BackupArgs,
}

impl PreRunArgs {
    async fn pre_run(&self, context: &Context) -> Result<Option<PreRun>, Diagnostic> {
        if self.backup {
            return Ok(Some(PreRun {
                check: Arc::new(self.args.backup(context).await?),
                lines: Box::new(BackupLines::before_run(context)),
            }));
        }
        match self.args.first_given() {
            None => Ok(None),
            Some(flag) => Err(Diagnostic::usage(
                format!("{flag} requires --backup"),
                called().with(["--backup"]).to_string(),
            )),
        }
    }
}

pub(super) async fn all(context: &Context, args: &AllArgs) -> Result<ExitStatus, Diagnostic> {
    let selected = select(&context.fleet, &["all".to_owned()], false)?;
    let pre_run = args.backup.pre_run(context).await?;
    run_services(context, &selected, &args.run, &GraphOrder, pre_run).await
}

pub(super) async fn run(context: &Context, args: &Args) -> Result<ExitStatus, Diagnostic> {
    let selected = select(&context.fleet, &args.services, args.with_dependencies)?;
    let pre_run = args.backup.pre_run(context).await?;
    run_services(context, &selected, &args.run, &GraphOrder, pre_run).await
}
