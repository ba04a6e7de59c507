//! Drift: the differences between a live schema and the one that the migrations produce.

use schemars::JsonSchema;
use serde::Serialize;

/// One object that differs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct SchemaDifference {
    /// The kind of the object: `table`, `column`, `index`, …
    pub kind: String,
    /// Its qualified name, quoted where SQL requires it.
    pub object: String,
    /// What the migrations produce; `None` if they do not create the object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What the database has; `None` if the object does not exist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// The facts that differ. Empty if the object as a whole is missing or extra.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<FactDifference>,
}

/// One fact about an object that differs: a type, a default, a comment, an owner, or one privilege of one role.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct FactDifference {
    /// The name of the fact: `type`, `default`, `comment`, `owner`, `grant`, …
    pub fact: String,
    /// The value that the migrations produce; `None` if they do not set it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// The value in the database; `None` if it is not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
}

/// A table whose columns are in a different order. It is reported but is not drift: no statement can fix it, and it does not
/// affect queries that name their columns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ColumnOrder {
    /// The qualified name of the table.
    pub table: String,
    /// The columns in the order of the migrations.
    pub expected: Vec<String>,
    /// The columns in the order of the database.
    pub found: Vec<String>,
}
