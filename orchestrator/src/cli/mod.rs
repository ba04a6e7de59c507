//! The command line: a file or folder per command, with its arguments and its human output.

mod adopt;
mod backup;
mod check;
mod completions;
mod differences;
mod doctor;
mod drift;
mod generate;
mod graph;
mod help;
mod history;
mod local;
mod man;
mod new_service;
mod plan;
mod progress;
mod psql;
mod rehearse;
mod restore;
mod revert;
mod run;
mod schema;
mod schemas;
mod status;

use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use clap::{Parser, Subcommand};
use domain::{Diagnostic, ExitStatus, called, rerun};
use report::Terminal;
use service_cli::command::{Context, GlobalArgs, OutputChoice, remember};
use service_cli::logging;

pub use schemas::schemas;

use crate::embedded::SERVICES;
use crate::graph::{CycleError, refuse_cycles};

/// Migrates the databases of a fleet of services in the order of their dependencies
#[derive(Parser, Debug)]
#[command(
    name = "orchestrator",
    version,
    disable_help_subcommand = true,
    after_help = "\
Examples:
  orchestrator all                                apply everything that is pending
  orchestrator run policy --with-dependencies     one service and what it depends on
  orchestrator all --dry-run                      print the SQL that would run
  orchestrator revert policy                      undo the last migration of a service

Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 refused, 4 findings,
5 try again later, 130 cancelled"
)]
struct Cli {
    #[command(flatten)]
    globals: GlobalArgs,
    #[command(subcommand)]
    command: Command,
}

/// The commands, in the order of the help.
#[derive(Subcommand, Debug)]
enum Command {
    /// Apply what is pending in every service (same as `run all`)
    All(run::AllArgs),
    /// Apply what is pending in some services
    Run(run::Args),
    /// Show what is applied, pending, interrupted, divergent, or missing
    #[command(visible_alias = "show")]
    Status(status::Args),
    /// Show the steps of a run and their order
    Plan(plan::Args),
    /// Undo applied migrations, newest first
    Revert(revert::Args),
    /// Write a migration and its revert from the changes to schema.sql
    Generate(Box<generate::Args>),
    /// Write schema.sql from the migrations, or compare them
    Schema(schema::Args),
    /// Create the folder and the crate of a new service
    NewService(new_service::Args),
    /// Show how services depend on each other
    Graph(graph::Args),
    /// Check migrations and reverts against the rules
    Check(check::Args),
    /// Apply, revert, and reapply migrations on a scratch database
    Rehearse(rehearse::Args),
    /// Compare live schemas with what their migrations produce
    Drift(drift::Args),
    /// Find what is wrong with the databases and how to fix it
    Doctor(doctor::Args),
    /// Show every attempt to apply or revert a migration
    History(history::Args),
    /// Dump databases and verify the dumps
    Backup(backup::Args),
    /// Restore databases from a backup
    Restore(restore::Args),
    /// Take over databases that TypeORM migrated
    Adopt(adopt::Args),
    /// Open psql on a service's database
    Psql(psql::Args),
    /// Manage the project's own PostgreSQL
    Local(local::Args),
    /// Print a completion script for a shell
    Completions(completions::Args),
    /// Print the manual page of the program or of a command
    Man(man::Args),
}

/// The `main` of the orchestrator.
pub fn main() -> ExitCode {
    let cli = match help::parse() {
        Ok(cli) => cli,
        Err(error) => return logging::print_usage_error(&error),
    };
    logging::start(&cli.globals);
    let palette = Terminal::of_process(cli.globals.color).err;
    with_deep_stack(|| logging::run(palette, serve(cli)))
}

/// Whether these arguments, including the program, parse as a command: every suggestion must.
pub fn accepts(arguments: &[String]) -> Result<(), String> {
    match Cli::try_parse_from(arguments) {
        Err(error) if error.use_stderr() => Err(error.to_string()),
        _ => Ok(()),
    }
}

/// The command line, as the reference in `docs/` describes it.
#[must_use]
pub fn command() -> clap::Command {
    help::command()
}

