//! What statements change, in the words that the rules and the model of the schema share.
//!
//! Responsible for the vocabulary. Not for reading it from SQL (`read`), nor for what it adds up to (`model`).

use std::ops::Range;

use shared::domain::Version;
use shared::sql::Name;
use squawk_syntax::SyntaxNode;

use super::mentions::Mentions;

/// One statement of a file.
#[derive(Clone, Debug)]
pub struct Step {
    /// Where it stands, in bytes of the file, without its semicolon.
    pub range: Range<usize>,
    /// Steps of one number commit together.
    pub transaction: usize,
    /// Its syntax.
    pub node: SyntaxNode,
    /// What it changes, in order.
    pub acts: Vec<Act>,
}

/// One change, and where it is asked for.
#[derive(Clone, Debug)]
pub struct Act {
    /// What changes.
    pub change: Change,
    /// Where, in bytes of the file.
    pub range: Range<usize>,
    /// Whether it may also not happen: it stands in a branch. Where only the catalog is asked, as by IF NOT EXISTS, the model knows.
    pub perhaps: bool,
    /// Whether the block around it goes on when the object exists already.
    pub guarded: bool,
}

/// What a statement changes, as far as the rules ask.
#[derive(Clone, Debug)]
pub enum Change {
    /// A table is made.
    MakesTable {
        /// Its name.
        table: Name,
        /// Its columns.
        columns: Vec<Column>,
        /// Its keys and checks.
        constraints: Vec<Constraint>,
        /// Whether it has columns that the text does not list: AS, LIKE, INHERITS, PARTITION OF.
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
        /// What it becomes.
        partition: Partition,
    },
    /// A partition becomes a table of its own.
    DetachesPartition {
        /// The table.
        table: Name,
    },
    /// Tables are dropped.
    DropsTables {
        /// Their names.
        tables: Vec<Name>,
        /// With all that depends on them.
        cascade: bool,
    },
    /// A table gets another name or schema.
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
        /// With all that depends on it.
        cascade: bool,
    },
    /// A column gets another name.
    RenamesColumn {
        /// The table.
        table: Name,
        /// Its name.
        column: String,
        /// The new one.
        to: String,
    },
    /// A column may be empty, or not.
    SetsNotNull {
        /// The table.
        table: Name,
        /// The column.
        column: String,
        /// Whether it must have a value from now on.
        not_null: bool,
    },
    /// A column gets another type.
    ChangesType {
        /// The table.
        table: Name,
        /// The column.
        column: String,
        /// The type.
        ty: String,
        /// Whether values are converted by an expression, which rewrites the table.
        converts: bool,
    },
    /// Something else of a table changes that locks it.
    AltersTable {
        /// The table.
        table: Name,
    },
    /// A key or check is added.
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
        /// With all that depends on it.
        cascade: bool,
    },
    /// A constraint gets another name.
    RenamesConstraint {
        /// The table.
        table: Name,
        /// Its name.
        name: String,
        /// The new one.
        to: String,
    },
    /// The rows that stand are held to a constraint.
    Validates {
        /// The table.
        table: Name,
        /// The constraint.
        name: String,
    },
    /// An index is made.
    MakesIndex(Index),
    /// Indexes are dropped.
    DropsIndexes {
        /// Their names.
        indexes: Vec<Name>,
        /// With all that depends on them.
        cascade: bool,
    },
    /// An index gets another name.
    RenamesIndex {
        /// Its name.
        index: Name,
        /// The new one.
        to: Name,
    },
    /// An enum type is made.
    MakesEnum {
        /// Its name.
        name: Name,
        /// Its values.
        labels: Vec<String>,
    },
    /// An enum type gets another value.
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
        /// With all that depends on them.
        cascade: bool,
    },
    /// A type gets another name.
    RenamesType {
        /// Its name.
        name: Name,
        /// The new one.
        to: Name,
    },
    /// A view is made.
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
        /// With all that depends on them.
        cascade: bool,
    },
    /// A trigger is made that names columns of its table.
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
    /// A schema is made.
    MakesSchema {
        /// Its name.
        name: String,
    },
    /// Schemas are dropped.
    DropsSchemas {
        /// Their names.
        names: Vec<String>,
        /// With all that is in them.
        cascade: bool,
    },
    /// Something else is dropped with all that depends on it.
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
    /// Something that the text does not tell.
    Unknown(Unknown),
    /// SQL within a block that nests too deeply to be parsed: anything may have changed.
    TooDeep,
}

