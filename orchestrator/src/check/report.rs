//! What was found, in order and in numbers. Floor 4.

use serde::Serialize;
use shared::domain::{ExitStatus, Finding, Reversibility, ServiceName, Severity, Version};

use super::{Proof, Rehearsals, Unrehearsed};

/// Numbers of a check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Services that were looked at.
    pub services: usize,
    /// Their migrations.
    pub migrations: usize,
    /// Findings that lead to exit code 4.
    pub errors: usize,
    /// Findings that do not.
    pub warnings: usize,
    /// Findings that a directive allows.
    pub allowed: usize,
    /// Migrations that ran in a rehearsal.
    pub rehearsed: usize,
    /// Migrations whose reverts are proven to undo them.
    pub proven: usize,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    schema: u32,
    /// By service, version, file and place.
    pub findings: Vec<Finding>,
    /// What rehearsals showed of each migration.
    pub rehearsed: Vec<Proof>,
    /// Migrations that were not rehearsed, because the engine does not run one before them, or themselves.
    pub left_out: Vec<LeftOut>,
    /// Services of which the rehearsal did not come to its end, for no fault of their files.
    pub failed: Vec<Unrehearsed>,
    /// In numbers.
    pub summary: Summary,
}

/// A migration that was not rehearsed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// The service.
    pub service: ServiceName,
    /// The migration.
    pub version: Version,
}

impl Report {
    /// Of what was found in so many services and migrations, and what rehearsals showed.
    pub fn new(
        services: usize,
        migrations: usize,
        mut findings: Vec<Finding>,
        rehearsals: Rehearsals,
    ) -> Self {
        findings.sort_by(|one, other| {
            let key = |it: &Finding| (it.service.clone(), it.version, it.file.clone(), it.place);
            key(one)
                .cmp(&key(other))
                .then_with(|| one.rule.cmp(&other.rule))
        });
        let count = |wanted: fn(&Finding) -> bool| findings.iter().filter(|it| wanted(it)).count();
        let summary = Summary {
            services,
            migrations,
            errors: count(Finding::counts),
            warnings: count(|it| it.allowed.is_none() && it.severity == Severity::Warning),
            allowed: count(|it| it.allowed.is_some()),
            rehearsed: rehearsals
                .proofs
                .iter()
                .filter(|proof| proof.reversibility != Reversibility::Unknown)
                .count(),
            proven: rehearsals
                .proofs
                .iter()
                .filter(|proof| proof.reversibility == Reversibility::Proven)
                .count(),
        };
        let left_out = rehearsals.left_out.into_iter();
        Self {
            schema: 1,
            findings,
            rehearsed: rehearsals.proofs,
            left_out: left_out
                .map(|(service, version)| LeftOut { service, version })
                .collect(),
            failed: rehearsals.unrehearsed,
            summary,
        }
    }
    /// For the shell.
    pub fn exit_status(&self) -> ExitStatus {
        // Whatever allows the failure before them: migrations that were not looked at are never a success.
        let found = if self.summary.errors > 0 || !self.left_out.is_empty() {
            ExitStatus::Findings
        } else {
            ExitStatus::Done
        };
        self.failed
            .iter()
            .fold(found, |worst, failed| worst.or_worse(failed.exit_code))
    }
}
