//! Compensation: what a run applied is undone because something else in it failed.

use serde::Serialize;
use uuid::Uuid;

use super::{ServiceName, Version};

/// How a database stands, seen from the run that is undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CatalogState {
    /// As before the run.
    Old,
    /// As the run wanted it.
    New,
    /// Neither: some of its migrations are applied, or one is half-done.
    Between,
    /// It could not be looked at.
    Unknown,
}

impl CatalogState {
    /// The word for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Old => "old",
            Self::New => "new",
            Self::Between => "between",
            Self::Unknown => "unknown",
        }
    }
}

/// How one database was left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DatabaseState {
    /// The service.
    pub service: ServiceName,
    /// Its database.
    pub database: String,
    /// How it stands.
    pub state: CatalogState,
    /// The newest migration that is applied.
    pub version: Option<Version>,
}

/// A compensation that did not come to its end.
#[derive(Clone, Debug, Serialize)]
pub struct CompensationStop {
    /// The run that is undone.
    pub of_run: Uuid,
    /// What stands in the way.
    pub because: String,
    /// Every database that the run changes.
    pub databases: Vec<DatabaseState>,
    /// The commands that go on from here.
    pub next: Vec<String>,
}
