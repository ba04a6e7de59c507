//! The arguments that all commands share.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, ValueEnum};

use report::Colour;
use settings::{EngineLayer, EngineSettings};

/// Flags of every command.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArgs {
    /// Read this file instead of config/<environment>.toml
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// Environment [also: APP_ENV, NODE_ENV]
    #[arg(long, value_name = "NAME", global = true)]
    pub environment: Option<String>,
    /// Read the services from this folder instead of the embedded ones
    #[arg(long, value_name = "DIR", global = true)]
    pub services_dir: Option<PathBuf>,
    /// One server for all services [also: ORCHESTRATOR_SERVER_URL]
    #[arg(long, value_name = "URL", global = true)]
    pub server_url: Option<String>,
    /// Database of the one service given [also: DATABASE_URL]
    #[arg(long, value_name = "URL", global = true)]
    pub database_url: Option<String>,
    /// Output format
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "FORMAT",
        global = true
    )]
    pub output: OutputChoice,
    /// At most N services at a time [default: max_connections, 16]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..), global = true)]
    pub jobs: Option<u16>,
    /// When to use color
    #[arg(long, value_enum, default_value_t, value_name = "WHEN", global = true)]
    pub color: Colour,
    /// Print server notices and statements; -vv: debug messages
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub verbose: u8,
    /// Print only failures and the summary
    #[arg(short, long, conflicts_with = "verbose", global = true)]
    pub quiet: bool,
    /// Format of the log on standard error
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "FORMAT",
        global = true
    )]
    pub log_format: LogFormat,
    /// Folder with PostgreSQL's programs (initdb, pg_dump, …)
    #[arg(long, value_name = "DIR", global = true)]
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
            Some(flag)
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
