//! The exit codes. This is their only definition.

use std::process::ExitCode;

use schemars::JsonSchema;
use serde::Serialize;

/// The exit status of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(into = "u8")]
pub enum ExitStatus {
    /// 0: done, or nothing to do.
    Done,
    /// 1: a step failed.
    Failed,
    /// 2: usage or configuration.
    Usage,
    /// 3: refused: divergent, missing, out of order, gate not met, irreversible, unconfirmed in production.
    Refused,
    /// 4: findings.
    Findings,
    /// 5: database unreachable, lock not obtained in time, or too many connections after retries.
    Unavailable,
    /// 130: cancelled.
    Cancelled,
}

impl ExitStatus {
    /// The exit code of the process.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::Findings => 4,
            Self::Unavailable => 5,
            Self::Cancelled => 130,
        }
    }

    /// The more severe of two: the exit status of a run of several services.
    ///
    /// A cancellation ranks highest, because it explains everything that did not happen; then failures, refusals and unreachable
    /// databases.
    #[must_use]
    pub fn or_worse(self, other: Self) -> Self {
        if other.rank() > self.rank() {
            other
        } else {
            self
        }
    }

    const fn rank(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Findings => 1,
            Self::Unavailable => 2,
            Self::Refused => 3,
            Self::Usage => 4,
            Self::Failed => 5,
            Self::Cancelled => 6,
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status.code())
    }
}

impl From<ExitStatus> for u8 {
    fn from(status: ExitStatus) -> Self {
        status.code()
    }
}
