//! What was found, in order and in numbers. Floor 4.

use serde::Serialize;
use shared::domain::{Finding, Severity};

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
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    schema: u32,
    /// By service, version, file and place.
    pub findings: Vec<Finding>,
    /// In numbers.
    pub summary: Summary,
}

impl Report {
    /// Of what was found in so many services and migrations.
    pub fn new(services: usize, migrations: usize, mut findings: Vec<Finding>) -> Self {
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
        };
        Self {
            schema: 1,
            findings,
            summary,
        }
    }
}
