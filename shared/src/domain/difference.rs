//! Drift: how a live schema differs from the one that migrations produce.

use serde::{Deserialize, Serialize};

/// One object that differs. Two of them are equal when kind, name and both definitions are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SchemaDifference {
    /// What it is: `table`, `column`, `index`, …
    pub kind: String,
    /// Its qualified name, quoted where SQL needs quotes.
    pub object: String,
    /// What the migrations produce; `None` where they make no such object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What the database has; `None` where it has no such object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
}

/// A table whose columns stand in another order. It is told and is no drift: no statement can mend it, and no query that
/// names its columns sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ColumnOrder {
    /// The table.
    pub table: String,
    /// Its columns in the order of the migrations.
    pub expected: Vec<String>,
    /// Its columns in the order of the database.
    pub found: Vec<String>,
}
