//! The result of rehearsing one migration.

use serde::Serialize;

use super::{ColumnOrder, Finding};

/// Whether a migration can be undone, and how that is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "reversible", rename_all = "snake_case")]
pub enum Reversibility {
    /// The schema was as expected after each of up, down, up.
    Proven,
    /// The schema differed; the findings list the differences.
    Disproven,
    /// The migration is marked irreversible.
    Irreversible {
        /// The reason in the directive.
        reason: String,
    },
    /// There is no revert file.
    NoRevert,
    /// The migration itself failed.
    Unknown,
}

/// What a migration did to one relation that existed before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SeenLock {
    /// The relation, with its schema.
    pub relation: String,
    /// PostgreSQL's name of the strongest lock, such as `AccessExclusiveLock`.
    pub mode: String,
    /// The 1-based line of the statement that acquired it.
    pub line: u32,
    /// How long it was held, in microseconds, from the statement that acquired it to the commit.
    pub held_us: u64,
    /// What the lock blocked: `blocks writes`, `blocks reads and writes`; `None` if it blocked nothing that applications do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocks: Option<String>,
    /// Whether the relation was rewritten.
    pub rewritten: bool,
    /// Whether the relation was truncated.
    pub emptied: bool,
    /// Whether the whole relation was scanned.
    pub scanned: bool,
}

/// The result of rehearsing one migration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rehearsed {
    /// The name of the migration.
    pub name: String,
    /// Whether it can be undone.
    #[serde(flatten)]
    pub reversibility: Reversibility,
    /// The findings of the rehearsal.
    pub findings: Vec<Finding>,
    /// The locks that it acquired on relations that existed before it.
    pub locks: Vec<SeenLock>,
    /// Tables whose columns are in a different order after the revert, which is not a finding.
    pub column_order: Vec<ColumnOrder>,
    /// What could not be checked and why, such as tables for which no rows could be generated.
    pub notes: Vec<String>,
    /// The number of rows in the database when it ran.
    pub rows: u64,
    /// How long it took, in milliseconds.
    pub up_ms: u64,
    /// How long its revert took, in milliseconds; `None` if it did not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub down_ms: Option<u64>,
    /// How long the second up took, in milliseconds; `None` if it did not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub again_ms: Option<u64>,
}
