//! Rules that only a rehearsal can check.

use super::rule::rules;

rules! {
    /// The migration does not run.
    UP_FAILS = Error "up-fails": "The migration runs after all earlier migrations.";
    /// The revert does not run.
    REVERT_FAILS = Error "revert-fails": "The revert runs after its migration.";
    /// The revert leaves a schema that differs from the one before the migration.
    REVERT_LEAVES_SCHEMA = Error "revert-leaves-schema": "The revert restores the schema from before the migration.";
    /// The revert leaves an extension that the migration created.
    REVERT_LEAVES_EXTENSION = Error "revert-leaves-extension": "The revert drops the extensions that its migration created.";
    /// The migration fails when it is applied again after its revert.
    SECOND_UP_FAILS = Error "second-up-fails": "The migration can be applied again after its revert.";
    /// The migration produces a different schema when it is applied again.
    SECOND_UP_DIFFERS = Error "second-up-differs": "Applied again after its revert, the migration produces the same schema.";
    /// A table is rewritten under a blocking lock.
    REWRITES_TABLE = Error "rewrites-table": "The migration does not rewrite a table while it blocks reads or writes.";
    /// A table is scanned under a blocking lock.
    SCANS_UNDER_LOCK = Error "scans-under-lock": "The migration does not scan a table while it blocks reads or writes.";
    /// Rows change under a blocking lock.
    LOCK_HELD_OVER_DATA_CHANGE = Warning "lock-held-over-data-change": "The migration does not hold a blocking lock while it changes rows.";
    /// Rows from before the migration are missing or differ after its revert.
    LOSES_DATA = Error "loses-data": "The revert restores all rows from before the migration.";
    /// The revert leaves rows that the migration added.
    LEAVES_ROWS = Warning "leaves-rows": "The revert deletes the rows that the migration adds.";
    /// The migration fails if its tables have rows.
    NEEDS_EMPTY_TABLE = Error "needs-empty-table": "The migration runs on tables with rows.";
    /// The migration fails on generated rows.
    FAILS_ON_ROWS = Warning "fails-on-rows": "The migration runs with all rows that its tables allow.";
    /// A trigger fails after the migration.
    BROKEN_TRIGGER = Error "broken-trigger": "Every trigger works after the migration.";
    /// A function cannot run after the migration.
    BROKEN_FUNCTION = Error "broken-function": "Every function can run after the migration.";
}
