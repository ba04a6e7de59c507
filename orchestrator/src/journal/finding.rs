//! What can be wrong with a journal.

use serde::Serialize;

/// What was done to the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// A row does not say any more what it said when it was written.
    Edited,
    /// Rows are gone.
    Removed,
    /// A row was written by something other than a run.
    Inserted,
    /// A row stands at another place than the one where it was written.
    Reordered,
    /// The rows go together, but they are not those that the anchor vouches for.
    Rewritten,
    /// The database was restored from a backup since the anchor was taken.
    Restored,
    /// History does not have what the journal says, or has what it does not say.
    Disagrees,
}

/// One thing that is wrong, and with which rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was done.
    pub kind: FindingKind,
    /// The first row that it is about.
    pub first_id: i64,
    /// The last row that it is about.
    pub last_id: i64,
    /// The same in one sentence.
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
