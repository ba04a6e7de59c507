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
    /// The syntax tree.
    pub node: SyntaxNode,
    /// The changes, in order.
    pub acts: Vec<Act>,
}

/// One change and its place.
#[derive(Clone, Debug)]
pub struct Act {
    /// The change.
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
    /// A table is created.
    MakesTable {
        /// Its name.
        table: Name,
        /// Its columns.
        columns: Vec<Column>,
        /// Its constraints.
        constraints: Vec<Constraint>,
        /// Whether it has columns that the text does not list (AS, LIKE, INHERITS, PARTITION OF).
        has_more: bool,
        /// Whether it is partitioned.
        partitioned: bool,
        /// The table that it is a partition of.
        partition: Option<Partition>,
    },
    /// A table becomes a partition.
    AttachesPartition {
        /// The table.
        table: Name,
        /// The partitioned table, and whether it is the default partition.
        partition: Partition,
    },
    /// A partition is detached.
    DetachesPartition {
        /// The table.
        table: Name,
    },
    /// Tables are dropped.
    DropsTables {
        /// Their names.
        tables: Vec<Name>,
        /// Whether CASCADE is specified.
        cascade: bool,
    },
    /// A table is renamed or moved to another schema.
    RenamesTable {
        /// Its name.
        table: Name,
        /// The new one.
        to: Name,
    },
    /// A column is added.
    AddsColumn {
        /// The table.
        table: Name,
        /// The column.
        column: Column,
    },
    /// A column is dropped.
    DropsColumn {
        /// The table.
        table: Name,
        /// The column.
        column: String,
        /// Whether CASCADE is specified.
        cascade: bool,
    },
    /// A column is renamed.
    RenamesColumn {
        /// The table.
        table: Name,
        /// Its name.
        column: String,
        /// The new one.
        to: String,
    },
    /// NOT NULL of a column is set or dropped.
    SetsNotNull {
        /// The table.
        table: Name,
        /// The column.
        column: String,
        /// Whether it is NOT NULL from now on.
        not_null: bool,
    },
    /// The type of a column changes.
    ChangesType {
        /// The table.
        table: Name,
        /// The column.
        column: String,
        /// The type.
        ty: String,
        /// Whether an expression converts the values, which rewrites the table.
        converts: bool,
    },
    /// Another change of a table that locks it.
    AltersTable {
        /// The table.
        table: Name,
    },
    /// A constraint is added.
    AddsConstraint {
        /// The table.
        table: Name,
        /// The constraint.
        constraint: Constraint,
    },
    /// A constraint is dropped.
    DropsConstraint {
        /// The table.
        table: Name,
        /// Its name.
        name: String,
        /// Whether CASCADE is specified.
        cascade: bool,
    },
    /// A constraint is renamed.
    RenamesConstraint {
        /// The table.
        table: Name,
        /// Its name.
        name: String,
        /// The new one.
        to: String,
    },
    /// A constraint is validated.
    Validates {
        /// The table.
        table: Name,
        /// The constraint.
        name: String,
    },
    /// An index is created.
    MakesIndex(Index),
    /// Indexes are dropped.
    DropsIndexes {
        /// Their names.
        indexes: Vec<Name>,
        /// Whether CASCADE is specified.
        cascade: bool,
    },
    /// An index is renamed.
    RenamesIndex {
        /// Its name.
        index: Name,
        /// The new one.
        to: Name,
    },
    /// An enum type is created.
    MakesEnum {
        /// Its name.
        name: Name,
        /// Its values.
        labels: Vec<String>,
    },
    /// A value is added to an enum type.
    AddsEnumValue {
        /// Its name.
        name: Name,
        /// The value.
        label: String,
    },
    /// Types are dropped.
    DropsTypes {
        /// Their names.
        types: Vec<Name>,
        /// Whether CASCADE is specified.
        cascade: bool,
    },
    /// A type is renamed.
    RenamesType {
        /// Its name.
        name: Name,
        /// The new one.
        to: Name,
    },
    /// A view is created.
    MakesView {
        /// Its name.
        name: Name,
        /// What it reads.
        reads: Mentions,
    },
    /// Views are dropped.
    DropsViews {
        /// Their names.
        views: Vec<Name>,
        /// Whether CASCADE is specified.
        cascade: bool,
    },
    /// A trigger that refers to columns of its table is created.
    MakesTrigger {
        /// The table.
        table: Name,
        /// Its name.
        name: String,
        /// What it reads.
        reads: Mentions,
    },
    /// A trigger is dropped.
    DropsTrigger {
        /// The table.
        table: Name,
        /// Its name.
        name: String,
    },
    /// A schema is created.
    MakesSchema {
        /// Its name.
        name: String,
    },
    /// Schemas are dropped.
    DropsSchemas {
        /// Their names.
        names: Vec<String>,
        /// Whether CASCADE is specified.
        cascade: bool,
    },
    /// Another object is dropped with CASCADE.
    DropsOtherCascade {
        /// Its kind and name, as written.
        what: String,
    },
    /// Tables are emptied.
    Truncates {
        /// Their names.
        tables: Vec<Name>,
    },
    /// Rows are written.
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
    /// Its name.
    pub name: String,
    /// The range of its name, in bytes of the file.
    pub range: Range<usize>,
    /// Its type as written, in lower case unless quoted.
    pub ty: String,
    /// Whether it is NOT NULL.
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
    /// The kind, with its details.
    pub kind: ConstraintKind,
    /// Its own columns, in order.
    pub columns: Vec<String>,
    /// Whether it is NOT VALID.
    pub not_valid: bool,
}

/// The kind of a constraint.
#[derive(Clone, Debug)]
pub enum ConstraintKind {
    /// A primary key.
    PrimaryKey {
        /// The index of USING INDEX.
        using_index: Option<String>,
    },
    /// A unique key.
    Unique {
        /// The index of USING INDEX.
        using_index: Option<String>,
    },
    /// A foreign key.
    ForeignKey {
        /// The table that it references.
        to: Name,
        /// The range of that table's name, in bytes of the file.
        to_range: Range<usize>,
    },
    /// A CHECK constraint.
    Check {
        /// The columns for which it implies NOT NULL.
        not_null: Vec<String>,
        /// What it reads.
        reads: Mentions,
    },
    /// An exclusion constraint.
    Exclude,
}

/// An index as a statement defines it.
#[derive(Clone, Debug)]
pub struct Index {
    /// Its name in the schema of its table, if the statement specifies one.
    pub name: Option<Name>,
    /// Its table.
    pub table: Name,
    /// Its columns, in order; `None` for an expression.
    pub columns: Vec<Option<String>>,
    /// Whether it is unique.
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
    /// The table.
    pub table: Name,
    /// The kind of statement.
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
        /// The tables.
        from: Vec<Name>,
    },
    /// UPDATE.
    Update,
    /// DELETE.
    Delete,
    /// MERGE.
    Merge,
}

/// One conjunct of a WHERE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// The column.
    pub column: String,
    /// How it is compared.
    pub comparison: Comparison,
}

/// The comparison of a conjunct.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Equal to a value or a list of values.
    Values,
    /// A lower bound.
    AtLeast,
    /// An upper bound.
    AtMost,
    /// Both bounds.
    Between,
    /// In the result of a query with a LIMIT, or a comparison of `ctid`.
    Slice,
    /// Any other comparison.
    Other,
}

/// The objects that an unreadable text may change.
#[derive(Clone, Debug)]
pub enum Unknown {
    /// The objects that this text names may change.
    Named(Mentions),
    /// Anything may change.
    Anything,
}
