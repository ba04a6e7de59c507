//! Fills a scratch database from a dump of the live schema or from a backup, instead of a replay.
//!

mod backup;
mod live;
mod pour;

use std::path::PathBuf;

use domain::{Diagnostic, ExitStatus, rerun};

use ::backup::restore::Restoration;
use client_program::ClientProgram;
use scratch::ScratchError;

pub(super) use pour::PourError;

/// A dump or backup that fills a scratch database.
#[derive(Clone, Debug)]
pub struct Archive {
    /// A description for messages.
    what: String,
    /// The version of the source server, such as `15.18`.
    server_version: String,
    /// The `pg_restore` that reads the archive.
    pg_restore: ClientProgram,
    /// The dumps, in the order in which they are restored.
    dumps: Vec<Dump>,
    /// Roles that the archive is known to mention.
    roles: Vec<String>,
    /// The backup, locked against removal while it is used.
    #[expect(dead_code, reason = "held for its lock")]
    backup: Option<Restoration>,
}

/// The output of `pg_dump`.
#[derive(Clone, Debug)]
enum Dump {
    /// A dump of a schema or of our own tables, which is small.
    InMemory(Vec<u8>),
    /// The path of a file or folder.
    At(PathBuf),
}

/// The next step after a client program fails.
const FIX_CAUSE: &str = "first fix the reported cause (a missing role, extension or privilege), or choose a server like the live one with --scratch-server";

/// The next step after a client program ended with an exit code.
fn next_after(exit_code: ExitStatus) -> &'static str {
    match exit_code {
        ExitStatus::Unavailable => "when the server is reachable",
        _ => FIX_CAUSE,
    }
}

fn failed(message: String, next: &str) -> ScratchError {
    ended(message, next, ExitStatus::Failed)
}

fn ended(message: String, next: &str, exit_code: ExitStatus) -> ScratchError {
    Diagnostic::new(exit_code, message, rerun(next)).into()
}

fn interrupted(error: &tokio::task::JoinError) -> ScratchError {
    failed(
        format!("reading a backup was interrupted: {error}"),
        "nothing was changed",
    )
}