/// The stack size for parsing SQL: enough for the deepest text that `pg_sql::too_deep` accepts, regardless of `ulimit -s`. Unused
/// stack takes no memory.
const STACK: usize = 512 << 20;

/// Runs the work on a thread with that stack, or on the current thread if none can be started.
fn with_deep_stack(work: impl FnOnce() -> ExitCode + Send) -> ExitCode {
    let work = Mutex::new(Some(work));
    let take = || {
        let work = work.lock().unwrap_or_else(PoisonError::into_inner).take();
        work.map(|work| work())
    };
    let done = std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().name("main".to_owned());
        let thread = builder.stack_size(STACK).spawn_scoped(scope, take);
        thread.map(|thread| match thread.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    });
    done.unwrap_or_else(|_| take()).unwrap_or(ExitCode::FAILURE)
}

async fn serve(cli: Cli) -> Result<ExitStatus, Diagnostic> {
    remember(&cli.globals, None);
    if let Command::Completions(args) = &cli.command {
        refuse_json(&cli.globals, "a completion script")?;
        return completions::print(args);
    }
    if let Command::Man(args) = &cli.command {
        refuse_json(&cli.globals, "a manual page")?;
        return man::print(args);
    }
    let context = Context::new(cli.globals, &SERVICES, "orchestrator")?;
    if let Command::Local(args) = &cli.command {
        return local::local(&context, args).await;
    }
    refuse_cycles(&context.fleet)
        .map_err(|error| Diagnostic::usage(error.to_string(), rerun(CycleError::NEXT)))?;
    // Boxed: the futures are large, and the stack would hold the largest one several times.
    match cli.command {
        Command::All(args) => Box::pin(run::all(&context, &args)).await,
        Command::Run(args) => Box::pin(run::run(&context, &args)).await,
        Command::Status(args) => Box::pin(status::status(&context, &args)).await,
        Command::Plan(args) => Box::pin(plan::plan(&context, &args)).await,
        Command::Revert(args) => Box::pin(revert::revert(&context, &args)).await,
        Command::Generate(args) => Box::pin(generate::generate(&context, &args)).await,
        Command::Schema(args) => Box::pin(schema::schema(&context, &args)).await,
        Command::NewService(args) => new_service::new_service(&context, &args),
        Command::Graph(args) => graph::graph(&context, &args),
        Command::Check(args) => Box::pin(check::check(&context, &args)).await,
        Command::Rehearse(args) => Box::pin(rehearse::rehearse(&context, &args)).await,
        Command::Drift(args) => Box::pin(drift::drift(&context, &args)).await,
        Command::Doctor(args) => Box::pin(doctor::doctor(&context, &args)).await,
        Command::History(args) => Box::pin(history::history(&context, &args)).await,
        Command::Backup(args) => Box::pin(backup::backup(&context, &args)).await,
        Command::Restore(args) => Box::pin(restore::restore(&context, &args)).await,
        Command::Adopt(args) => Box::pin(adopt::adopt(&context, &args)).await,
        Command::Psql(args) => Box::pin(psql::psql(&context, &args)).await,
        Command::Local(_) | Command::Completions(_) | Command::Man(_) => Ok(ExitStatus::Done),
    }
}

/// Defaults to `all`.
fn or_all(names: &[String]) -> Vec<String> {
    if names.is_empty() {
        vec!["all".to_owned()]
    } else {
        names.to_vec()
    }
}

/// Prints human text on standard output.
fn print(text: &str) -> Result<(), Diagnostic> {
    service_cli::command::print_text(text)
}

/// Refuses `--output json` for a command that prints another format.
fn refuse_json(globals: &GlobalArgs, printed: &str) -> Result<(), Diagnostic> {
    match globals.output {
        OutputChoice::Human => Ok(()),
        OutputChoice::Json => Err(Diagnostic::usage(
            format!("--output json conflicts with {printed}"),
            called()
                .without_option("--output")
                .without_flag("--json")
                .to_string(),
        )),
    }
}
