//! Errors of the project's own servers.
//!
//! Responsible for: one case per failure, with the data to act on it. Not for: failing to find
//! server binaries ([`BinariesError`]), which is detected before any server is touched.

use domain::{Diagnostic, ExitStatus, rerun, suggest};
use std::io;
use std::path::{Path, PathBuf};

use super::binaries::BinariesError;

/// Why a local or throw-away server is unusable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LocalServerError {
    /// No server binaries.
    #[error(transparent)]
    Binaries(#[from] BinariesError),
    #[error("cannot {action} {}", path.display())]
    File {
        /// The failed action, as a verb.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    #[error(
        "cannot run {} as user '{user}': its folder must be accessible to that user; choose other server \
         binaries with --pg-bin",
        program.display()
    )]
    Program {
        program: PathBuf,
        /// The user it was to run as.
        user: String,
        #[source]
        source: io::Error,
    },
    /// The caller is root, and no unprivileged user exists to run the server.
    #[error(
        "PostgreSQL does not run as root, and neither user 'postgres' nor user 'nobody' exists: add one, or rerun \
         as an ordinary user"
    )]
    NoUnprivilegedUser,
    #[error("{} belongs to {owner}, not to {caller}: rerun as {owner}, or remove that folder", path.display())]
    ForeignOwner {
        /// What is owned.
        path: PathBuf,
        owner: String,
        /// The calling user.
        caller: String,
    },
    #[error(
        "{} was not created for the local server and is not touched: rename or remove it, or set ORCHESTRATOR_SERVER_URL",
        folder.display()
    )]
    NotOurs { folder: PathBuf },
    #[error(
        "user '{user}', who owns the local server's data, cannot enter {}: open the folders above it to that \
         user, move the project back, or discard the data: {}",
        folder.display(),
        suggest(["local", "reset"])
    )]
    Unreachable {
        /// The folder with the data.
        folder: PathBuf,
        /// The user that the server runs as.
        user: String,
    },
    #[error(
        "no folder for the data of a server that runs as user '{user}' (tried {}): run this as an ordinary \
         user, or point to a running server with ORCHESTRATOR_SERVER_URL",
        list(tried)
    )]
    NoReachableFolder {
        /// The user that the server would run as.
        user: String,
        /// The folders tried.
        tried: Vec<PathBuf>,
    },
    #[error("cannot obtain random bytes for the local server's password")]
    Random(#[source] getrandom::Error),
    #[error(
        "the local server's password file {} is missing: restore it, or discard the data: {}",
        path.display(),
        suggest(["local", "reset"])
    )]
    PasswordMissing {
        /// Where it should be.
        path: PathBuf,
    },
    #[error(
        "the local server's data in {} are of PostgreSQL {data}, the server binaries in {} of {binaries}: name \
         binaries of {data} with --pg-bin, or discard the data: {}",
        data_dir.display(),
        folder.display(),
        suggest(["local", "reset"])
    )]
    OtherMajor {
        /// The data folder.
        data_dir: PathBuf,
        /// Its major version.
        data: u32,
        /// The folder of the binaries.
        folder: PathBuf,
        /// Their major version.
        binaries: u32,
    },
    /// The data folder lacks a readable `PG_VERSION`.
    #[error(
        "{} has no readable PG_VERSION: restore it, or discard the data: {}",
        data_dir.display(),
        suggest(["local", "reset"])
    )]
    NotADataFolder {
        /// The data folder.
        data_dir: PathBuf,
    },
    #[error(
        "{holder} has been starting or stopping the local server for {seconds} s (lock {}): wait for it or end it, \
         then rerun",
        lock.display()
    )]
    Busy {
        /// Which process, as far as is known.
        holder: String,
        /// How long this process waited.
        seconds: u64,
        /// The lock file.
        lock: PathBuf,
    },
    /// `initdb` failed.
    #[error("initdb cannot create {}: {message}", data_dir.display())]
    Initdb {
        /// The target data folder.
        data_dir: PathBuf,
        /// The output of initdb.
        message: String,
    },
    #[error("cannot copy the prepared data folder to {}: {message}", data_dir.display())]
    Copy {
        /// The target data folder.
        data_dir: PathBuf,
        /// The output of the copy program.
        message: String,
    },
    #[error("the PostgreSQL server did not start: {message} (log: {})", log.display())]
    Start {
        /// The decisive line of the log.
        message: String,
        /// The server's log.
        log: PathBuf,
    },
    #[error(
        "the PostgreSQL server has been starting for {seconds} s, probably recovering from a crash: rerun \
         later (log: {})",
        log.display()
    )]
    StillStarting {
        /// How long this process waited.
        seconds: u64,
        /// The server's log.
        log: PathBuf,
    },
    #[error(
        "processes of an earlier server still use {} after {seconds} s (of another container, or in a long \
         query): end them, then rerun",
        data_dir.display()
    )]
    Leftovers {
        /// The data folder.
        data_dir: PathBuf,
        /// How long this process waited.
        seconds: u64,
    },
    #[error("no free port from {first} to {last} on 127.0.0.1: stop some of the servers there")]
    NoFreePort {
        /// The first port tried.
        first: u16,
        /// The last port tried.
        last: u16,
    },
    #[error("cannot signal the PostgreSQL server's process {pid}: stop it manually")]
    Signal {
        /// Its main process.
        pid: u32,
        #[source]
        source: io::Error,
    },
    #[error(
        "the PostgreSQL server (process {pid}) did not stop within {seconds} s: see its log {}, or end it \
         manually",
        log.display()
    )]
    StillRunning {
        /// Its main process.
        pid: u32,
        /// How long this process waited.
        seconds: u64,
        /// The server's log.
        log: PathBuf,
    },
}

impl LocalServerError {
    /// For `map_err`: a failed action on a path.
    pub(super) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File {
            action,
            path: path.to_owned(),
            source,
        }
    }
}

fn list(paths: &[PathBuf]) -> String {
    let paths: Vec<String> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    paths.join(", ")
}

impl From<LocalServerError> for Diagnostic {
    fn from(error: LocalServerError) -> Self {
        let exit_code = match error {
            // The programs are missing, or the server belongs to another project: the user must configure or install something.
            LocalServerError::Binaries(_) | LocalServerError::NotOurs { .. } => ExitStatus::Usage,
            _ => ExitStatus::Unavailable,
        };
        Self::of(exit_code, &error, Some(rerun("after correcting that")))
    }
}
