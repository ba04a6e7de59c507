//! The outcome of a run.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::{ExitStatus, millis};

/// The one-word result of a run, last in its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything requested is done.
    Done,
    /// There was nothing to do.
    NothingToDo,
    /// A step failed.
    Failed,
    /// Something failed, and everything that the run applied is undone.
    Reverted,
    /// Everything was checked, and there are findings (`rehearse`).
    Findings,
    /// Something was refused; other parts may have been done.
    Refused,
    /// A database was unreachable, or a lock or connection was not available in time.
    Unavailable,
    /// The user cancelled.
    Cancelled,
}

impl Verdict {
    /// The verdict for an exit status and the number of steps done.
    pub fn of(status: ExitStatus, done: usize) -> Self {
        match status {
            ExitStatus::Done if done == 0 => Self::NothingToDo,
            ExitStatus::Done => Self::Done,
            ExitStatus::Findings => Self::Findings,
            ExitStatus::Failed | ExitStatus::Usage => Self::Failed,
            ExitStatus::Refused => Self::Refused,
            ExitStatus::Unavailable => Self::Unavailable,
            ExitStatus::Cancelled => Self::Cancelled,
        }
    }
}

/// The counts of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Totals {
    /// Migrations applied.
    pub applied: usize,
    /// Migrations undone.
    pub reverted: usize,
    /// Migrations that were adopted.
    #[serde(skip_serializing_if = "is_zero")]
    pub adopted: usize,
    /// Databases that were restored.
    #[serde(skip_serializing_if = "is_zero")]
    pub restored: usize,
    /// Migrations that were rehearsed.
    #[serde(skip_serializing_if = "is_zero")]
    pub rehearsed: usize,
    /// Findings that are not allowed.
    #[serde(skip_serializing_if = "is_zero")]
    pub findings: usize,
    /// Steps that failed.
    pub failed: usize,
    /// Steps that the user cancelled on the server.
    pub cancelled: usize,
    /// Steps that were not started.
    pub skipped: usize,
    /// How long the run took, in milliseconds.
    pub duration_ms: u64,
}

/// Omits the counts of `adopt`, `restore` and `rehearse` in the events of other commands.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde requires this signature"
)]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl Totals {
    /// The same counts with the duration of the run.
    #[must_use]
    pub fn lasting(mut self, duration: Duration) -> Self {
        self.duration_ms = millis(duration);
        self
    }
}