/// What a partition belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// The partitioned table.
    pub of: Name,
    /// Whether it takes the rows that no other partition takes.
    pub default: bool,
}

/// A column as a statement defines it.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Where its name stands, in bytes of the file.
    pub range: Range<usize>,
    /// Its type as written, in lower case unless quoted.
    pub ty: String,
    /// Whether it must have a value.
    pub not_null: bool,
    /// Whether a row gets a value of itself: a default, a sequence, an expression.
    pub has_default: bool,
    /// What the expression reads that generates it.
    pub generated: Option<Mentions>,
}

/// A key or check as a statement defines it.
#[derive(Clone, Debug)]
pub struct Constraint {
    /// Its name, where the statement gives one.
    pub name: Option<String>,
    /// Whether its name is one that the server chose.
    pub unnamed: bool,
    /// The migration that adds it.
    pub by: Version,
    /// Where it stands, in bytes of that migration.
    pub range: Range<usize>,
    /// What it asks.
    pub kind: ConstraintKind,
    /// Its own columns, in order.
    pub columns: Vec<String>,
    /// Whether the rows that stand are not held to it.
    pub not_valid: bool,
}

/// What a constraint asks.
#[derive(Clone, Debug)]
pub enum ConstraintKind {
    /// A primary key.
    PrimaryKey {
        /// The index that it takes over.
        using_index: Option<String>,
    },
    /// A unique key.
    Unique {
        /// The index that it takes over.
        using_index: Option<String>,
    },
    /// A foreign key.
    ForeignKey {
        /// The table that it references.
        to: Name,
        /// Where that table is named, in bytes of the file.
        to_range: Range<usize>,
    },
    /// A condition.
    Check {
        /// Columns that it holds to have a value.
        not_null: Vec<String>,
        /// What it reads.
        reads: Mentions,
    },
    /// No two rows alike, by operators.
    Exclude,
}

/// An index as a statement defines it.
#[derive(Clone, Debug)]
pub struct Index {
    /// Its name, where the statement gives one; in the schema of its table.
    pub name: Option<Name>,
    /// Its table.
    pub table: Name,
    /// Its columns, in order; `None` for an expression.
    pub columns: Vec<Option<String>>,
    /// Whether it is unique.
    pub unique: bool,
    /// Its condition, where it is partial.
    pub only_where: Option<Mentions>,
    /// Whether equality can be looked up in it (btree, hash).
    pub finds_equal: bool,
    /// Whether it is built CONCURRENTLY.
    pub concurrently: bool,
}

/// Rows written by one statement.
#[derive(Clone, Debug)]
pub struct RowChange {
    /// The table.
    pub table: Name,
    /// What is done.
    pub kind: RowKind,
    /// What the WHERE compares, conjunct by conjunct; `None` without a WHERE.
    pub filter: Option<Vec<Compared>>,
    /// Whether it stands in a loop, which may take one slice at a time.
    pub in_loop: bool,
}

/// How rows are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowKind {
    /// INSERT, with the tables that the rows come from.
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

/// How a conjunct bounds a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// To one value, or to a list of them.
    Values,
    /// From below.
    AtLeast,
    /// From above.
    AtMost,
    /// From both sides.
    Between,
    /// To what a query with a LIMIT gives, or to the place of rows.
    Slice,
    /// Otherwise.
    Other,
}

/// What the text does not tell.
#[derive(Clone, Debug)]
pub enum Unknown {
    /// Something may happen to the objects that this text names.
    Named(Mentions),
    /// Something may happen to anything.
    Anything,
}
