//! The state of the catalog before a statement that cannot be rolled back.

use serde::{Deserialize, Serialize};

use store::ProgressState;

/// The state of the catalog before the statement; stored with its intent, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "statement", rename_all = "snake_case")]
pub(in crate::runner) enum Before {
    /// `CREATE INDEX CONCURRENTLY`.
    CreateIndex {
        table: u32,
        /// The name of the index, if the file gives one.
        name: Option<String>,
        /// The indexes that the table had.
        others: Vec<u32>,
    },
    /// `DROP INDEX CONCURRENTLY`.
    DropIndex {
        /// The existing indexes that the statement drops.
        indexes: Vec<u32>,
    },
    /// `REINDEX CONCURRENTLY`.
    Reindex {
        /// The tables whose indexes are rebuilt.
        scope: Scope,
        /// Copies that an attempt of another session had left.
        copies: Vec<u32>,
    },
    /// `DETACH PARTITION CONCURRENTLY` of a partition that was attached.
    Detach {
        /// The partitioned table.
        table: u32,
        partition: u32,
    },
    /// Creates or drops a database, a tablespace or a subscription.
    Object {
        /// Whether it existed.
        there: bool,
    },
    /// May run twice, and leaves nothing half-done.
    Repeatable,
    /// Commits by itself, and leaves no trace in the catalog.
    Untraceable {
        /// The beginning of the statement.
        text: String,
        /// Whether the server reported an error: the statement then did not run to its end.
        failed: bool,
    },
}

/// The tables whose indexes are rebuilt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::runner) enum Scope {
    /// One table with its partitions.
    Table(u32),
    /// The tables of a schema.
    Schema(u32),
    Database,
}

impl Before {
    /// Reads what was stored with an intent; `None` without an intent, or with an unreadable one.
    pub(in crate::runner) fn of(state: Option<&ProgressState>) -> Option<Self> {
        match state {
            Some(ProgressState::Intent { note: Some(note) }) => serde_json::from_str(note).ok(),
            _ => None,
        }
    }

    /// The stored form.
    pub(in crate::runner) fn note(&self) -> String {
        // Cannot fail: the type has only numbers, strings and enums.
        serde_json::to_string(self).unwrap_or_default()
    }
}
