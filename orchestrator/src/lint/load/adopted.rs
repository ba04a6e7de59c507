//! Which of squawk's rules are held to here, under which name and in which words. Those that are left out, and why: `docs/rules/README.md`.
//! Floor 3.

use squawk_linter::Rule as Squawk;

use crate::rules::{Rule, slugs};

/// When a rule is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Concern {
    /// Live traffic: what the migration itself made is nobody's yet.
    Load,
    /// The programs that run: what the migration itself made, nobody knows, and what a revert takes back, its migration brought.
    Programs,
    /// What is made: a revert only restores what was.
    Shape,
    /// Whatever it is.
    Always,
}

/// A rule of squawk's under our name.
#[derive(Clone, Copy)]
pub(super) struct Adopted {
    /// The rule.
    pub rule: &'static Rule,
    /// When it is asked for.
    pub concern: Concern,
    /// The reason; `{}` is the table, or what else the statement is about.
    pub message: &'static str,
    /// The safe form; empty for none.
    pub safe_form: &'static str,
}

impl Adopted {
    /// With another reason.
    pub(super) fn saying(self, message: &'static str) -> Self {
        Self { message, ..self }
    }

    /// Without a safe form.
    pub(super) fn without_safe_form(self) -> Self {
        Self {
            safe_form: "",
            ..self
        }
    }
}

/// All that are adopted.
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

/// Those that are about the types of columns, which squawk cannot tell keys from other columns.
pub(super) const TYPES: [Squawk; 3] = [
    Squawk::PreferTimestampTz,
    Squawk::PreferBigintOverInt,
    Squawk::PreferBigintOverSmallint,
];

