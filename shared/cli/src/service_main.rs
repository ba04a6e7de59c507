//! The program of one service, with the same engine, gates and output as the orchestrator.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::command::{
    CheckedRevert, Context, GlobalArgs, RevertArgs, RunArgs, Selected, StatusArgs, revert, run,
    status,
};
use crate::logging;
use domain::{Diagnostic, ExitStatus, called, commented, rerun};
use engine::planning::Chain;
use engine::source::EmbeddedService;

/// Migrates the database of one service. Without a command: run
#[derive(Parser, Debug)]
#[command(
    version,
    about = "Migrates the database of one service; without a command: run",
    disable_help_subcommand = true,
    after_help = "\
Examples:
  Apply pending migrations   {bin}
  List migrations            {bin} show
  Print the SQL only         {bin} --dry-run
  Undo the last migration    {bin} revert

The database address comes from DATABASE_URL, <SERVICE>_DATABASE_URL, ORCHESTRATOR_SERVER_URL, DB_HOST …, PGHOST …, or config/*.toml;
if nothing is configured, from the project's local PostgreSQL."
)]
struct Cli {
    #[command(flatten)]
    run: RunArgs,
    // Last, because the heading of its options applies to all that follow.
    #[command(flatten)]
    globals: GlobalArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Apply pending migrations (the default)
    Run(RunArgs),
    /// List applied, pending, interrupted, divergent and missing migrations
    #[command(visible_alias = "show")]
    Status(StatusArgs),
    /// Undo applied migrations, newest first
    Revert(RevertArgs),
}

/// The `main` of a service binary.
pub fn service_main(service: &'static EmbeddedService) -> ExitCode {
    let program = format!("{}-migrations", service.folder);
    let cli = match parse(&program, std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => return logging::print_usage_error(&error),
    };
    logging::start(&cli.globals);
    let palette = report::Terminal::of_process(cli.globals.color).err;
    logging::run(palette, serve(service, cli, &program))
}

/// Checks that these arguments, with the program first, are a valid command of a service binary. Tests check suggestions with it.
pub fn accepts(arguments: &[String]) -> Result<(), String> {
    let program = arguments.first().map(String::as_str).unwrap_or_default();
    match parse(program, arguments.iter().map(Into::into)) {
        Err(error) if error.use_stderr() => Err(error.to_string()),
        _ => Ok(()),
    }
}

/// The command line of a service binary.
#[must_use]
pub fn service_command(program: &str) -> clap::Command {
    use clap::CommandFactory;
    let help = Cli::command()
        .get_after_help()
        .map(|help| help.to_string().replace("{bin}", program))
        .unwrap_or_default();
    Cli::command().name(program.to_owned()).after_help(help)
}

fn parse(program: &str, arguments: impl Iterator<Item = OsString>) -> Result<Cli, clap::Error> {
    use clap::FromArgMatches;
    let mut command = service_command(program);
    let matches = command.try_get_matches_from_mut(arguments)?;
    refuse_flags_of_another(&mut command, &matches)?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// Refuses flags of `run` before another command, where they would be ignored. Global flags are accepted anywhere.
fn refuse_flags_of_another(
    command: &mut clap::Command,
    matches: &clap::ArgMatches,
) -> Result<(), clap::Error> {
    let Some(named) = matches.subcommand_name() else {
        return Ok(());
    };
    let run = RunArgs::augment_args(clap::Command::new("run"));
    let given = run.get_arguments().find(|argument| {
        matches.value_source(argument.get_id().as_str())
            == Some(clap::parser::ValueSource::CommandLine)
    });
    match given {
        Some(argument) => {
            let flag = argument.get_long().unwrap_or_default();
            let text =
                format!("--{flag} is specified before `{named}`: specify it after its command");
            Err(command.error(clap::error::ErrorKind::ArgumentConflict, text))
        }
        None => Ok(()),
    }
}

async fn serve(
    service: &'static EmbeddedService,
    cli: Cli,
    program: &str,
) -> Result<ExitStatus, Diagnostic> {
    let context = Context::new(cli.globals, &[service], program)?;
    let name = service.folder.parse().map_err(|error| {
        Diagnostic::usage(format!("{error}"), rerun("after renaming the folder"))
    })?;
    if context.fleet.service(&name).is_none() {
        return Err(Diagnostic::usage(
            format!("unknown service `{name}`: it is not in the folder of --services-dir"),
            commented(
                called().without_option("--services-dir").to_string(),
                "or specify a folder that contains it",
            ),
        ));
    }
    let selected = Selected {
        named: [name.clone()].into(),
        names: [name].into(),
        all: false,
    };
    match cli.command {
        None => run(&context, &selected, &cli.run, &Chain, None).await,
        Some(Command::Run(args)) => run(&context, &selected, &args, &Chain, None).await,
        Some(Command::Status(args)) => status(&context, &selected, &args).await,
        Some(Command::Revert(args)) => {
            let asked = CheckedRevert {
                args,
                with_dependents: false,
            };
            revert(&context, &selected, &asked, &Chain).await
        }
    }
}
