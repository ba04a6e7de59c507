//! Compensation: undoing what a run applied, because another part of it failed.

use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::{ServiceName, Version};

/// The state of a database, relative to the run that is undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CatalogState {
    /// The state before the run.
    Old,
    /// The state that the run intended.
    New,
    /// In between: some of its migrations are applied, or one is half-done.
    Between,
    /// The database cannot be inspected.
    Unknown,
}

impl CatalogState {
    /// The name in human output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Old => "old",
            Self::New => "new",
            Self::Between => "between",
            Self::Unknown => "unknown",
        }
    }
}

/// The state of one database after a stopped compensation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DatabaseState {
    pub service: ServiceName,
    /// The database of the service.
    pub database: String,
    /// Its state, relative to the run that is undone.
    pub state: CatalogState,
    /// The newest applied migration.
    pub version: Option<Version>,
}

/// A compensation that stopped before it was complete.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CompensationStop {
    /// The run that is undone.
    pub of_run: Uuid,
    /// Why it stopped.
    pub because: String,
    /// Every database that the run changes.
    pub databases: Vec<DatabaseState>,
    /// The commands to continue with.
    pub next: Vec<String>,
}
