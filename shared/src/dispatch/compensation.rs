//! What the dispatcher needs in order to undo what a run has applied.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;

use uuid::Uuid;

use crate::domain::{Plan, ServiceName, Version};
use crate::inspect::ServiceError;

/// Migrations, by service.
pub type Migrations = BTreeMap<ServiceName, BTreeSet<Version>>;

/// Reverts, in order, of what a run has left.
#[derive(Clone, Debug)]
pub struct Compensation {
    /// The run.
    pub of_run: Uuid,
    /// What failed in it.
    pub because: String,
    /// The reverts. One that has no way back stops the compensation when it is its turn.
    pub plan: Plan,
}

/// The reverts of migrations as they stand now, in order; or the services that are in the way.
pub type Undoing<'c> =
    Pin<Box<dyn Future<Output = Result<Plan, Vec<(ServiceName, ServiceError)>>> + 'c>>;

/// Plans the reverts of migrations, from what is in the databases now.
pub type PlanReverts<'c> = Box<dyn Fn(Migrations) -> Undoing<'c> + 'c>;

/// The command that restores services from a backup.
pub type RestoreCommand<'c> = Box<dyn Fn(&[&ServiceName], &str) -> String + 'c>;

/// How a run undoes: what earlier runs have left, and what it has applied itself.
pub struct Reverts<'c> {
    /// What is undone before anything is applied.
    pub first: Vec<Compensation>,
    /// How to undo what this run has applied.
    pub plan: PlanReverts<'c>,
    /// The command that goes on with the compensation of a run.
    pub resume: Box<dyn Fn(Uuid) -> String + 'c>,
    /// The command that restores services from a backup: a manifest, or `latest`.
    pub restore: RestoreCommand<'c>,
    /// The manifest of the backup that was taken for this run.
    pub restore_from: Option<String>,
}

/// A plan by which each service is visited once, whatever the order of its steps.
pub(super) fn visits(plan: &Plan) -> Plan {
    let mut steps: Vec<crate::domain::Step> = Vec::new();
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

/// The versions of a plan, by service.
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
