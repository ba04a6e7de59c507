//! What is noted of the catalog before a statement that cannot be rolled back.

use serde::{Deserialize, Serialize};

use crate::postgres::ProgressState;

/// What the catalog showed before the statement; kept with its intent, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "statement", rename_all = "snake_case")]
pub(in crate::runner) enum Before {
    /// `CREATE INDEX CONCURRENTLY`.
    CreateIndex {
        /// The table.
        table: u32,
        /// The name that the file gives the index.
        name: Option<String>,
        /// The indexes that the table had.
        others: Vec<u32>,
    },
    /// `DROP INDEX CONCURRENTLY`.
    DropIndex {
        /// The indexes that were there to be dropped.
        indexes: Vec<u32>,
    },
    /// `REINDEX CONCURRENTLY`.
    Reindex {
        /// Whose indexes.
        scope: Scope,
        /// Copies that somebody else's attempt had left.
        copies: Vec<u32>,
    },
    /// `DETACH PARTITION CONCURRENTLY` of a partition that was attached.
    Detach {
        /// The partitioned table.
        table: u32,
        /// The partition.
        partition: u32,
    },
    /// Makes or removes a database, a tablespace, a subscription.
    Object {
        /// Whether it was there.
        there: bool,
    },
    /// May run twice; leaves nothing half-done.
    Repeatable,
    /// Commits by itself and leaves no trace that could be looked up.
    Untraceable {
        /// The beginning of the statement.
        text: String,
        /// Whether the server said that it failed: it then did not run to its end.
        failed: bool,
    },
}

/// The tables whose indexes are built anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::runner) enum Scope {
    /// One table with its partitions.
    Table(u32),
    /// The tables of a schema.
    Schema(u32),
    /// All of the database.
    Database,
}

impl Before {
    /// What was noted with an intent; `None` where there is no intent, or none that can be read.
    pub(in crate::runner) fn of(state: Option<&ProgressState>) -> Option<Self> {
        match state {
            Some(ProgressState::Intent { note: Some(note) }) => serde_json::from_str(note).ok(),
            _ => None,
        }
    }

    /// As it is kept.
    pub(in crate::runner) fn note(&self) -> String {
        // Cannot fail: nothing but numbers, words and texts.
        serde_json::to_string(self).unwrap_or_default()
    }
}
