//! Rules that only a rehearsal can hold a migration to.

use super::rule::rules;

rules! {
    /// The revert leaves another schema than the one before the migration.
    REVERT_LEAVES_SCHEMA = Error "revert-leaves-schema": "After the revert the schema is the one before the migration.";
    /// A table is written anew while others wait.
    REWRITES_TABLE = Error "rewrites-table": "No table that others use is written anew under a lock.";
    /// All rows are read while others wait.
    SCANS_UNDER_LOCK = Error "scans-under-lock": "Nothing reads all rows of a table while writes, or reads, have to wait.";
    /// Rows are changed while others wait.
    LOCK_HELD_OVER_DATA_CHANGE = Warning "lock-held-over-data-change": "A lock that others feel is not held while rows are changed.";
}
