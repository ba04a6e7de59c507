//! The adopted squawk rules with our names and texts. `docs/rules/README.md` lists the omitted ones with reasons.

use squawk_linter::Rule as Squawk;

use crate::rules::{Rule, slugs};

/// When a rule applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Concern {
    /// Live traffic: does not apply to objects that the migration itself creates.
    Load,
    /// Running programs: does not apply to new objects, nor to what a revert undoes.
    Programs,
    /// The shape of new objects: does not apply to a revert, which only restores them.
    Shape,
    /// Everything.
    Always,
}

/// A squawk rule under our name.
#[derive(Clone, Copy)]
pub(super) struct Adopted {
    /// The rule.
    pub rule: &'static Rule,
    /// When the rule applies.
    pub concern: Concern,
    /// The message; `{}` is the subject of the statement, usually a table.
    pub message: &'static str,
    /// The safe form; empty if there is none.
    pub safe_form: &'static str,
}

impl Adopted {
    /// Replaces the message.
    pub(super) fn with_message(self, message: &'static str) -> Self {
        Self { message, ..self }
    }

    /// Removes the safe form.
    pub(super) fn without_safe_form(self) -> Self {
        Self {
            safe_form: "",
            ..self
        }
    }
}

/// All adopted rules.
pub(super) const ALL: [Squawk; 30] = [
    Squawk::RequireConcurrentIndexCreation,
    Squawk::RequireConcurrentIndexDeletion,
    Squawk::RequireConcurrentReindex,
    Squawk::RequireConcurrentPartitionDetach,
    Squawk::ConstraintMissingNotValid,
    Squawk::DisallowedUniqueConstraint,
    Squawk::AddingSerialPrimaryKeyField,
    Squawk::BanAlterDomainWithAddConstraint,
    Squawk::ChangingColumnType,
    Squawk::AddingFieldWithDefault,
    Squawk::BanAlterGeneratedExpression,
    Squawk::PreferRepack,
    Squawk::RenamingColumn,
    Squawk::RenamingTable,
    Squawk::RenamingObject,
    Squawk::BanSetSchema,
    Squawk::BanDropColumn,
    Squawk::BanDropTable,
    Squawk::BanDropSchema,
    Squawk::BanDropDatabase,
    Squawk::BanDropView,
    Squawk::BanDropFunction,
    Squawk::BanDropType,
    Squawk::BanDropSequence,
    Squawk::BanDropDomain,
    Squawk::BanDropExtension,
    Squawk::BanTruncateCascade,
    Squawk::BanDuplicateColumnAssignments,
    Squawk::IdentifierTooLong,
    Squawk::BanCharField,
];

/// The rules about column types, for which squawk does not distinguish keys from other columns.
pub(super) const TYPES: [Squawk; 3] = [
    Squawk::PreferTimestampTz,
    Squawk::PreferBigintOverInt,
    Squawk::PreferBigintOverSmallint,
];

