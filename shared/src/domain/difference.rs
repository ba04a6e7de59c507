//! Drift: how a live schema differs from the one that migrations produce.

use serde::Serialize;

/// One object that differs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct SchemaDifference {
    /// What it is: `table`, `column`, `index`, …
    pub kind: String,
    /// Its qualified name, quoted where SQL needs quotes.
    pub object: String,
    /// What the migrations produce; `None` where they make no such object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What the database has; `None` where it has no such object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// The facts that differ. Empty for an object that is missing or extra as a whole.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<FactDifference>,
}

/// One fact about an object that differs: a type, a default, a comment, an owner, or one privilege of one role.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct FactDifference {
    /// Its name: `type`, `default`, `comment`, `owner`, `grant`, …
    pub fact: String,
    /// What the migrations produce; `None` where they do not set it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What the database has; `None` where it is not set.
    #[serde(skip_serializing_if = "Option::is_none")]
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
