//! A statement, and the kinds of statement that a runner tells apart.
//!
//! Responsible for: the vocabulary.
//! Not for: finding statements (`split`) or their kind (`classify`).
//! Floor 0: pure.

use super::name::Name;

/// One statement of a file, without its terminating semicolon, without white space and comments around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statement<'a> {
    /// The statement, from its first to its last token.
    pub text: &'a str,
    /// Where `text` begins, in bytes from the beginning of the file.
    pub offset: usize,
}

/// The kinds of statement that a runner must tell apart.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StatementKind {
    /// `BEGIN`, `START TRANSACTION`.
    Begin,
    /// `COMMIT`, `END`.
    Commit {
        /// `AND CHAIN`: another transaction begins at once.
        chain: bool,
    },
    /// `ROLLBACK`, `ABORT`.
    Rollback {
        /// `AND CHAIN`: another transaction begins at once.
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
    /// `SET` and `RESET` in all their forms, role and session authorisation included.
    Set {
        /// Ends with the transaction: `SET LOCAL`, `SET TRANSACTION`, `SET CONSTRAINTS`.
        local: bool,
    },
    /// `CREATE INDEX CONCURRENTLY`.
    CreateIndexConcurrently {
        /// The index, in the schema of its table; the server names it when this is absent.
        index: Option<Name>,
        /// The table.
        table: Name,
        /// `IF NOT EXISTS`, which takes an invalid index for a good one.
        if_not_exists: bool,
        /// `UNIQUE`.
        unique: bool,
        /// All that stands behind the table: `USING gin (a) WHERE …`.
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
        /// What is built anew.
        target: ReindexTarget,
    },
    /// `ALTER TABLE … DETACH PARTITION … CONCURRENTLY` or `… FINALIZE`.
    DetachPartitionConcurrently {
        /// The partitioned table.
        table: Name,
        /// The partition.
        partition: Name,
        /// `FINALIZE`, which completes an interrupted detachment and may run in a transaction.
        finalize: bool,
    },
    /// `ALTER TYPE … ADD VALUE`: runs in a transaction, but the value is usable only after its commit.
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
    /// `COPY … TO STDOUT`, whose data only psql can take.
    CopyToStdout,
    /// Has a backslash outside quotes: a command of psql, no SQL.
    MetaCommand,
    /// A statement that PostgreSQL refuses, or may refuse, in a transaction block; holds its keywords.
    OutsideTransaction(&'static str),
    /// Everything else: may run in a transaction.
    Other,
}

/// What `REINDEX CONCURRENTLY` builds anew.
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
