//! `psql`: the client, on a service's database.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;

use shared::command::{CommandError, Context, one_service, select};
use shared::config::{DatabaseAddress, clean_command};
use shared::domain::ExitStatus;
use shared::output;
use shared::postgres::local_server::Binaries;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  orchestrator psql policy
  orchestrator psql policy -- -c 'select count(*) from policies'")]
pub(super) struct Args {
    /// The service
    #[arg(value_name = "SERVICE")]
    service: String,
    /// Arguments for psql
    #[arg(last = true)]
    args: Vec<String>,
}

pub(super) async fn psql(context: &Context, args: &Args) -> Result<ExitStatus, CommandError> {
    super::refuse_json(&context.globals, "psql")?;
    let selected = select(&context.fleet, std::slice::from_ref(&args.service), false)?;
    let Some(service) = selected.only().and_then(|name| context.fleet.service(name)) else {
        return Err(CommandError::usage(
            "psql opens one database",
            one_service(),
        ));
    };
    let address = context.address(service, &selected).await?;
    exec(context, &address, &args.args).await
}

/// Becomes psql. Returns only when that fails.
pub(super) async fn exec(
    context: &Context,
    address: &DatabaseAddress,
    args: &[String],
) -> Result<ExitStatus, CommandError> {
    let program = Binaries::find(context.globals.pg_bin.as_deref())
        .ok()
        .and_then(|binaries| binaries.program("psql"))
        .unwrap_or_else(|| PathBuf::from("psql"));
    let mut command = clean_command(&program);
    // The thread that prints does not outlive the program. What cannot be printed is no reason not to go on.
    let _ = output::deliver().await;
    let failed = command.envs(address.libpq_environment()).args(args).exec();
    Err(CommandError::Io {
        what: format!(
            "{} cannot be run; install PostgreSQL's client programs, or give their folder with --pg-bin",
            program.display()
        ),
        source: failed,
    })
}
