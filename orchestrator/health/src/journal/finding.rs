//! The findings of a journal's verification.

use schemars::JsonSchema;
use serde::Serialize;

/// How rows were changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// A row was edited after it was written.
    Edited,
    /// Rows were removed.
    Removed,
    /// A row was not written by a run.
    Inserted,
    /// A row was moved to another position.
    Reordered,
    /// The rows are consistent with each other, but not with the anchor.
    Rewritten,
    /// The database was restored from a backup since the anchor was taken.
    Restored,
    /// History and journal disagree.
    Disagrees,
}

/// One finding, and the affected rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Finding {
    /// The kind of change.
    pub kind: FindingKind,
    /// The first affected row.
    pub first_id: i64,
    /// The last affected row.
    pub last_id: i64,
    /// The finding as a sentence.
    pub message: String,
}

impl Finding {
    pub(super) fn of_row(kind: FindingKind, id: i64, message: impl Into<String>) -> Self {
        Self {
            kind,
            first_id: id,
            last_id: id,
            message: message.into(),
        }
    }

    pub(super) fn removed(first: i64, last: i64) -> Self {
        Self {
            kind: FindingKind::Removed,
            first_id: first,
            last_id: last,
            message: if first == last {
                format!("row {first} was removed")
            } else {
                format!("rows {first} to {last} were removed")
            },
        }
    }
}
