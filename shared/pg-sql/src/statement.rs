//! Statements and their kinds. `split` finds statements, and `classify` determines their kind.

use super::name::Name;

/// A statement of a file, without its semicolon and surrounding white space and comments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statement<'a> {
    /// The text from the first to the last token.
    pub text: &'a str,
    /// Byte offset of `text` in the file.
    pub offset: usize,
}

/// The kinds of statement that a runner must distinguish.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StatementKind {
    /// `BEGIN`, `START TRANSACTION`.
    Begin,
    /// `COMMIT`, `END`.
    Commit {
        /// `AND CHAIN`: another transaction begins immediately.
        chain: bool,
    },
    /// `ROLLBACK`, `ABORT`.
    Rollback {
        /// `AND CHAIN`: another transaction begins immediately.
        chain: bool,
    },
    /// `ROLLBACK TO SAVEPOINT`.
    RollbackToSavepoint,
    /// `SAVEPOINT`, `RELEASE`.
    Savepoint,
    /// `PREPARE TRANSACTION`.
    PrepareTransaction,
    /// `COMMIT PREPARED`, `ROLLBACK PREPARED`.
    CommitPrepared,
    /// `SET` and `RESET` in all their forms, including role and session authorization.
    Set {
        /// Ends with the transaction: `SET LOCAL`, `SET TRANSACTION`, `SET CONSTRAINTS`.
        local: bool,
    },
    /// `CREATE INDEX CONCURRENTLY`.
    CreateIndexConcurrently {
        /// The index, in the schema of its table; `None` if the server chooses the name.
        index: Option<Name>,
        /// The table's name.
        table: Name,
        /// `IF NOT EXISTS`, which also accepts an invalid index.
        if_not_exists: bool,
        /// `UNIQUE`.
        unique: bool,
        /// The text after the table: `USING gin (a) WHERE …`.
        definition: String,
    },
    /// `DROP INDEX CONCURRENTLY`.
    DropIndexConcurrently {
        /// The indexes; PostgreSQL accepts only one.
        indexes: Vec<Name>,
        /// `IF EXISTS`.
        if_exists: bool,
    },
    /// `REINDEX … CONCURRENTLY`, in either spelling.
    ReindexConcurrently {
        /// The object to rebuild.
        target: ReindexTarget,
    },
    /// `ALTER TABLE … DETACH PARTITION … CONCURRENTLY` or `… FINALIZE`.
    DetachPartitionConcurrently {
        /// The partitioned table.
        table: Name,
        partition: Name,
        /// `FINALIZE`, which completes an interrupted detach operation and may run in a transaction.
        finalize: bool,
    },
    /// `ALTER TYPE … ADD VALUE`: runs in a transaction, but the value is usable only after the commit.
    AddEnumValue {
        /// The enum type.
        type_name: Name,
        /// `IF NOT EXISTS`.
        if_not_exists: bool,
        /// The new value.
        label: String,
    },
    /// `COPY … FROM STDIN`, whose data only psql can send.
    CopyFromStdin,
    /// `COPY … TO STDOUT`, whose data only psql can receive.
    CopyToStdout,
    /// Has a backslash outside quotes: a psql command.
    MetaCommand,
    /// A statement that PostgreSQL refuses, or may refuse, in a transaction block; contains its keywords.
    OutsideTransaction(&'static str),
    /// Everything else: may run in a transaction.
    Other,
}

/// The target of `REINDEX CONCURRENTLY`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReindexTarget {
    /// One index.
    Index(Name),
    /// All indexes of a table.
    Table(Name),
    /// All indexes of a schema.
    Schema(String),
    /// All indexes of the current database.
    Database,
}
