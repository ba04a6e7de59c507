//! Rules of the migration guide that the text of a service's migrations shows.

use super::rule::rules;

rules! {
    /// A migration has a revert.
    REVERT_MISSING = Error "revert-missing": "A migration has a revert that does something, or says why it cannot be undone.";
    /// An index has a name that begins with IDX_.
    INDEX_NAME = Error "index-name": "An index has a name of its own that begins with IDX_.";
    /// A foreign key has a name that begins with FK_.
    FOREIGN_KEY_NAME = Error "foreign-key-name": "A foreign key has a name of its own that begins with FK_.";
    /// Columns are written in one style.
    NAMING_STYLE = Warning "naming-style": "A new column is written in the style of those beside it: camelCase or snake_case.";
    /// An enum type is made with a guard where it can exist.
    UNGUARDED_ENUM = Error "unguarded-enum": "An enum type that may exist already is made with a guard.";
    /// A new enum value waits for its commit.
    ENUM_VALUE_USED = Error "enum-value-used": "A value added to an enum type is used only after that is committed.";
    /// A foreign key comes after both tables.
    FOREIGN_KEY_ORDER = Error "foreign-key-order": "A foreign key comes after both of its tables.";
    /// A foreign key on a table with rows is checked later.
    FOREIGN_KEY_NOT_VALID = Error "foreign-key-not-valid": "A foreign key on an existing table is added NOT VALID and validated in a later transaction.";
    /// A foreign key has an index to look rows up by.
    FOREIGN_KEY_UNINDEXED = Error "foreign-key-unindexed": "The columns of a foreign key lead an index of their table.";
    /// A column becomes NOT NULL in three steps.
    NOT_NULL_STEPS = Error "not-null-steps": "A column of an existing table becomes NOT NULL in three steps.";
    /// Large changes of rows go in slices.
    UNBATCHED_DATA_CHANGE = Warning "unbatched-data-change": "A change of many rows of an existing table goes slice by slice.";
    /// Rows and schema change apart.
    MIXED_SCHEMA_AND_DATA = Error "mixed-schema-and-data": "Schema and rows of existing tables are changed in migrations of their own.";
    /// UPDATE and DELETE say which rows.
    DATA_CHANGE_WITHOUT_WHERE = Error "data-change-without-where": "UPDATE and DELETE on an existing table have a WHERE.";
    /// Dependants are dropped by name.
    DROPPED_WITH_DEPENDANTS = Error "dropped-with-dependants": "What depends on a dropped object is dropped before it, by name.";
    /// Names with capitals stand in quotes.
    UNQUOTED_MIXED_CASE = Error "unquoted-mixed-case": "A name with capitals stands in quotes.";
    /// A version is no moment to come.
    VERSION_IN_FUTURE = Error "version-in-future": "The version of a migration is not later than tomorrow.";
    /// A new migration comes after those that are merged.
    VERSION_ORDER = Error "version-order": "A new migration has a later version than those that are merged.";
}
