//! Why a database is not restored.

use std::path::PathBuf;

use shared::domain::{ExitStatus, Refusal, commented, rerun, suggest};
use shared::inspect::ServiceError;

use crate::client_program::ClientProgramError;

/// Why a database is not restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// A connection, a lock or a statement.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// There is no `pg_restore` that could read the backup.
    #[error("the backup cannot be read")]
    Program(#[from] ClientProgramError),
    /// `pg_restore` does not start.
    #[error("{} cannot be run", path.display())]
    Start {
        /// The program.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// `pg_restore` failed.
    #[error("pg_restore failed in the new database: {said}")]
    Failed {
        /// Its words.
        said: String,
    },
    /// What was restored is not what the manifest says.
    #[error("the restored database is not what the manifest says: {what}")]
    NotTheSame {
        /// What differs.
        what: String,
    },
    /// Somebody else restores the same database.
    #[error("another restore of {database} is at work{who}")]
    AtWork {
        /// The database.
        database: String,
        /// Who holds the lock.
        who: String,
    },
    /// The lock was lost while the new database was filled.
    #[error("the lock of {database} was lost meanwhile, and a run may have changed it")]
    LockLost {
        /// The database.
        database: String,
    },
    /// The name was not to be had in time.
    #[error("{database} could not be renamed: {message}")]
    NotRenamed {
        /// The database.
        database: String,
        /// What the server said.
        message: String,
    },
    /// The connection was lost while the name changed hands, and nobody can say who has it.
    #[error(
        "{database}: the connection was lost during the swap, and the server cannot be asked how it ended ({message})"
    )]
    Unknown {
        /// The database.
        database: String,
        /// Why it cannot be asked.
        message: String,
    },
    /// The new database has the name, and cannot be used by us as it should.
    #[error("the database was swapped, and then: {message}")]
    AfterSwap {
        /// What the old one is called now.
        kept: Option<String>,
        /// What is wrong.
        message: String,
    },
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
    /// The exit code that it leads to.
    pub fn exit_status(&self) -> ExitStatus {
        match self {
            Self::Service(error) => error.exit_status(),
            Self::Program(_) => ExitStatus::Usage,
            Self::Start { .. }
            | Self::Failed { .. }
            | Self::NotTheSame { .. }
            | Self::AfterSwap { .. } => ExitStatus::Failed,
            Self::AtWork { .. }
            | Self::LockLost { .. }
            | Self::NotRenamed { .. }
            | Self::Unknown { .. } => ExitStatus::Unavailable,
            Self::Cancelled => ExitStatus::Cancelled,
        }
    }

    /// What to do next.
    pub fn next(&self) -> Option<String> {
        let next = match self {
            Self::Service(error) => return error.next(),
            Self::Program(_) => {
                "first install the client programs of that PostgreSQL, or give their folder with --pg-bin"
            }
            Self::Start { .. } => "with another folder of client programs: --pg-bin FOLDER",
            Self::Failed { .. } => {
                "nothing was swapped: first see to what it says (a missing role, extension or right)"
            }
            Self::NotTheSame { .. } => "nothing was swapped: with an older backup, --from FOLDER",
            Self::AtWork { .. } => "when it has ended",
            Self::LockLost { .. } | Self::NotRenamed { .. } => "the database is as it was",
            Self::Unknown { .. } => {
                return Some(commented(
                    suggest(["history"]),
                    "once the server can be reached: the newest row shows whether it was restored",
                ));
            }
            Self::AfterSwap { kept, .. } => {
                let before = kept
                    .as_ref()
                    .map(|kept| format!(" (the database before is {kept})"))
                    .unwrap_or_default();
                return Some(commented(
                    suggest(["status"]),
                    format!("shows what it holds{before}"),
                ));
            }
            Self::Cancelled => return None,
        };
        Some(rerun(next))
    }

    /// The whole chain in one line.
    pub fn chain(&self) -> String {
        if let Self::Service(error) = self {
            return error.chain();
        }
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(error) = source {
            text.push_str(": ");
            text.push_str(&error.to_string());
            source = error.source();
        }
        text
    }

    /// The refusal, where it is one.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Service(ServiceError::Refused(refusal)) => Some(refusal),
            _ => None,
        }
    }
}
