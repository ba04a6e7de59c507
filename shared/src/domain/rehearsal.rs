//! What a rehearsal of one migration showed.

use serde::Serialize;

use super::{ColumnOrder, Finding};

/// Whether a migration can be undone, and how that is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "reversible", rename_all = "snake_case")]
pub enum Reversibility {
    /// Up, down, up: each state of the schema was the one that it must be.
    Proven,
    /// The findings say what is otherwise.
    Disproven,
    /// It says itself that it cannot be undone.
    Irreversible {
        /// Why.
        reason: String,
    },
    /// There is no revert file.
    NoRevert,
    /// Its own up did not run.
    Unknown,
}

/// What a migration did to one relation that stood before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SeenLock {
    /// The relation, with its schema.
    pub relation: String,
    /// The strongest lock, in PostgreSQL's word, such as `AccessExclusiveLock`.
    pub mode: String,
    /// The statement that took it; 1-based line in the file.
    pub line: u32,
    /// For how long it was held, in microseconds, from the statement that took it to the commit.
    pub held_us: u64,
    /// What others could not do meanwhile, in words: `blocks writes`, `blocks reads and writes`; `None`: nothing that applications do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocks: Option<String>,
    /// Whether its file was written anew, rows and all.
    pub rewritten: bool,
    /// Whether it was emptied.
    pub emptied: bool,
    /// Whether all of its rows were read.
    pub scanned: bool,
}

/// What a rehearsal of one migration showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rehearsed {
    /// Its name.
    pub name: String,
    /// Whether it can be undone.
    #[serde(flatten)]
    pub reversibility: Reversibility,
    /// What is held against it.
    pub findings: Vec<Finding>,
    /// What it locked on its way up, of the relations that stood before it.
    pub locks: Vec<SeenLock>,
    /// Tables whose columns stand in another order after the revert: no fault.
    pub column_order: Vec<ColumnOrder>,
    /// What could not be looked at, and why: tables for which no rows could be made.
    pub notes: Vec<String>,
    /// Rows that stood in the database when it ran.
    pub rows: u64,
    /// How long it took, in milliseconds.
    pub up_ms: u64,
    /// How long its revert took; `None` where it did not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub down_ms: Option<u64>,
    /// How long the second up took; `None` where it did not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub again_ms: Option<u64>,
}
