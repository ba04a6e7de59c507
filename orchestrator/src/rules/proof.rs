//! Rules that only a rehearsal can hold a migration to.

use super::rule::rules;

rules! {
    /// The migration does not run.
    UP_FAILS = Error "up-fails": "The migration runs where everything before it has run.";
    /// The revert does not run.
    REVERT_FAILS = Error "revert-fails": "The revert runs where its migration has run.";
    /// The revert leaves another schema than the one before the migration.
    REVERT_LEAVES_SCHEMA = Error "revert-leaves-schema": "After the revert the schema is the one before the migration.";
    /// The revert leaves an extension that the migration brought.
    REVERT_LEAVES_EXTENSION = Error "revert-leaves-extension": "The revert drops an extension that its migration brought.";
    /// The migration does not run a second time, after its revert.
    SECOND_UP_FAILS = Error "second-up-fails": "After its revert the migration runs again.";
    /// The migration makes another schema the second time.
    SECOND_UP_DIFFERS = Error "second-up-differs": "After its revert the migration makes the same schema again.";
    /// A table is written anew while others wait.
    REWRITES_TABLE = Error "rewrites-table": "No table that others use is written anew under a lock.";
    /// All rows are read while others wait.
    SCANS_UNDER_LOCK = Error "scans-under-lock": "Nothing reads all rows of a table while writes, or reads, have to wait.";
    /// Rows are changed while others wait.
    LOCK_HELD_OVER_DATA_CHANGE = Warning "lock-held-over-data-change": "A lock that others feel is not held while rows are changed.";
    /// Rows that stood before the migration are others after its revert.
    LOSES_DATA = Error "loses-data": "After the revert the rows that stood before the migration stand there as they were.";
    /// Rows stand there after the revert that did not before the migration.
    LEAVES_ROWS = Warning "leaves-rows": "The revert takes away the rows that the migration adds.";
    /// The migration cannot run where its tables have rows.
    NEEDS_EMPTY_TABLE = Error "needs-empty-table": "A migration runs on tables that have rows.";
    /// The migration failed on rows that were made up.
    FAILS_ON_ROWS = Warning "fails-on-rows": "A migration runs whatever rows its tables allow.";
    /// A trigger cannot work in the state that the migration leaves.
    BROKEN_TRIGGER = Error "broken-trigger": "Every trigger works in the state that a migration leaves.";
    /// A function cannot run in the state that the migration leaves.
    BROKEN_FUNCTION = Error "broken-function": "Every function can run in the state that a migration leaves.";
}
