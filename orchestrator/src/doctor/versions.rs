//! Versions of the server and of `pg_dump`.

use super::checks::ServerFacts;
use super::{Finding, Severity};
use crate::client_program::ClientProgramError;
use shared::domain::rerun;

/// The oldest major version that is supported.
const OLDEST: i32 = 14;

pub(super) fn check(server: &ServerFacts) -> Vec<Finding> {
    let major = server.rows.version_number / 10_000;
    let mut found = Vec::new();
    if major < OLDEST {
        found.push(server.finding(
            "server_version",
            Severity::Error,
            format!(
                "PostgreSQL {} is older than {OLDEST}, the oldest that is supported",
                server.rows.version
            ),
            rerun(format!(
                "after an upgrade of the server to PostgreSQL {OLDEST} or newer"
            )),
            None,
        ));
    }
    if let Err(error) = &server.pg_dump {
        let severity = match error {
            ClientProgramError::Absent { .. } => Severity::Note,
            ClientProgramError::TooOld { .. } => Severity::Warning,
        };
        found.push(server.finding(
            "pg_dump_version",
            severity,
            format!("no backup can be made from here: {error}"),
            rerun(format!("first install the client programs of PostgreSQL {major}, or give their folder with --pg-bin")),
            None,
        ));
    }
    found
}
