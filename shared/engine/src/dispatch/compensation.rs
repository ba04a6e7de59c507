//! What the dispatcher needs to undo what a run has applied.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;

use uuid::Uuid;

use crate::inspect::ServiceError;
use domain::{Plan, ServiceName, Version};

/// Migrations by service.
pub type Migrations = BTreeMap<ServiceName, BTreeSet<Version>>;

/// The reverts, in order, that undo a run.
#[derive(Clone, Debug)]
pub struct Compensation {
    /// The run to undo.
    pub of_run: Uuid,
    /// The failure in it.
    pub because: String,
    /// The reverts. An irreversible one stops the compensation when its turn comes.
    pub plan: Plan,
}

/// Reverts planned from the current state of the databases, in order; or the services that prevent them.
pub type PlannedReverts<'c> =
    Pin<Box<dyn Future<Output = Result<Plan, Vec<(ServiceName, ServiceError)>>> + 'c>>;

/// Plans the reverts of migrations from the current state of the databases.
pub type PlanReverts<'c> = Box<dyn Fn(Migrations) -> PlannedReverts<'c> + 'c>;

/// The command that restores services from a backup.
pub type RestoreCommand<'c> = Box<dyn Fn(&[&ServiceName], &str) -> String + 'c>;

/// How a run undoes what earlier runs have left, and what it has applied itself.
pub struct Reverts<'c> {
    /// What is undone before anything is applied.
    pub first: Vec<Compensation>,
    /// Plans how to undo what this run has applied.
    pub plan: PlanReverts<'c>,
    /// The command that resumes the compensation of a run.
    pub resume: Box<dyn Fn(Uuid) -> String + 'c>,
    /// The command that restores services from a backup: a manifest or `latest`.
    pub restore: RestoreCommand<'c>,
    /// The manifest of the backup taken for this run.
    pub restore_from: Option<String>,
}

/// A plan that visits each service once, whatever the order of its steps.
pub(super) fn visits(plan: &Plan) -> Plan {
    let mut steps: Vec<domain::Step> = Vec::new();
    for step in &plan.steps {
        if steps.iter().all(|known| known.service != step.service) {
            let mut step = step.clone();
            step.after.clear();
            step.gates.clear();
            steps.push(step);
        }
    }
    Plan {
        steps,
        gates: Vec::new(),
    }
}

pub(super) fn migrations(plan: &Plan) -> Migrations {
    let mut migrations = Migrations::new();
    for step in &plan.steps {
        migrations
            .entry(step.service.clone())
            .or_default()
            .insert(step.version);
    }
    migrations
}
