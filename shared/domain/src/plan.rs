//! A plan: steps and the order between them.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use super::{Requirement, ServiceName, Version};

/// Whether a step applies or undoes a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Apply the migration.
    Up,
    /// Run its revert file.
    Down,
}

impl Direction {
    /// The name in the journal and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One migration to apply or to undo.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Step {
    pub service: ServiceName,
    /// The version of the migration.
    pub version: Version,
    /// The name of the migration.
    pub name: String,
    /// Apply or undo.
    pub direction: Direction,
    /// The wave, from 1. Steps of one wave have no order between them. For display only.
    pub wave: usize,
    /// The cross-service requirements of its file.
    pub requires: Vec<Requirement>,
    /// Indices of the steps that must be done before it.
    #[serde(skip)]
    pub after: Vec<usize>,
    /// Indices of the gates that must be met before it.
    #[serde(skip)]
    pub gates: Vec<usize>,
    /// How long it took last time, in milliseconds; `None` if it is unknown.
    #[serde(skip)]
    pub expected_ms: Option<u64>,
    /// How long the longest path from this step to the end is expected to take, in milliseconds. Steps with longer paths start first.
    #[serde(skip)]
    pub remaining_ms: u64,
}

/// A requirement on a database that this run does not migrate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
pub struct Gate {
    /// The service whose database is checked.
    pub service: ServiceName,
    /// The migrations that must be applied there.
    pub versions: Vec<Version>,
}

/// The steps of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Plan {
    /// The steps, each after those that it waits for.
    pub steps: Vec<Step>,
    /// Requirements on databases outside the run.
    pub gates: Vec<Gate>,
}

impl Plan {
    /// Computes the waves and the longest remaining paths from the order of the steps. A step of unknown duration counts as the mean of
    /// the others; if all are unknown, the number of steps decides.
    #[must_use]
    pub fn ranked(mut self) -> Self {
        for index in 0..self.steps.len() {
            let wave = self.steps[index]
                .after
                .iter()
                .map(|&before| self.steps[before].wave)
                .max()
                .unwrap_or(0);
            self.steps[index].wave = wave + 1;
        }
        let mean = self.mean_ms();
        let mut after_it = vec![0_u64; self.steps.len()];
        for (index, step) in self.steps.iter_mut().enumerate().rev() {
            let expected = step.expected_ms.unwrap_or(mean).max(1);
            step.remaining_ms = after_it[index].saturating_add(expected);
            for &before in &step.after {
                after_it[before] = after_it[before].max(step.remaining_ms);
            }
        }
        self
    }

    fn mean_ms(&self) -> u64 {
        let known = self.steps.iter().filter_map(|step| step.expected_ms);
        let (count, sum) = known.fold((0_u64, 0_u64), |(count, sum), it| {
            (count + 1, sum.saturating_add(it))
        });
        sum.checked_div(count).unwrap_or(1)
    }

    /// The services that have steps, in the order of their first step.
    pub fn services(&self) -> Vec<&ServiceName> {
        let mut names: Vec<&ServiceName> = Vec::new();
        for step in &self.steps {
            if !names.contains(&&step.service) {
                names.push(&step.service);
            }
        }
        names
    }
}