/// What a rule of squawk's is here; `None` where it is left out.
pub(super) fn adopted(code: Squawk) -> Option<Adopted> {
    use Concern::{Always, Load, Programs, Shape};
    let (rule, concern, message, safe_form) = match code {
        Squawk::RequireConcurrentIndexCreation => (
            &slugs::INDEX_NOT_CONCURRENT,
            Load,
            "writes to {} wait while the index is built",
            "",
        ),
        Squawk::RequireConcurrentIndexDeletion => (
            &slugs::INDEX_DROP_NOT_CONCURRENT,
            Load,
            "dropping {} waits for all who use its table, and whoever comes meanwhile waits behind it",
            "",
        ),
        Squawk::RequireConcurrentReindex => (
            &slugs::REINDEX_NOT_CONCURRENT,
            Load,
            "writes wait, and reads that would use the index, while {} is built anew",
            "",
        ),
        Squawk::RequireConcurrentPartitionDetach => (
            &slugs::PARTITION_DETACH,
            Load,
            "detaching waits for all who use {}, and whoever comes meanwhile waits behind it",
            "",
        ),
        Squawk::ConstraintMissingNotValid => (
            &slugs::CONSTRAINT_NOT_VALID,
            Load,
            "nobody can read or write {} while all of its rows are checked",
            "ADD CONSTRAINT … NOT VALID here, VALIDATE CONSTRAINT in a later migration",
        ),
        Squawk::DisallowedUniqueConstraint | Squawk::AddingSerialPrimaryKeyField => (
            &slugs::UNIQUE_CONSTRAINT,
            Load,
            "nobody can read or write {} while the index of the key is built",
            "CREATE UNIQUE INDEX CONCURRENTLY in a no-transaction migration, then ADD CONSTRAINT … USING INDEX",
        ),
        Squawk::BanAlterDomainWithAddConstraint => (
            &slugs::DOMAIN_CONSTRAINT,
            Load,
            "writes to every table that uses {} wait while all of their rows are checked",
            "ADD CONSTRAINT … NOT VALID here, VALIDATE CONSTRAINT in a later migration",
        ),
        Squawk::ChangingColumnType => (
            &slugs::COLUMN_TYPE_CHANGE,
            Load,
            "{} may be written anew, which nobody can read or write meanwhile, and programs may not know the new type",
            "a second column, filled in slices and kept by a trigger; the old one is dropped when no program uses it",
        ),
        Squawk::AddingFieldWithDefault => (
            &slugs::VOLATILE_DEFAULT,
            Load,
            "the default differs from row to row: nobody can read or write {} while it is written anew",
            "ADD COLUMN without the default, then SET DEFAULT; fill the rows that stand in slices",
        ),
        Squawk::BanAlterGeneratedExpression => (
            &slugs::STORED_GENERATED_COLUMN,
            Load,
            "nobody can read or write {} while the column is computed for all rows",
            "an ordinary column, filled in slices and kept by a trigger",
        ),
        Squawk::PreferRepack => (
            &slugs::VACUUM_FULL,
            Load,
            "nobody can read or write {} while it is written anew",
            "VACUUM, which blocks nobody; or pg_repack, outside of migrations",
        ),
        Squawk::RenamingColumn => (
            &slugs::COLUMN_RENAME,
            Programs,
            "programs that run use the old name, and fail from this moment on",
            "a second column, kept by a trigger; the old one is dropped when no program uses it",
        ),
        Squawk::RenamingTable => (
            &slugs::TABLE_RENAME,
            Programs,
            "programs that run use the old name of {}, and fail from this moment on",
            "rename it, and in the same migration CREATE VIEW with the old name",
        ),
        Squawk::RenamingObject | Squawk::BanSetSchema => (
            &slugs::OBJECT_RENAME,
            Programs,
            "programs that run may use the old name of {}",
            "make the new one beside the old one, which is dropped when no program uses it",
        ),
        Squawk::BanDropColumn => (
            &slugs::DROP_COLUMN,
            Programs,
            "programs that run may use the column, and its values are gone",
            "drop it after a release that does not use it, and say so: -- migration: allow drop-column \"…\"",
        ),
        Squawk::BanDropTable => (
            &slugs::DROP_TABLE,
            Programs,
            "programs that run may use {}, and its rows are gone",
            "drop it after a release that does not use it, and say so: -- migration: allow drop-table \"…\"",
        ),
        Squawk::BanDropSchema | Squawk::BanDropDatabase => (
            &slugs::DROP_SCHEMA,
            Programs,
            "everything in it is gone, whoever uses it",
            "drop what is in it, one by one",
        ),
        Squawk::BanDropView
        | Squawk::BanDropFunction
        | Squawk::BanDropType
        | Squawk::BanDropSequence
        | Squawk::BanDropDomain
        | Squawk::BanDropExtension => (
            &slugs::DROP_OBJECT,
            Programs,
            "programs that run may use {}",
            "",
        ),
        Squawk::BanTruncateCascade => (
            &slugs::TRUNCATE_CASCADE,
            Always,
            "every table with a foreign key to {} is emptied too, and those that refer to them",
            "name every table that is to be emptied",
        ),
        Squawk::BanDuplicateColumnAssignments => (
            &slugs::DUPLICATE_ASSIGNMENT,
            Always,
            "the column is named twice, which PostgreSQL refuses",
            "",
        ),
        Squawk::IdentifierTooLong => (
            &slugs::IDENTIFIER_TOO_LONG,
            Shape,
            "the name is longer than 63 bytes, and PostgreSQL cuts off the rest",
            "",
        ),
        Squawk::BanCharField => (
            &slugs::CHAR_TYPE,
            Shape,
            "char(n) pads with blanks, which count in some comparisons and not in others",
            "text, or varchar(n) where there is a limit",
        ),
        Squawk::PreferTimestampTz => (
            &slugs::TIMESTAMP_WITHOUT_ZONE,
            Shape,
            "it forgets the zone: sessions in two zones mean two moments by the same value",
            "timestamptz",
        ),
        Squawk::PreferBigintOverInt | Squawk::PreferBigintOverSmallint => (
            &slugs::INT_KEY,
            Shape,
            "the key runs out, and to widen it takes a rewrite of the table",
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
