//! The arguments that the programs share.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, ValueEnum};
use uuid::Uuid;

use domain::Version;
use report::Colour;
use settings::{EngineLayer, EngineSettings};

/// Flags of every command.
#[derive(Args, Clone, Debug, Default)]
pub struct GlobalArgs {
    /// Read this file instead of config/<environment>.toml
    #[arg(
        long,
        value_name = "FILE",
        global = true,
        help_heading = "Global options"
    )]
    pub config: Option<PathBuf>,
    /// Environment [also: APP_ENV, NODE_ENV]
    #[arg(
        long,
        value_name = "NAME",
        global = true,
        help_heading = "Global options"
    )]
    pub environment: Option<String>,
    /// Read the services from this folder instead of the embedded ones
    #[arg(
        long,
        value_name = "DIR",
        global = true,
        help_heading = "Global options"
    )]
    pub services_dir: Option<PathBuf>,
    /// One server for all services [also: ORCHESTRATOR_SERVER_URL]
    #[arg(
        long,
        value_name = "URL",
        global = true,
        help_heading = "Global options"
    )]
    pub server_url: Option<String>,
    /// Database of the one service given [also: DATABASE_URL]
    #[arg(
        long,
        value_name = "URL",
        global = true,
        help_heading = "Global options"
    )]
    pub database_url: Option<String>,
    /// Output format
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "FORMAT",
        global = true,
        help_heading = "Global options"
    )]
    pub output: OutputChoice,
    /// At most N services at a time [default: max_connections, 16]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..), global = true, help_heading = "Global options")]
    pub jobs: Option<u16>,
    /// When to use color
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "WHEN",
        global = true,
        help_heading = "Global options"
    )]
    pub color: Colour,
    /// Print server notices and statements; -vv: debug messages
    #[arg(short, long, action = clap::ArgAction::Count, global = true, help_heading = "Global options")]
    pub verbose: u8,
    /// Print only failures and the summary
    #[arg(
        short,
        long,
        conflicts_with = "verbose",
        global = true,
        help_heading = "Global options"
    )]
    pub quiet: bool,
    /// Format of the log on standard error
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "FORMAT",
        global = true,
        help_heading = "Global options"
    )]
    pub log_format: LogFormat,
    /// Folder with PostgreSQL's programs (initdb, pg_dump, …)
    #[arg(
        long,
        value_name = "DIR",
        global = true,
        help_heading = "Global options"
    )]
    pub pg_bin: Option<PathBuf>,
    /// The settings of the engine that have a flag.
    #[command(flatten)]
    pub engine: EngineFlags,
}

/// The flags of `EngineSettings`, from the table of the settings.
#[derive(Clone, Debug, Default)]
pub struct EngineFlags(pub EngineLayer);

impl Args for EngineFlags {
    fn augment_args(command: Command) -> Command {
        let flags = EngineSettings::ALL.iter().filter_map(|setting| {
            let (value, help) = setting.flag?;
            let flag = Arg::new(setting.key).long(setting.key.replace('_', "-"));
            let flag = flag.value_name(value).help(help).global(true);
            Some(flag.help_heading("Global options"))
        });
        command.args(flags)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for EngineFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for setting in EngineSettings::ALL.iter().filter(|it| it.flag.is_some()) {
            self.0
                .set(setting.key, matches.get_one::<String>(setting.key).cloned());
        }
        Ok(())
    }
}

/// The output format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OutputChoice {
    /// Text for the terminal.
    #[default]
    Human,
    /// JSON on standard output, and nothing else there.
    Json,
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Plain text, one line per message.
    #[default]
    Text,
    /// JSON Lines.
    Json,
}

/// What happens to the other services when one fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum FailureChoice {
    /// Start nothing new.
    #[default]
    Stop,
    /// Continue with what does not depend on it.
    Continue,
    /// Start nothing new, and undo what this run applied, in reverse order (`run` only).
    Revert,
}

/// The outcome of an interrupted statement, where the engine cannot determine it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OutcomeChoice {
    /// It completed: continue after it.
    Done,
    /// It did not complete: run it from the beginning.
    Again,
}

impl From<OutcomeChoice> for settings::UnknownOutcome {
    fn from(choice: OutcomeChoice) -> Self {
        match choice {
            OutcomeChoice::Done => Self::Done,
            OutcomeChoice::Again => Self::Again,
        }
    }
}

/// Flags of `run`.
#[derive(Args, Clone, Debug, Default)]
pub struct RunArgs {
    /// Stop after this version of the service; its dependencies run to their newest version
    #[arg(long, value_name = "VERSION")]
    pub to: Option<Version>,
    /// Print the SQL that would run, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Wait this long for migrations that other runs must apply first, such as 10m
    #[arg(long, value_name = "TIME", value_parser = parse_wait)]
    pub wait: Option<std::time::Duration>,
    /// What to do with the other services when one fails
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    pub on_failure: FailureChoice,
    /// Commit all migrations of all services or none, by two-phase commit
    #[arg(long)]
    pub atomic: bool,
    /// Create missing databases on remote servers too (never in production)
    #[arg(long)]
    pub create_databases: bool,
    /// Outcome of an interrupted statement that commits by itself, where a run refuses to guess
    #[arg(long, value_enum, value_name = "WHAT")]
    pub unknown_outcome: Option<OutcomeChoice>,
    /// Do not ask for confirmation in production
    #[arg(long, short)]
    pub yes: bool,
}

/// Flags of `revert`.
#[derive(Args, Clone, Debug, Default)]
pub struct RevertArgs {
    /// Undo the last N applied migrations (of each service) [default: 1]
    #[arg(long, value_name = "N", conflicts_with_all = ["all", "to"], value_parser = clap::value_parser!(u32).range(1..))]
    pub steps: Option<u32>,
    /// Undo everything
    #[arg(long, conflicts_with = "to")]
    pub all: bool,
    /// Undo everything newer than this version of the service; the version itself stays
    #[arg(long, value_name = "VERSION")]
    pub to: Option<Version>,
    /// Undo what this run applied and is still applied; its ID is in every event and in `history`
    #[arg(long, value_name = "ID", conflicts_with_all = ["steps", "all", "to"])]
    pub run: Option<Uuid>,
    /// Keep what that run applied and has not been undone yet, and stop undoing it
    #[arg(long, requires = "run", conflicts_with_all = ["dry_run", "unknown_outcome"])]
    pub give_up: bool,
    /// Print the SQL that would run, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// What to do with the other services when one fails
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    pub on_failure: FailureChoice,
    /// Outcome of an interrupted statement that commits by itself, where a run refuses to guess
    #[arg(long, value_enum, value_name = "WHAT")]
    pub unknown_outcome: Option<OutcomeChoice>,
    /// Do not ask for confirmation in production
    #[arg(long, short)]
    pub yes: bool,
}

/// `RevertArgs` with the option that only the orchestrator has.
#[derive(Clone, Debug, Default)]
pub struct CheckedRevert {
    /// The flags of `revert`.
    pub args: RevertArgs,
    /// Also undo migrations of other services that require the reverted ones.
    pub with_dependents: bool,
}

/// Flags of `status`.
#[derive(Args, Clone, Debug, Default)]
pub struct StatusArgs {
    /// Exit with 4 when migrations are pending
    #[arg(long)]
    pub exit_code: bool,
}

fn parse_wait(text: &str) -> Result<std::time::Duration, String> {
    humantime::parse_duration(text)
        .map_err(|error| format!("{error}: specify a time with its unit, such as 30s or 10m"))
}
