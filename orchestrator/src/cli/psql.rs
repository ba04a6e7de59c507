//! The `psql` command.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;

use domain::{Diagnostic, ExitStatus};
use local_server::Binaries;
use pg_address::{DatabaseAddress, clean_command};
use report::output;
use service_cli::command::{Context, one_service, select};

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  orchestrator psql policy
  orchestrator psql policy -- -c 'select count(*) from policies'")]
pub(super) struct Args {
    /// The service to connect to
    #[arg(value_name = "SERVICE")]
    service: String,
    /// Arguments of psql
    #[arg(last = true)]
    args: Vec<String>,
}

pub(super) async fn psql(context: &Context, args: &Args) -> Result<ExitStatus, Diagnostic> {
    super::refuse_json(&context.globals, "psql")?;
    let selected = select(&context.fleet, std::slice::from_ref(&args.service), false)?;
    let Some(service) = selected.only().and_then(|name| context.fleet.service(name)) else {
        return Err(Diagnostic::usage(
            "psql requires exactly one service",
            one_service(),
        ));
    };
    let address = context.address(service, &selected).await?;
    exec(context, &address, &args.args).await
}

/// Replaces this process with psql. Returns only on failure.
pub(super) async fn exec(
    context: &Context,
    address: &DatabaseAddress,
    args: &[String],
) -> Result<ExitStatus, Diagnostic> {
    let program = Binaries::find(context.globals.pg_bin.as_deref())
        .ok()
        .and_then(|binaries| binaries.program("psql"))
        .unwrap_or_else(|| PathBuf::from("psql"));
    let mut command = clean_command(&program);
    // exec ends the thread that prints, so its output is flushed first. A failure to print must not prevent psql.
    let _ = output::deliver().await;
    let limit = context.connections().connect_timeout();
    command.envs(address.libpq_environment(limit));
    if !names_a_database(args) {
        // TCP keepalive parameters have no environment variables.
        command.arg(format!("--dbname={}", address.libpq_connection_string()));
    }
    let failed = command.args(args).exec();
    Err(Diagnostic::failed(
        format!(
            "cannot run {}; install the PostgreSQL client programs, or specify their directory with --pg-bin",
            program.display()
        ),
        &failed,
    ))
}

/// Whether the arguments of psql name a database, which would override that of the service.
fn names_a_database(args: &[String]) -> bool {
    let mut takes_value = false;
    args.iter().any(|arg| {
        let is_value = std::mem::replace(&mut takes_value, false);
        match arg.strip_prefix('-') {
            _ if is_value => false,
            Some(long) if long.starts_with('-') => {
                takes_value = !long.contains('=') && WITH_VALUE.contains(&&long[1..]);
                false
            }
            Some(short) => {
                // The rest of the argument, if any, is the value.
                let first = short.find(|flag| VALUED.contains(flag));
                takes_value = first.is_some_and(|first| first + 1 == short.len());
                false
            }
            None => true,
        }
    })
}

/// The options of psql that take a value, short and long.
const VALUED: &str = "cdfFhLopPRTUv";
const WITH_VALUE: [&str; 13] = [
    "command",
    "dbname",
    "file",
    "field-separator",
    "host",
    "log-file",
    "output",
    "port",
    "pset",
    "record-separator",
    "table-attr",
    "username",
    "variable",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_among_the_arguments_is_seen() {
        for (args, names) in [
            ("", false),
            ("-c select", false),
            ("-Xc select", false),
            ("-X other", true),
            ("-tAc select other", true),
            ("--command select", false),
            ("--command=select other", true),
            ("--no-psqlrc other", true),
            ("other", true),
        ] {
            let args: Vec<String> = args.split_whitespace().map(str::to_owned).collect();
            assert_eq!(names_a_database(&args), names, "{args:?}");
        }
    }
}
