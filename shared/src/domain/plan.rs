//! A plan: steps and the order between them, as a value.

use std::fmt;

use serde::Serialize;

use super::{Requirement, ServiceName, Version};

/// Whether a step applies or undoes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Apply the migration.
    Up,
    /// Run its revert file.
    Down,
}

impl Direction {
    /// The word of the journal and of JSON.
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

/// Something about a step that a reviewer should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hazard {
    /// A slug: `drops-table`, `no-transaction`, …
    pub hazard: String,
    /// One sentence.
    pub detail: String,
    /// The line in the file, 1-based; `None` when it concerns the file as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}

/// One migration to apply or to undo.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The service.
    pub service: ServiceName,
    /// The migration.
    pub version: Version,
    /// Its name.
    pub name: String,
    /// Apply or undo.
    pub direction: Direction,
    /// Which wave it belongs to, from 1: steps of one wave have no order between them. For people only.
    pub wave: usize,
    /// The cross-service requirements of its file.
    pub requires: Vec<Requirement>,
    /// What a reviewer should know.
    pub hazards: Vec<Hazard>,
    /// Indices of the steps that come before.
    #[serde(skip)]
    pub after: Vec<usize>,
    /// Indices of the gates that must be met before.
    #[serde(skip)]
    pub gates: Vec<usize>,
    /// How many steps follow on the longest way to the end: the longer, the sooner it is started.
    #[serde(skip)]
    pub remaining: usize,
}

/// A requirement on a database that this run does not migrate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Gate {
    /// The service whose database is looked at.
    pub service: ServiceName,
    /// The migrations that must be applied there.
    pub versions: Vec<Version>,
}

/// What a run would do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The steps, every one after those that it waits for.
    pub steps: Vec<Step>,
    /// Requirements on databases outside the run.
    pub gates: Vec<Gate>,
}

impl Plan {
    /// Fills in waves and the longest remaining ways from the steps' order.
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
        for index in (0..self.steps.len()).rev() {
            let remaining = self.steps[index].remaining + 1;
            for before in self.steps[index].after.clone() {
                let step = &mut self.steps[before];
                step.remaining = step.remaining.max(remaining);
            }
        }
        self
    }

    /// The services that have a step, each once, in the order of their first steps.
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
