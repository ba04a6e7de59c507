//! Rules that only a rehearsal can hold a migration to.

use super::rule::rules;

rules! {
    /// The revert leaves another schema than the one before the migration.
    REVERT_LEAVES_SCHEMA = Error "revert-leaves-schema": "After the revert the schema is the one before the migration.";
}
