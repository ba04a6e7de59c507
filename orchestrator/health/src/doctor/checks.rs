//! All checks, in the order in which their findings are reported.

use std::time::Duration;

use domain::History;
use domain::{Service, ServiceName, commented, suggest};
use pg_address::DatabaseAddress;

use super::queries::{DatabaseRows, ServerRows};
use super::{
    Finding, Remedy, Severity, compensation, constraints, files, histories, indexes, locks,
    partitions, prepared, restored_databases, scratch_databases, sessions, steps, versions, writes,
};

use backup::restore::KeptDatabase;
use client_program::{ClientProgram, ClientProgramError};

/// The facts about one service's database.
pub(super) struct Database<'a> {
    pub service: &'a Service,
    /// The services that share the database.
    pub neighbours: Vec<&'a Service>,
    pub address: &'a DatabaseAddress,
    pub history: &'a History,
    pub rows: DatabaseRows,
    /// The missing schema of the history table, and the SQL that creates it.
    pub missing_schema: Option<(String, String)>,
    /// How long a session may be idle before it is reported.
    pub idle_after: Duration,
}

/// The facts about one server.
pub(super) struct ServerFacts {
    pub address: DatabaseAddress,
    pub rows: ServerRows,
    pub pg_dump: Result<ClientProgram, ClientProgramError>,
    /// Databases that restores replaced and kept, with the service.
    pub kept: Vec<(ServiceName, KeptDatabase)>,
    /// Databases that killed restores left.
    pub dead_restores: Vec<String>,
}

/// The checks of a service's database.
const DATABASE_CHECKS: [fn(&Database<'_>) -> Vec<Finding>; 13] = [
    writes::check,
    files::check,
    steps::check,
    compensation::check,
    histories::check,
    locks::check,
    sessions::hidden,
    sessions::idle,
    sessions::blocked,
    prepared::check,
    indexes::check,
    constraints::check,
    partitions::check,
];

/// The checks of a server.
const SERVER_CHECKS: [fn(&ServerFacts) -> Vec<Finding>; 3] = [
    versions::check,
    scratch_databases::check,
    restored_databases::check,
];

/// The command that repeats the check while a run is in progress.
pub(super) fn busy(service: &ServiceName) -> String {
    commented(
        suggest(["doctor", service.as_str()]),
        "a run is in progress: rerun doctor when it has ended",
    )
}

impl Database<'_> {
    pub(super) fn findings(&self) -> Vec<Finding> {
        DATABASE_CHECKS
            .iter()
            .flat_map(|check| check(self))
            .collect()
    }

    pub(super) fn finding(
        &self,
        kind: &'static str,
        severity: Severity,
        what: String,
        next: String,
        remedy: Option<Remedy>,
    ) -> Finding {
        Finding {
            kind,
            severity,
            service: Some(self.service.name.clone()),
            place: self.address.to_string(),
            what,
            next,
            remedy,
        }
    }

    pub(super) fn name(&self) -> &ServiceName {
        &self.service.name
    }

    /// Whether a run is in progress: an unfinished step is then not a problem.
    pub(super) fn is_running(&self) -> bool {
        !self.rows.holders.is_empty()
    }

    /// The command that finishes or undoes an interrupted step.
    pub(super) fn resume(&self) -> Option<String> {
        let interruption = self.history.interrupted.first()?;
        Some(self.orchestrator(steps::command(interruption.direction)))
    }

    /// A command such as `orchestrator run policy`, with the given global flags.
    pub(super) fn orchestrator(&self, command: &str) -> String {
        suggest([command, self.name().as_str()])
    }

    pub(super) fn idle_limit(&self) -> i64 {
        i64::try_from(self.idle_after.as_secs()).unwrap_or(i64::MAX)
    }
}

impl ServerFacts {
    pub(super) fn findings(&self) -> Vec<Finding> {
        SERVER_CHECKS.iter().flat_map(|check| check(self)).collect()
    }

    pub(super) fn finding(
        &self,
        kind: &'static str,
        severity: Severity,
        what: String,
        next: String,
        remedy: Option<Remedy>,
    ) -> Finding {
        Finding {
            kind,
            severity,
            service: None,
            place: self.address.server_key(),
            what,
            next,
            remedy,
        }
    }
}
