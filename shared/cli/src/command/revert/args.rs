//! The arguments of `revert`.

use clap::Args;
use domain::Version;
use uuid::Uuid;

use crate::command::{FailureChoice, OutcomeChoice};

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
    /// Print how long each phase took; with --output json in run_finished
    #[arg(long)]
    pub timings: bool,
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
