//! The changes that statements make: the vocabulary of the rules and of the schema model.
//!
//! Responsible for the types. Not for reading them from SQL (`read`), nor for the resulting schema (`model`).

use std::ops::Range;

use domain::Version;
use pg_sql::Name;
use squawk_syntax::SyntaxNode;

use super::mentions::Mentions;

/// One statement of a file.
#[derive(Clone, Debug)]
pub struct Step {
    /// The range in bytes of the file, without the semicolon.
    pub range: Range<usize>,
    /// The number of the transaction: steps with the same number commit together.
    pub transaction: usize,
    pub node: SyntaxNode,
    pub acts: Vec<Act>,
}

/// One change and its place.
#[derive(Clone, Debug)]
pub struct Act {
    pub change: Change,
    /// The range in bytes of the file.
    pub range: Range<usize>,
    /// Whether the change is conditional: it is in a branch. A condition on the catalog, such as IF NOT EXISTS, is resolved by the model.
    pub perhaps: bool,
    /// Whether the surrounding block continues if the object already exists.
    pub guarded: bool,
}

/// A change, in the detail that the rules require.
#[derive(Clone, Debug)]
pub enum Change {
    MakesTable {
        table: Name,
        columns: Vec<Column>,
        constraints: Vec<Constraint>,
        /// Whether it has columns that the text does not list (AS, LIKE, INHERITS, PARTITION OF).
        has_more: bool,
        partitioned: bool,
        /// The table that it is a partition of.
        partition: Option<Partition>,
    },
    AttachesPartition {
        table: Name,
        /// The partitioned table, and whether it is the default partition.
        partition: Partition,
    },
    DetachesPartition {
        table: Name,
    },
    DropsTables {
        tables: Vec<Name>,
        cascade: bool,
    },
    /// A table is renamed or moved to another schema.
    RenamesTable {
        table: Name,
        to: Name,
    },
    AddsColumn {
        table: Name,
        column: Column,
    },
    DropsColumn {
        table: Name,
        column: String,
        cascade: bool,
    },
    RenamesColumn {
        table: Name,
        column: String,
        to: String,
    },
    SetsNotNull {
        table: Name,
        column: String,
        /// Whether it is NOT NULL from now on.
        not_null: bool,
    },
    ChangesType {
        table: Name,
        column: String,
        ty: String,
        /// Whether an expression converts the values, which rewrites the table.
        converts: bool,
    },
    /// Another change of a table that locks it.
    AltersTable {
        table: Name,
    },
    AddsConstraint {
        table: Name,
        constraint: Constraint,
    },
    DropsConstraint {
        table: Name,
        name: String,
        cascade: bool,
    },
    RenamesConstraint {
        table: Name,
        name: String,
        to: String,
    },
    Validates {
        table: Name,
        name: String,
    },
    MakesIndex(Index),
    DropsIndexes {
        indexes: Vec<Name>,
        cascade: bool,
    },
    RenamesIndex {
        index: Name,
        to: Name,
    },
    MakesEnum {
        name: Name,
        labels: Vec<String>,
    },
    AddsEnumValue {
        name: Name,
        label: String,
    },
    DropsTypes {
        types: Vec<Name>,
        cascade: bool,
    },
    RenamesType {
        name: Name,
        to: Name,
    },
    MakesView {
        name: Name,
        /// What it reads.
        reads: Mentions,
    },
    DropsViews {
        views: Vec<Name>,
        cascade: bool,
    },
    /// A trigger that refers to columns of its table is created.
    MakesTrigger {
        table: Name,
        name: String,
        /// What it reads.
        reads: Mentions,
    },
    DropsTrigger {
        table: Name,
        name: String,
    },
    MakesSchema {
        name: String,
    },
    DropsSchemas {
        names: Vec<String>,
        cascade: bool,
    },
    /// Another object is dropped with CASCADE.
    DropsOtherCascade {
        /// Its kind and name, as written.
        what: String,
    },
    Truncates {
        tables: Vec<Name>,
    },
    WritesRows(RowChange),
    /// Changes that are not in the text.
    Unknown(Unknown),
    /// SQL within a block that is nested too deeply to be parsed: anything may have changed.
    TooDeep,
}

/// The membership of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// The partitioned table.
    pub of: Name,
    /// Whether it is the default partition.
    pub default: bool,
}

/// A column as a statement defines it.
#[derive(Clone, Debug)]
pub struct Column {
    pub name: String,
    /// The range of its name, in bytes of the file.
    pub range: Range<usize>,
    /// Its type as written, in lower case unless quoted.
    pub ty: String,
    pub not_null: bool,
    /// Whether the server supplies a value: by a default, a sequence or an expression.
    pub has_default: bool,
    /// The expression that generates it, if any.
    pub generated: Option<Mentions>,
}

/// A constraint as a statement defines it.
#[derive(Clone, Debug)]
pub struct Constraint {
    /// Its name, if the statement specifies one.
    pub name: Option<String>,
    /// Whether the server chose its name.
    pub unnamed: bool,
    /// The migration that adds it.
    pub by: Version,
    /// The range in bytes of that migration.
    pub range: Range<usize>,
    pub kind: ConstraintKind,
    /// Its own columns, in order.
    pub columns: Vec<String>,
    pub not_valid: bool,
}

/// The kind of a constraint.
#[derive(Clone, Debug)]
pub enum ConstraintKind {
    PrimaryKey {
        using_index: Option<String>,
    },
    Unique {
        using_index: Option<String>,
    },
    ForeignKey {
        /// The table that it references.
        to: Name,
        /// The range of that table's name, in bytes of the file.
        to_range: Range<usize>,
    },
    Check {
        /// The columns for which it implies NOT NULL.
        not_null: Vec<String>,
        /// What it reads.
        reads: Mentions,
    },
    Exclude,
}

/// An index as a statement defines it.
#[derive(Clone, Debug)]
pub struct Index {
    /// Its name in the schema of its table, if the statement specifies one.
    pub name: Option<Name>,
    pub table: Name,
    /// Its columns, in order; `None` for an expression.
    pub columns: Vec<Option<String>>,
    pub unique: bool,
    /// Its condition, if it is a partial index.
    pub only_where: Option<Mentions>,
    /// Whether it supports lookups by equality (btree, hash).
    pub finds_equal: bool,
    /// Whether it is built CONCURRENTLY.
    pub concurrently: bool,
}

/// Rows written by one statement.
#[derive(Clone, Debug)]
pub struct RowChange {
    pub table: Name,
    pub kind: RowKind,
    /// The conjuncts of the WHERE; `None` without a WHERE.
    pub filter: Option<Vec<Compared>>,
    /// Whether it is in a loop, which may process one batch at a time.
    pub in_loop: bool,
}

/// The kind of a statement that writes rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowKind {
    /// INSERT, with the tables that the rows are read from.
    Insert {
        from: Vec<Name>,
    },
    Update,
    Delete,
    Merge,
}

/// One conjunct of a WHERE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    pub column: String,
    pub comparison: Comparison,
}

/// The comparison of a conjunct.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Equal to a value or a list of values.
    Values,
    AtLeast,
    AtMost,
    Between,
    /// In the result of a query with a LIMIT, or a comparison of `ctid`.
    Slice,
    Other,
}

/// The objects that an unreadable text may change.
#[derive(Clone, Debug)]
pub enum Unknown {
    /// The objects that this text names may change.
    Named(Mentions),
    Anything,
}
