//! An atomic release: the decision on it, and what its prepared transactions held.

use serde::Serialize;

/// What becomes of an atomic release: the same in every database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// All of it is committed.
    Commit,
    /// All of it is rolled back.
    Rollback,
}

impl Decision {
    /// The word of the table `orchestrator.releases` and of JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Rollback => "rollback",
        }
    }

    /// The decision that a word stands for.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Commit, Self::Rollback]
            .into_iter()
            .find(|decision| decision.as_str() == word)
    }
}

/// A lock on a relation that others knew before the release.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct HeldLock {
    /// The relation, with its schema.
    pub relation: String,
    /// PostgreSQL's word, such as `AccessExclusiveLock`.
    pub mode: String,
}
