//! An atomic release: its decision, and the locks of its prepared transactions.

use schemars::JsonSchema;
use serde::Serialize;

/// The decision on an atomic release, the same in every database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    Commit,
    /// Roll back all of it.
    Rollback,
}

impl Decision {
    /// The name in the table `orchestrator.releases` and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Rollback => "rollback",
        }
    }

    /// Parses the name of a decision.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Commit, Self::Rollback]
            .into_iter()
            .find(|decision| decision.as_str() == name)
    }
}

/// A lock on a relation that existed before the release.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct HeldLock {
    /// The relation, with its schema.
    pub relation: String,
    /// PostgreSQL's name of the lock mode, such as `AccessExclusiveLock`.
    pub mode: String,
}
