//! Errors of a restore.

use std::path::PathBuf;

use domain::{Diagnostic, ExitStatus, Refusal, commented, rerun, suggest};
use engine::inspect::ServiceError;

use client_program::{ClientProgramError, exit_status_of};

/// Why a restore failed.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// A connection, a lock or a statement failed.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// No `pg_restore` can read the backup.
    #[error(transparent)]
    Program(Diagnostic),
    /// `pg_restore` cannot be started.
    #[error("cannot run {}", path.display())]
    Start {
        /// The program.
        path: PathBuf,
        source: std::io::Error,
    },
    /// `pg_restore` failed.
    #[error("pg_restore failed in the new database: {said}")]
    Failed {
        /// Its error messages.
        said: String,
    },
    #[error("the restored database does not match the manifest: {what}")]
    NotTheSame {
        /// The difference.
        what: String,
    },
    #[error("another restore of {database} is in progress{who}")]
    AtWork {
        database: String,
        /// The session that holds the lock.
        who: String,
    },
    #[error("the lock of {database} was lost, and a run may have changed the database")]
    LockLost { database: String },
    #[error("cannot rename {database}")]
    NotRenamed {
        database: String,
        /// The server's error.
        #[source]
        cause: Diagnostic,
    },
    /// The connection was lost during the swap, and its outcome is unknown.
    #[error(
        "{database}: the connection was lost during the swap, and its outcome is unknown ({message})"
    )]
    Unknown {
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

impl From<ClientProgramError> for RestoreError {
    fn from(error: ClientProgramError) -> Self {
        Self::Program(Diagnostic::from(error).within("cannot read the backup"))
    }
}

impl From<Refusal> for RestoreError {
    fn from(refusal: Refusal) -> Self {
        Self::Service(refusal.into())
    }
}

impl RestoreError {
    /// The diagnostic.
    pub fn diagnostic(&self) -> Diagnostic {
        let (exit_code, next) = match self {
            Self::Service(error) => return error.diagnostic(),
            Self::AfterSwap(diagnostic) | Self::Program(diagnostic) => return diagnostic.clone(),
            Self::NotRenamed { cause, .. } => (cause.exit_code, "the database is unchanged"),
            Self::Cancelled => return Diagnostic::of(ExitStatus::Cancelled, self, None),
            Self::Unknown { .. } => {
                let next = commented(
                    suggest(["history"]),
                    "when the server is reachable: the newest row shows whether the database was restored",
                );
                return Diagnostic::of(ExitStatus::Unavailable, self, Some(next));
            }
            Self::Start { .. } => (
                ExitStatus::Failed,
                "with another directory of client programs: --pg-bin DIR",
            ),
            Self::Failed { said } => match exit_status_of(said) {
                ExitStatus::Unavailable => (
                    ExitStatus::Unavailable,
                    "nothing was swapped: when the server is reachable",
                ),
                exit_code => (
                    exit_code,
                    "nothing was swapped: first fix the cause (such as a missing role, extension or privilege)",
                ),
            },
            Self::NotTheSame { .. } => (
                ExitStatus::Failed,
                "nothing was swapped: use another backup with --from DIR",
            ),
            Self::AtWork { .. } => (ExitStatus::Unavailable, "when it has ended"),
            Self::LockLost { .. } => (ExitStatus::Unavailable, "the database is unchanged"),
        };
        Diagnostic::of(exit_code, self, Some(rerun(next)))
    }
}