/// Our rule for a squawk rule; `None` if it is omitted.
pub(super) fn adopted(code: Squawk) -> Option<Adopted> {
    use Concern::{Always, Load, Programs, Shape};
    let (rule, concern, message, safe_form) = match code {
        Squawk::RequireConcurrentIndexCreation => (
            &slugs::INDEX_NOT_CONCURRENT,
            Load,
            "writes to {} are blocked while the index is built",
            "",
        ),
        Squawk::RequireConcurrentIndexDeletion => (
            &slugs::INDEX_DROP_NOT_CONCURRENT,
            Load,
            "the drop of {} waits for every transaction on its table, and all later queries on the table wait behind it",
            "",
        ),
        Squawk::RequireConcurrentReindex => (
            &slugs::REINDEX_NOT_CONCURRENT,
            Load,
            "writes, and reads that use the index, are blocked while {} is rebuilt",
            "",
        ),
        Squawk::RequireConcurrentPartitionDetach => (
            &slugs::PARTITION_DETACH,
            Load,
            "the detach waits for every transaction on {}, and all later queries on the table wait behind it",
            "",
        ),
        Squawk::ConstraintMissingNotValid => (
            &slugs::CONSTRAINT_NOT_VALID,
            Load,
            "{} is inaccessible while all of its rows are checked",
            "ADD CONSTRAINT … NOT VALID here, VALIDATE CONSTRAINT in a later migration",
        ),
        Squawk::DisallowedUniqueConstraint | Squawk::AddingSerialPrimaryKeyField => (
            &slugs::UNIQUE_CONSTRAINT,
            Load,
            "{} is inaccessible while the index of the key is built",
            "CREATE UNIQUE INDEX CONCURRENTLY in a no-transaction migration, then ADD CONSTRAINT … USING INDEX",
        ),
        Squawk::BanAlterDomainWithAddConstraint => (
            &slugs::DOMAIN_CONSTRAINT,
            Load,
            "writes to every table that uses {} are blocked while its rows are checked",
            "ADD CONSTRAINT … NOT VALID here, VALIDATE CONSTRAINT in a later migration",
        ),
        Squawk::ChangingColumnType => (
            &slugs::COLUMN_TYPE_CHANGE,
            Load,
            "{} is inaccessible while it is rewritten, and running programs may not handle the new type",
            "add a second column, fill it in batches and sync it with a trigger; drop the old column when no program uses it",
        ),
        Squawk::AddingFieldWithDefault => (
            &slugs::VOLATILE_DEFAULT,
            Load,
            "the default differs from row to row: {} is inaccessible while it is rewritten",
            "ADD COLUMN without the default, then SET DEFAULT; fill the existing rows in batches",
        ),
        Squawk::BanAlterGeneratedExpression => (
            &slugs::STORED_GENERATED_COLUMN,
            Load,
            "{} is inaccessible while the column is computed for all rows",
            "add an ordinary column, fill it in batches and sync it with a trigger",
        ),
        Squawk::PreferRepack => (
            &slugs::VACUUM_FULL,
            Load,
            "{} is inaccessible while it is rewritten",
            "VACUUM, which does not block other sessions; or pg_repack, outside a migration",
        ),
        Squawk::RenamingColumn => (
            &slugs::COLUMN_RENAME,
            Programs,
            "running programs use the old name and fail",
            "add a second column and sync it with a trigger; drop the old column when no program uses it",
        ),
        Squawk::RenamingTable => (
            &slugs::TABLE_RENAME,
            Programs,
            "running programs use the old name of {} and fail",
            "CREATE VIEW with the old name in the same migration",
        ),
        Squawk::RenamingObject | Squawk::BanSetSchema => (
            &slugs::OBJECT_RENAME,
            Programs,
            "running programs may use the old name of {}",
            "create the new object beside the old one; drop the old one when no program uses it",
        ),
        Squawk::BanDropColumn => (
            &slugs::DROP_COLUMN,
            Programs,
            "running programs may use the column, and its values are lost",
            "drop it after a release that does not use it, and give the reason: -- migration: allow drop-column \"…\"",
        ),
        Squawk::BanDropTable => (
            &slugs::DROP_TABLE,
            Programs,
            "running programs may use {}, and its rows are lost",
            "drop it after a release that does not use it, and give the reason: -- migration: allow drop-table \"…\"",
        ),
        Squawk::BanDropSchema | Squawk::BanDropDatabase => (
            &slugs::DROP_SCHEMA,
            Programs,
            "everything in it is lost, even if it is in use",
            "drop each object in it by name",
        ),
        Squawk::BanDropView
        | Squawk::BanDropFunction
        | Squawk::BanDropType
        | Squawk::BanDropSequence
        | Squawk::BanDropDomain
        | Squawk::BanDropExtension => (
            &slugs::DROP_OBJECT,
            Programs,
            "running programs may use {}",
            "",
        ),
        Squawk::BanTruncateCascade => (
            &slugs::TRUNCATE_CASCADE,
            Always,
            "every table that references {}, directly or through other tables, is emptied too",
            "name every table to empty",
        ),
        Squawk::BanDuplicateColumnAssignments => (
            &slugs::DUPLICATE_ASSIGNMENT,
            Always,
            "the column is specified twice, which PostgreSQL rejects",
            "",
        ),
        Squawk::IdentifierTooLong => (
            &slugs::IDENTIFIER_TOO_LONG,
            Shape,
            "the name is longer than 63 bytes; PostgreSQL truncates it",
            "",
        ),
        Squawk::BanCharField => (
            &slugs::CHAR_TYPE,
            Shape,
            "char(n) pads with blanks, which some comparisons ignore and others do not",
            "text, or varchar(n) for a length limit",
        ),
        Squawk::PreferTimestampTz => (
            &slugs::TIMESTAMP_WITHOUT_ZONE,
            Shape,
            "timestamp does not store the time zone: sessions in different zones interpret the same value differently",
            "timestamptz",
        ),
        Squawk::PreferBigintOverInt | Squawk::PreferBigintOverSmallint => (
            &slugs::INT_KEY,
            Shape,
            "the key can run out of values, and widening it rewrites the table",
            "bigint",
        ),
        _ => return None,
    };
    Some(Adopted {
        rule,
        concern,
        message,
        safe_form,
    })
}
