//! Why there is no backup.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use shared::domain::{Blocker, ExitStatus, rerun, with_causes};
use shared::inspect::ServiceError;
use shared::report::blockers;

use super::ManifestError;
use crate::client_program::ClientProgramError;
use crate::scratch::ScratchError;

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// `pg_dump` or `pg_restore` is not there, or too old.
    #[error(transparent)]
    Program(#[from] ClientProgramError),
    /// The folder cannot be made or written.
    #[error("no backup can be written to {}", path.display())]
    Folder {
        /// The folder, or what is in it.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A program does not start.
    #[error("{program} cannot be run")]
    NotRun {
        /// The program.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// `pg_dump` did not get through.
    #[error("{database}: pg_dump failed: {said}")]
    Dump {
        /// The database.
        database: String,
        /// The folder of the dump.
        folder: PathBuf,
        /// Its words, or how it ended.
        said: String,
        /// What to do next, where the role may not read something.
        forbidden: Option<String>,
    },
    /// Somebody holds a lock that a reader conflicts with.
    #[error(
        "{database}: the dump waited {} for {}", humantime::format_duration(*waited), blockers(who)
    )]
    Blocked {
        /// The database.
        database: String,
        /// How long it was waited for.
        waited: Duration,
        /// Who holds it.
        who: Vec<Blocker>,
    },
    /// The dump is not what it should be.
    #[error("{}: the dump of {database} is not sound: {why}", path.display())]
    Unsound {
        /// The database.
        database: String,
        /// The dump.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// It could not be restored for a test.
    #[error("{database}: the dump could not be restored for a test")]
    Scratch {
        /// The database.
        database: String,
        /// Why.
        source: ScratchError,
    },
    /// The manifest cannot be written.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The database cannot be reached, or says no.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

impl BackupError {
    /// The exit code that it leads to.
    pub fn exit_status(&self) -> ExitStatus {
        match self {
            Self::Program(_) | Self::Folder { .. } => ExitStatus::Usage,
            Self::Blocked { .. } => ExitStatus::Unavailable,
            Self::Dump { said, .. } if is_unavailable(said) => ExitStatus::Unavailable,
            Self::Dump {
                forbidden: Some(_), ..
            } => ExitStatus::Refused,
            Self::Service(error) => error.exit_status(),
            Self::Scratch { source, .. } => source.exit_status(),
            Self::NotRun { .. } | Self::Dump { .. } | Self::Unsound { .. } | Self::Manifest(_) => {
                ExitStatus::Failed
            }
        }
    }

    /// Whether the server had no free connection for `pg_dump`.
    pub(super) fn is_of_full_server(&self) -> bool {
        matches!(self, Self::Dump { said, .. } if is_of_full_server(said))
    }

    /// What to do next.
    pub fn next(&self) -> String {
        match self {
            Self::Program(ClientProgramError::Absent { name, .. }) => rerun(format!(
                "first install {name}, or give its folder with --pg-bin"
            )),
            Self::Program(ClientProgramError::TooOld { major, .. }) => rerun(format!(
                "first install the client programs of PostgreSQL {major} or newer, or give their folder with --pg-bin"
            )),
            Self::Folder { source, .. } if is_full(&source.to_string()) => rerun(MAKE_ROOM),
            Self::Folder { .. } => {
                rerun("with a folder that can be written to: --backup-folder FOLDER")
            }
            Self::NotRun { .. } => rerun(
                "first see whether it can be executed, or give a folder with others with --pg-bin",
            ),
            Self::Dump {
                forbidden: Some(next),
                ..
            } => next.clone(),
            Self::Dump { said, .. } => rerun(after_dump(said)),
            Self::Blocked { .. } => rerun(
                "when they have ended; --lock-timeout and --lock-retries decide how long to wait",
            ),
            Self::Unsound { database, .. } => rerun(format!(
                "if it happens again, fix in {database} what is named (rows that break a constraint of their own table cannot be \
                 restored), or look at the disk"
            )),
            Self::Scratch { source, .. } => source.next().unwrap_or_else(|| {
                rerun("after a look at the words of pg_restore, or with another --scratch-server")
            }),
            Self::Manifest(_) => rerun(MAKE_ROOM),
            Self::Service(error) => error
                .next()
                .unwrap_or_else(|| rerun("once the database can be reached")),
        }
    }
}

impl From<BackupError> for ServiceError {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::Service(error) => error,
            error => Self::PreRunCheck {
                message: with_causes(&error),
                next: error.next(),
                exit_code: error.exit_status(),
            },
        }
    }
}

const MAKE_ROOM: &str = "first make room there (--keep removes old backups), or give another folder with --backup-folder";

fn is_full(words: &str) -> bool {
    ["No space left", "quota exceeded", "File too large"]
        .iter()
        .any(|sign| words.contains(sign))
}

/// The words of the server, of its roles' and databases' limits among them; `pg_dump` has no codes.
fn is_of_full_server(said: &str) -> bool {
    [
        "too many clients",
        "too many connections",
        "remaining connection slots",
        "the database system is starting up",
    ]
    .iter()
    .any(|sign| said.contains(sign))
}

fn is_locked(said: &str) -> bool {
    ["statement timeout", "lock timeout", "could not obtain lock"]
        .iter()
        .any(|sign| said.contains(sign))
}

/// Whether it is the server, or a lock, that could not be had.
fn is_unavailable(said: &str) -> bool {
    is_locked(said)
        || is_of_full_server(said)
        || [
            "connection to server",
            "server closed the connection",
            "terminating connection",
            "the database system is",
        ]
        .iter()
        .any(|sign| said.contains(sign))
}

fn after_dump(said: &str) -> &'static str {
    if is_full(said) {
        MAKE_ROOM
    } else if said.contains("row-level security") {
        "as the owner of the table, or as a role with BYPASSRLS"
    } else if is_locked(said) {
        "when whoever alters a table is through"
    } else if is_unavailable(said) {
        "once the server can be reached"
    } else {
        "first fix what pg_dump complains of"
    }
}

#[cfg(test)]
mod tests {
    use shared::config::DatabaseAddress;

    use super::*;
    use crate::client_program::without_right;

    fn dump(said: &str) -> BackupError {
        BackupError::Dump {
            database: "soc_auth".to_owned(),
            folder: PathBuf::from("backups"),
            said: said.to_owned(),
            forbidden: without_right(said, &DatabaseAddress::local("h", 1, "me", "soc_auth")),
        }
    }

    #[test]
    fn the_words_of_pg_dump_lead_to_what_helps() {
        let full = dump("could not write to output file: No space left on device");
        assert_eq!(full.exit_status(), ExitStatus::Failed);
        assert!(full.next().contains("make room there"), "{}", full.next());
        let locked = dump(
            "query failed: ERROR:  canceling statement due to statement timeout; query was: LOCK TABLE a",
        );
        assert_eq!(locked.exit_status(), ExitStatus::Unavailable);
        assert!(
            locked.next().contains("alters a table"),
            "{}",
            locked.next()
        );
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
