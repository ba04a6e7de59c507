//! Rules whose violations other crates detect: a rehearsal, or the comparison with the merged state.

use super::rule;

rule! {
    UP_FAILS = Error "up-fails": "The migration runs after all earlier migrations.";
    REVERT_FAILS = Error "revert-fails": "The revert runs after its migration.";
    REVERT_LEAVES_SCHEMA = Error "revert-leaves-schema": "The revert restores the schema from before the migration.";
    REVERT_LEAVES_EXTENSION = Error "revert-leaves-extension": "The revert drops the extensions that its migration created.";
    SECOND_UP_FAILS = Error "second-up-fails": "The migration can be applied again after its revert.";
    SECOND_UP_DIFFERS = Error "second-up-differs": "Applied again after its revert, the migration produces the same schema.";
    REWRITES_TABLE = Error "rewrites-table": "The migration does not rewrite a table while it blocks reads or writes.";
    SCANS_UNDER_LOCK = Error "scans-under-lock": "The migration does not scan a table while it blocks reads or writes.";
    LOCK_HELD_OVER_DATA_CHANGE = Warning "lock-held-over-data-change": "The migration does not hold a blocking lock while it changes rows.";
    LOSES_DATA = Error "loses-data": "The revert restores all rows from before the migration.";
    LEAVES_ROWS = Warning "leaves-rows": "The revert deletes the rows that the migration adds.";
    NEEDS_EMPTY_TABLE = Error "needs-empty-table": "The migration runs on tables with rows.";
    FAILS_ON_ROWS = Warning "fails-on-rows": "The migration runs with all rows that its tables allow.";
    BROKEN_TRIGGER = Error "broken-trigger": "Every trigger works after the migration.";
    BROKEN_FUNCTION = Error "broken-function": "Every function can run after the migration.";
    SCHEMA_FILE_DIFFERS = Error "schema-file-differs": "The migrations produce the schema that schema.sql declares.";
    MERGED_MIGRATION_EDITED = Error "merged-migration-edited": "Merged migrations are not edited, renamed or removed.";
}
