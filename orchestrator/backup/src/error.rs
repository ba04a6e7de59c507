//! Errors of a backup.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use domain::{Blocker, Diagnostic, ExitStatus, rerun, with_causes};
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
    /// The directory cannot be created or written.
    #[error("cannot write a backup to {}", path.display())]
    Folder {
        /// The directory, or a file in it.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A program cannot be started.
    #[error("cannot run {program}")]
    NotRun {
        /// The program.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// `pg_dump` failed.
    #[error("{database}: pg_dump failed: {said}")]
    Dump {
        /// The database.
        database: String,
        /// The directory of the dump.
        folder: PathBuf,
        /// Its error messages, or its exit status.
        said: String,
        /// The next command, if the role lacks a privilege.
        forbidden: Option<String>,
    },
    /// A session holds a lock that conflicts with reading.
    #[error(
        "{database}: the dump timed out after {}, blocked by {}", humantime::format_duration(*waited), blockers(who)
    )]
    Blocked {
        /// The database.
        database: String,
        /// How long the dump waited.
        waited: Duration,
        /// The sessions that hold the lock.
        who: Vec<Blocker>,
    },
    /// The dump is incomplete or damaged.
    #[error("{}: the dump of {database} is invalid: {why}", path.display())]
    Unsound {
        /// The database.
        database: String,
        /// The dump.
        path: PathBuf,
        /// The defect.
        why: String,
    },
    /// `pg_restore` did not reach the end of the dump, because a server or a privilege was missing.
    #[error("{database}: pg_restore failed: {said}")]
    Restore {
        /// The database.
        database: String,
        /// Its error messages.
        said: String,
    },
    /// The test restore failed.
    #[error("{database}: test restore of the dump failed")]
    Scratch {
        /// The database.
        database: String,
        /// Why.
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
    /// The exit code of the error.
    pub fn exit_status(&self) -> ExitStatus {
        match self {
            Self::Program(_) | Self::Folder { .. } => ExitStatus::Usage,
            Self::Blocked { .. } => ExitStatus::Unavailable,
            Self::Dump { said, .. } | Self::Restore { said, .. } => exit_status_of(said),
            Self::Service(error) => error.exit_status(),
            Self::Scratch { source, .. } => source.exit_status(),
            Self::NotRun { .. } | Self::Unsound { .. } | Self::Manifest(_) => ExitStatus::Failed,
        }
    }

    /// Whether the server had no free connection for `pg_dump`.
    pub(super) fn is_of_full_server(&self) -> bool {
        matches!(self, Self::Dump { said, .. } if is_of_full_server(said))
    }

    /// The next command.
    pub fn next(&self) -> String {
        match self {
            Self::Program(ClientProgramError::Absent { name, .. }) => rerun(format!(
                "first install {name}, or specify its directory with --pg-bin"
            )),
            Self::Program(ClientProgramError::TooOld { major, .. }) => rerun(format!(
                "first install the client programs of PostgreSQL {major} or newer, or specify their directory with --pg-bin"
            )),
            Self::Folder { source, .. } if is_full(&source.to_string()) => rerun(MAKE_ROOM),
            Self::Folder { .. } => rerun("with a writable directory: --backup-folder DIR"),
            Self::NotRun { .. } => rerun(
                "first make the program executable, or specify another directory with --pg-bin",
            ),
            Self::Dump {
                forbidden: Some(next),
                ..
            } => next.clone(),
            Self::Dump { said, .. } => rerun(after_dump(said)),
            Self::Restore { .. } => {
                rerun("when the server is reachable, or with another --scratch-server")
            }
            Self::Blocked { .. } => rerun(
                "when those sessions have ended, or with a longer --lock-timeout or more --lock-retries",
            ),
            Self::Unsound { database, .. } => rerun(format!(
                "if it fails again, fix the object in {database} (rows that violate a constraint cannot be restored), or \
                 check the disk"
            )),
            Self::Scratch { source, .. } => source.next().unwrap_or_else(|| {
                rerun("first fix the error of pg_restore, or use another --scratch-server")
            }),
            Self::Manifest(_) => rerun(MAKE_ROOM),
            Self::Service(error) => error
                .next()
                .unwrap_or_else(|| rerun("when the database is reachable")),
        }
    }
}

impl From<BackupError> for ServiceError {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::Service(error) => error,
            error => Diagnostic::new(error.exit_status(), with_causes(&error), error.next()).into(),
        }
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
        let full = dump("could not write to output file: No space left on device");
        assert_eq!(full.exit_status(), ExitStatus::Failed);
        assert!(full.next().contains("free disk space"), "{}", full.next());
        let locked = dump(
            "query failed: ERROR:  canceling statement due to statement timeout; query was: LOCK TABLE a",
        );
        assert_eq!(locked.exit_status(), ExitStatus::Unavailable);
        assert!(locked.next().contains("table lock"), "{}", locked.next());
        let forbidden = dump("query failed: ERROR:  permission denied for table a");
        assert_eq!(forbidden.exit_status(), ExitStatus::Refused);
        assert!(forbidden.next().contains("pg_read_all_data"));
        let full = dump(
            "connection to server at \"h\", port 1 failed: FATAL:  sorry, too many clients already",
        );
        assert!(full.is_of_full_server());
        assert_eq!(full.exit_status(), ExitStatus::Unavailable);
        let gone = dump("connection to server at \"h\", port 1 failed");
        assert_eq!(gone.exit_status(), ExitStatus::Unavailable);
        assert!(!gone.is_of_full_server());
    }
}
