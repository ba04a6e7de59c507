//! Versions of the server and of `pg_dump`.

use super::checks::ServerFacts;
use super::{Finding, Severity};
use client_program::ClientProgramError;
use domain::rerun;

/// The oldest supported major version.
const OLDEST: i32 = 14;

pub(super) fn check(server: &ServerFacts) -> Vec<Finding> {
    let major = server.rows.version_number / 10_000;
    let mut found = Vec::new();
    if major < OLDEST {
        found.push(server.finding(
            "server_version",
            Severity::Error,
            format!(
                "PostgreSQL {} is not supported; the oldest supported version is {OLDEST}",
                server.rows.version
            ),
            rerun(format!(
                "after upgrading the server to PostgreSQL {OLDEST} or newer"
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
            format!("backups are not possible from this machine: {error}"),
            rerun(format!("first install the client programs of PostgreSQL {major}, or specify their directory with --pg-bin")),
            None,
        ));
    }
    found
}
