//! The arguments of `run`.

use clap::{Args, ValueEnum};
use domain::Version;

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
    /// Print how long each phase took; with --output json in run_finished
    #[arg(long)]
    pub timings: bool,
    /// Do not ask for confirmation in production
    #[arg(long, short)]
    pub yes: bool,
}

fn parse_wait(text: &str) -> Result<std::time::Duration, String> {
    humantime::parse_duration(text)
        .map_err(|error| format!("{error}: specify a time with its unit, such as 30s or 10m"))
}
