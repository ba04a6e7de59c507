//! Rules of the migration guide that the text of a service's migrations shows.

use super::rule::rules;

rules! {
    /// A migration has a revert.
    REVERT_MISSING = Error "revert-missing": "Provide a revert with statements, or declare the migration irreversible.";
    /// An index has a name that begins with IDX_.
    INDEX_NAME = Error "index-name": "Name indexes explicitly, with the prefix IDX_.";
    /// A foreign key has a name that begins with FK_.
    FOREIGN_KEY_NAME = Error "foreign-key-name": "Name foreign keys explicitly, with the prefix FK_.";
    /// Columns are written in one style.
    NAMING_STYLE = Warning "naming-style": "Follow the naming style of the table's other columns: camelCase or snake_case.";
    /// An enum type is made with a guard where it can exist.
    UNGUARDED_ENUM = Error "unguarded-enum": "Guard the creation of an enum type that may already exist.";
    /// A new enum value waits for its commit.
    ENUM_VALUE_USED = Error "enum-value-used": "Use a new enum value only after the transaction that adds it has committed.";
    /// A foreign key comes after both tables.
    FOREIGN_KEY_ORDER = Error "foreign-key-order": "Create a foreign key only after both of its tables.";
    /// A foreign key on a table with rows is checked later.
    FOREIGN_KEY_NOT_VALID = Error "foreign-key-not-valid": "Add foreign keys on existing tables NOT VALID and validate them in a later transaction.";
    /// A foreign key has an index to look rows up by.
    FOREIGN_KEY_UNINDEXED = Error "foreign-key-unindexed": "Index the columns of a foreign key, as the leading columns of an index.";
    /// A column becomes NOT NULL in three steps.
    NOT_NULL_STEPS = Error "not-null-steps": "Make a column of an existing table NOT NULL in three steps.";
    /// Large changes of rows go in slices.
    UNBATCHED_DATA_CHANGE = Warning "unbatched-data-change": "Change many rows of an existing table in batches.";
    /// Rows and schema change apart.
    MIXED_SCHEMA_AND_DATA = Error "mixed-schema-and-data": "Change the schema and the rows of existing tables in separate migrations.";
    /// UPDATE and DELETE say which rows.
    DATA_CHANGE_WITHOUT_WHERE = Error "data-change-without-where": "Use a WHERE in UPDATE and DELETE on existing tables.";
    /// Dependants are dropped by name.
    DROPPED_WITH_DEPENDANTS = Error "dropped-with-dependants": "Drop dependent objects by name before the object that they depend on.";
    /// Names with capitals stand in quotes.
    UNQUOTED_MIXED_CASE = Error "unquoted-mixed-case": "Quote names with capital letters.";
    /// A version is no moment to come.
    VERSION_IN_FUTURE = Error "version-in-future": "Do not use a version later than tomorrow.";
    /// A new migration comes after those that are merged.
    VERSION_ORDER = Error "version-order": "Give a new migration a later version than all merged ones.";
}
