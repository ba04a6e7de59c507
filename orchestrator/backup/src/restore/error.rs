//! Errors of a restore.

use std::path::PathBuf;

use domain::{Diagnostic, ExitStatus, Refusal, commented, rerun, suggest, with_causes};
use engine::inspect::ServiceError;

use client_program::{ClientProgramError, exit_status_of};

/// Why a restore failed.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// A connection, a lock or a statement failed.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// No `pg_restore` can read the backup.
    #[error("cannot read the backup")]
    Program(#[from] ClientProgramError),
    /// `pg_restore` cannot be started.
    #[error("cannot run {}", path.display())]
    Start {
        /// The program.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// `pg_restore` failed.
    #[error("pg_restore failed in the new database: {said}")]
    Failed {
        /// Its error messages.
        said: String,
    },
    /// The restored database differs from the manifest.
    #[error("the restored database does not match the manifest: {what}")]
    NotTheSame {
        /// The difference.
        what: String,
    },
    /// Another restore of the database is in progress.
    #[error("another restore of {database} is in progress{who}")]
    AtWork {
        /// The database.
        database: String,
        /// The session that holds the lock.
        who: String,
    },
    /// The lock was lost while the new database was filled.
    #[error("the lock of {database} was lost, and a run may have changed the database")]
    LockLost {
        /// The database.
        database: String,
    },
    /// The database could not be renamed.
    #[error("cannot rename {database}: {cause}")]
    NotRenamed {
        /// The database.
        database: String,
        /// The server's error.
        cause: Diagnostic,
    },
    /// The connection was lost during the swap, and its outcome is unknown.
    #[error(
        "{database}: the connection was lost during the swap, and its outcome is unknown ({message})"
    )]
    Unknown {
        /// The database.
        database: String,
        /// Why the server cannot be queried.
        message: String,
    },
    /// The database was swapped, but the new one could not be checked, or differs.
    #[error(transparent)]
    AfterSwap(Diagnostic),
    /// The user cancelled.
    #[error("cancelled")]
    Cancelled,
}

impl From<Refusal> for RestoreError {
    fn from(refusal: Refusal) -> Self {
        Self::Service(refusal.into())
    }
}

impl RestoreError {
    /// The exit code of the error.
    pub fn exit_status(&self) -> ExitStatus {
        match self {
            Self::Service(error) => error.exit_status(),
            Self::Program(_) => ExitStatus::Usage,
            Self::Failed { said } => exit_status_of(said),
            Self::Start { .. } | Self::NotTheSame { .. } => ExitStatus::Failed,
            Self::NotRenamed { cause, .. } | Self::AfterSwap(cause) => cause.exit_code,
            Self::AtWork { .. } | Self::LockLost { .. } | Self::Unknown { .. } => {
                ExitStatus::Unavailable
            }
            Self::Cancelled => ExitStatus::Cancelled,
        }
    }

    /// The next command.
    pub fn next(&self) -> Option<String> {
        let next = match self {
            Self::Service(error) => return error.next(),
            Self::Program(_) => {
                "first install the client programs of that PostgreSQL, or specify their directory with --pg-bin"
            }
            Self::Start { .. } => "with another directory of client programs: --pg-bin DIR",
            Self::Failed { said } if exit_status_of(said) == ExitStatus::Unavailable => {
                "nothing was swapped: when the server is reachable"
            }
            Self::Failed { .. } => {
                "nothing was swapped: first fix the cause (such as a missing role, extension or privilege)"
            }
            Self::NotTheSame { .. } => "nothing was swapped: use another backup with --from DIR",
            Self::AtWork { .. } => "when it has ended",
            Self::LockLost { .. } | Self::NotRenamed { .. } => "the database is unchanged",
            Self::Unknown { .. } => {
                return Some(commented(
                    suggest(["history"]),
                    "when the server is reachable: the newest row shows whether the database was restored",
                ));
            }
            Self::AfterSwap(cause) => return cause.next.clone(),
            Self::Cancelled => return None,
        };
        Some(rerun(next))
    }

    /// The error and its causes in one line.
    pub fn chain(&self) -> String {
        with_causes(self)
    }

    /// The diagnostic, for an error that this one causes.
    pub fn diagnostic(&self) -> Diagnostic {
        Diagnostic {
            message: self.chain(),
            next: self.next(),
            refusal: match self {
                Self::Service(error) => error.diagnostic().refusal,
                _ => None,
            },
            exit_code: self.exit_status(),
        }
    }
}
