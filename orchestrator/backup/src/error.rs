//! Errors of a backup.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use domain::{Blocker, Diagnostic, ExitStatus, rerun};
use engine::inspect::ServiceError;
use report::blockers;

use super::ManifestError;
use client_program::{ClientProgramError, exit_status_of, is_locked, is_of_full_server};
use scratch::ScratchError;

/// Why a backup failed.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// `pg_dump` or `pg_restore` was not found or is too old.
    #[error(transparent)]
    Program(#[from] ClientProgramError),
    #[error("cannot write a backup to {}", path.display())]
    Folder {
        /// The directory, or a file in it.
        path: PathBuf,
        source: io::Error,
    },
    #[error("cannot run {program}")]
    NotRun { program: String, source: io::Error },
    /// `pg_dump` failed.
    #[error("{database}: pg_dump failed: {said}")]
    Dump {
        database: String,
        /// The directory of the dump.
        folder: PathBuf,
        /// Its error messages, or its exit status.
        said: String,
        /// The next command, if the role lacks a privilege.
        forbidden: Option<String>,
    },
    #[error(
        "{database}: the dump timed out after {}, blocked by {}", humantime::format_duration(*waited), blockers(who)
    )]
    Blocked {
        database: String,
        /// How long the dump waited.
        waited: Duration,
        /// The sessions that hold the lock.
        who: Vec<Blocker>,
    },
    #[error("{}: the dump of {database} is invalid: {why}", path.display())]
    Unsound {
        database: String,
        /// The dump.
        path: PathBuf,
        /// The defect.
        why: String,
    },
    /// `pg_restore` did not reach the end of the dump, because a server or a privilege was missing.
    #[error("{database}: pg_restore failed: {said}")]
    Restore {
        database: String,
        /// Its error messages.
        said: String,
    },
    #[error("{database}: test restore of the dump failed")]
    Scratch {
        database: String,
        source: ScratchError,
    },
    /// The manifest cannot be written.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The database is unreachable or returned an error.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

impl BackupError {
    /// Whether the server had no free connection for `pg_dump`.
    pub(super) fn is_of_full_server(&self) -> bool {
        matches!(self, Self::Dump { said, .. } if is_of_full_server(said))
    }
}

impl From<BackupError> for ServiceError {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::Service(error) => error,
            error => Diagnostic::from(error).into(),
        }
    }
}

impl From<BackupError> for Diagnostic {
    fn from(error: BackupError) -> Self {
        let error = match error {
            BackupError::Program(error) => return error.into(),
            BackupError::Service(error) => return error.into(),
            BackupError::Scratch { database, source } => {
                let cause = Self::from(source);
                return cause
                    .within(format!("{database}: test restore of the dump failed"))
                    .or_next(|| {
                        rerun("first fix the error of pg_restore, or use another --scratch-server")
                    });
            }
            error => error,
        };
        let (exit_code, next) = match &error {
            BackupError::Folder { source, .. } if is_full(&source.to_string()) => {
                (ExitStatus::Usage, rerun(MAKE_ROOM))
            }
            BackupError::Folder { .. } => (
                ExitStatus::Usage,
                rerun("with a writable directory: --backup-folder DIR"),
            ),
            BackupError::NotRun { .. } => (
                ExitStatus::Failed,
                rerun(
                    "first make the program executable, or specify another directory with --pg-bin",
                ),
            ),
            BackupError::Dump {
                said, forbidden, ..
            } => (
                exit_status_of(said),
                forbidden.clone().unwrap_or_else(|| rerun(after_dump(said))),
            ),
            BackupError::Restore { said, .. } => (
                exit_status_of(said),
                rerun("when the server is reachable, or with another --scratch-server"),
            ),
            BackupError::Blocked { .. } => (
                ExitStatus::Unavailable,
                rerun(
                    "when those sessions have ended, or with a longer --lock-timeout or more --lock-retries",
                ),
            ),
            BackupError::Unsound { database, .. } => (
                ExitStatus::Failed,
                rerun(format!(
                    "if it fails again, fix the object in {database} (rows that violate a constraint cannot be restored), or \
                     check the disk"
                )),
            ),
            BackupError::Manifest(_)
            | BackupError::Program(_)
            | BackupError::Scratch { .. }
            | BackupError::Service(_) => (ExitStatus::Failed, rerun(MAKE_ROOM)),
        };
        Self::of(exit_code, &error, Some(next))
    }
}

const MAKE_ROOM: &str = "first free disk space (--keep removes old backups), or specify another directory with --backup-folder";

fn is_full(text: &str) -> bool {
    ["No space left", "quota exceeded", "File too large"]
        .iter()
        .any(|part| text.contains(part))
}

fn after_dump(said: &str) -> &'static str {
    if is_full(said) {
        MAKE_ROOM
    } else if said.contains("row-level security") {
        "as the owner of the table, or as a role with BYPASSRLS"
    } else if is_locked(said) {
        "when the conflicting table lock is released"
    } else if exit_status_of(said) == ExitStatus::Unavailable {
        "when the server is reachable"
    } else {
        "first fix the error of pg_dump"
    }
}

#[cfg(test)]
mod tests {
    use pg_address::DatabaseAddress;

    use super::*;
    use client_program::without_right;

    fn dump(said: &str) -> BackupError {
        BackupError::Dump {
            database: "soc_auth".to_owned(),
            folder: PathBuf::from("backups"),
            said: said.to_owned(),
            forbidden: without_right(said, &DatabaseAddress::local("h", 1, "me", "soc_auth")),
        }
    }

    #[test]
    fn messages_of_pg_dump_are_mapped_to_next_commands() {
        let diagnosed = |said: &str| {
            let error = Diagnostic::from(dump(said));
            (error.exit_code, error.next.unwrap_or_default())
        };
        let (exit_code, next) =
            diagnosed("could not write to output file: No space left on device");
        assert_eq!(exit_code, ExitStatus::Failed);
        assert!(next.contains("free disk space"), "{next}");
        let (exit_code, next) = diagnosed(
            "query failed: ERROR:  canceling statement due to statement timeout; query was: LOCK TABLE a",
        );
        assert_eq!(exit_code, ExitStatus::Unavailable);
        assert!(next.contains("table lock"), "{next}");
        let (exit_code, next) = diagnosed("query failed: ERROR:  permission denied for table a");
        assert_eq!(exit_code, ExitStatus::Refused);
        assert!(next.contains("pg_read_all_data"), "{next}");
        let full =
            "connection to server at \"h\", port 1 failed: FATAL:  sorry, too many clients already";
        assert!(dump(full).is_of_full_server());
        assert_eq!(diagnosed(full).0, ExitStatus::Unavailable);
        let gone = "connection to server at \"h\", port 1 failed";
        assert!(!dump(gone).is_of_full_server());
        assert_eq!(diagnosed(gone).0, ExitStatus::Unavailable);
    }
}
