//! The `status` command.

use domain::{Diagnostic, ExitStatus};
use service_cli::command::{Context, StatusArgs, select, status as show};

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  orchestrator status                     one line per service
  orchestrator show policy                one line per migration
  orchestrator status --exit-code         exit code 4 when migrations are pending
  orchestrator status --output json")]
pub(super) struct Args {
    /// Names of services [default: all]
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
    #[command(flatten)]
    status: StatusArgs,
}

pub(super) async fn status(context: &Context, args: &Args) -> Result<ExitStatus, Diagnostic> {
    let selected = select(&context.fleet, &super::or_all(&args.services), false)?;
    show(context, &selected, &args.status).await
}
