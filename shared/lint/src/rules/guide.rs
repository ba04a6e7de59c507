//! Rules of the migration guide that are checked on the text of a service's migrations.

use super::rule::rules;

rules! {
    /// A migration has no revert.
    REVERT_MISSING = Error "revert-missing": "Provide a revert with statements, or declare the migration irreversible.";
    /// The name of an index does not start with `IDX_`.
    INDEX_NAME = Error "index-name": "Name indexes explicitly, with the prefix IDX_.";
    /// The name of a foreign key does not start with `FK_`.
    FOREIGN_KEY_NAME = Error "foreign-key-name": "Name foreign keys explicitly, with the prefix FK_.";
    /// A column does not follow the naming style of the others.
    NAMING_STYLE = Warning "naming-style": "Follow the naming style of the table's other columns: camelCase or snake_case.";
    /// An enum type that may already exist is created without a guard.
    UNGUARDED_ENUM = Error "unguarded-enum": "Guard the creation of an enum type that may already exist.";
    /// An enum value is used before the transaction that adds it commits.
    ENUM_VALUE_USED = Error "enum-value-used": "Use a new enum value only after the transaction that adds it has committed.";
    /// A foreign key is created before its tables.
    FOREIGN_KEY_ORDER = Error "foreign-key-order": "Create a foreign key only after both of its tables.";
    /// A foreign key is validated in the statement that adds it.
    FOREIGN_KEY_NOT_VALID = Error "foreign-key-not-valid": "Add foreign keys on existing tables NOT VALID and validate them in a later transaction.";
    /// The columns of a foreign key have no index.
    FOREIGN_KEY_UNINDEXED = Error "foreign-key-unindexed": "Index the columns of a foreign key, as the leading columns of an index.";
    /// A column becomes NOT NULL in one step.
    NOT_NULL_STEPS = Error "not-null-steps": "Make a column of an existing table NOT NULL in three steps.";
    /// Many rows change in one statement.
    UNBATCHED_DATA_CHANGE = Warning "unbatched-data-change": "Change many rows of an existing table in batches.";
    /// Schema and rows change in one transaction.
    MIXED_SCHEMA_AND_DATA = Error "mixed-schema-and-data": "Change the schema and the rows of existing tables in separate migrations.";
    /// UPDATE or DELETE without a WHERE.
    DATA_CHANGE_WITHOUT_WHERE = Error "data-change-without-where": "Use a WHERE in UPDATE and DELETE on existing tables.";
    /// Dependent objects are dropped implicitly.
    DROPPED_WITH_DEPENDANTS = Error "dropped-with-dependants": "Drop dependent objects by name before the object that they depend on.";
    /// A name with capital letters is not quoted.
    UNQUOTED_MIXED_CASE = Error "unquoted-mixed-case": "Quote names with capital letters.";
    /// A version is in the future.
    VERSION_IN_FUTURE = Error "version-in-future": "Do not use a version later than tomorrow.";
    /// A new migration has an earlier version than a merged one.
    VERSION_ORDER = Error "version-order": "Give a new migration a later version than all merged ones.";
}
