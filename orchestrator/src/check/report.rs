//! The findings in order, and their counts.

use domain::{ExitStatus, Finding, ServiceName, Severity, Version};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Proof, Rehearsals, Unrehearsed};
use rehearsal::Reversibility;

/// The counts of a check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Summary {
    /// Services that were checked.
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

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Report {
    /// By service, version, file and place.
    pub findings: Vec<Finding>,
    /// The result of each migration's rehearsal.
    pub rehearsed: Vec<Proof>,
    /// Migrations that were not rehearsed, because the engine does not run them or an earlier one.
    pub left_out: Vec<LeftOut>,
    /// Services whose rehearsal did not finish for a reason other than their files.
    pub failed: Vec<Unrehearsed>,
    /// The counts.
    pub summary: Summary,
}

/// A migration that was not rehearsed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LeftOut {
    pub service: ServiceName,
    pub version: Version,
}

impl Report {
    /// Sorts and counts the findings of that many services and migrations.
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
            findings,
            rehearsed: rehearsals.proofs,
            left_out: left_out
                .map(|(service, version)| LeftOut { service, version })
                .collect(),
            failed: rehearsals.unrehearsed,
            summary,
        }
    }
    /// The exit code.
    pub fn exit_status(&self) -> ExitStatus {
        // Even if the failure before them is allowed, migrations that were not checked are never a success.
        let found = if self.summary.errors > 0 || !self.left_out.is_empty() {
            ExitStatus::Findings
        } else {
            ExitStatus::Done
        };
        self.failed.iter().fold(found, |worst, failed| {
            worst.or_worse(failed.error.0.exit_code)
        })
    }
}
