//! What a scratch database is filled with where its state is not replayed: a dump of the live schema, or a backup. Floor 4.
//!
//! Responsible for where that comes from and for pouring it into a scratch database. Not for what is rehearsed on it.

mod backup;
mod live;
mod pour;

use std::path::PathBuf;

use shared::domain::{ExitStatus, rerun};
use shared::inspect::ServiceError;

use crate::client_program::{ClientProgram, ClientProgramError};
use crate::restore::Restoration;
use crate::scratch::ScratchError;

pub(super) use pour::PourError;

/// What a scratch database is filled with.
#[derive(Clone, Debug)]
pub struct Archive {
    /// What it is, for people.
    what: String,
    /// The version of the server that it comes from, as in `15.18`.
    server_version: String,
    /// What reads it.
    pg_restore: ClientProgram,
    /// One after the other.
    dumps: Vec<Dump>,
    /// Roles that it is known to name.
    roles: Vec<String>,
    /// The backup, which nobody may remove meanwhile.
    #[expect(dead_code, reason = "held for its lock")]
    backup: Option<Restoration>,
}

/// What `pg_dump` wrote.
#[derive(Clone, Debug)]
enum Dump {
    /// Of a schema, or of our own tables: small.
    InMemory(Vec<u8>),
    /// A file, or a folder of files.
    At(PathBuf),
}

/// What to do where a client program does not get through.
const SEE_TO_IT: &str = "first see to what it says (a missing role, extension or right), or give a server like the live one with --scratch-server";

fn failed(message: String, next: &str) -> ScratchError {
    ended(message, next, ExitStatus::Failed)
}

fn ended(message: String, next: &str, exit_code: ExitStatus) -> ScratchError {
    ServiceError::PreRunCheck {
        message,
        next: rerun(next),
        exit_code,
    }
    .into()
}

fn no_program(error: &ClientProgramError) -> ScratchError {
    ended(
        error.to_string(),
        "first install the client programs of that PostgreSQL, or give their folder with --pg-bin",
        ExitStatus::Usage,
    )
}

fn interrupted(error: &tokio::task::JoinError) -> ScratchError {
    failed(
        format!("reading a backup was interrupted: {error}"),
        "nothing was changed",
    )
}
