//! Versions of the server and of `pg_dump`.

use super::checks::ServerFacts;
use super::{Finding, Severity};

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
            format!("upgrade the server to PostgreSQL {OLDEST} or newer"),
            None,
        ));
    }
    match &server.pg_dump {
        None => found.push(server.finding(
            "pg_dump_version",
            Severity::Note,
            "there is no pg_dump on this machine: no backup can be made from here".to_owned(),
            format!("install the client programs of PostgreSQL {major}, or give their folder with --pg-bin"),
            None,
        )),
        Some(pg_dump) if pg_dump.major < major => found.push(server.finding(
            "pg_dump_version",
            Severity::Warning,
            format!(
                "{} is of version {}, and refuses to dump this server (PostgreSQL {})",
                pg_dump.path.display(),
                pg_dump.version,
                server.rows.version
            ),
            format!("install the client programs of PostgreSQL {major}, or give their folder with --pg-bin"),
            None,
        )),
        Some(_) => {}
    }
    found
}
