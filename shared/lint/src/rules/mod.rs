//! The rules of `check`, `rehearse`, and the hazards of a plan: one module per rule, or per tight family, with its decision and
//! its tests; the table of all rules; severities; and the `allow` directives of a file.
//!
//! To add a rule, add its module, a line in the table, and its page in `docs/rules`.

mod allows;
mod column_type_change;
mod column_types;
mod constraints;
mod data_changes;
mod dependants;
mod drops;
mod elsewhere;
mod enums;
mod foreign_keys;
mod indexes;
mod mixed_case;
mod names;
mod naming;
mod new_columns;
mod not_null_steps;
mod partition_detach;
mod refresh;
mod renames;
mod revert_missing;
mod rewrites;
mod rule;
mod rulebook;
mod runnable;
mod truncate;
mod versions;

pub use allows::allows;
pub(super) use rule::{OnceDropped, all as all_rules};
pub use rule::{Rule, is_proven, is_textual, nearest, rule_named};
use rule::{rule, table};
pub use rulebook::{ConfiguredSeverity, Draft, Rulebook};
pub use runnable::runnable;
pub(super) use runnable::{drafts as runnable_drafts, too_deep_within};
pub use versions::order_against;

table! {
    // Only a rehearsal can check these.
    PROOF {
        elsewhere: UP_FAILS, REVERT_FAILS, REVERT_LEAVES_SCHEMA, REVERT_LEAVES_EXTENSION, SECOND_UP_FAILS,
            SECOND_UP_DIFFERS, REWRITES_TABLE, SCANS_UNDER_LOCK, LOCK_HELD_OVER_DATA_CHANGE, LOSES_DATA, LEAVES_ROWS,
            NEEDS_EMPTY_TABLE, FAILS_ON_ROWS, BROKEN_TRIGGER, BROKEN_FUNCTION, SCHEMA_FILE_DIFFERS;
    }
    // The migration guide, checked on the text of a service's migrations.
    GUIDE {
        revert_missing: REVERT_MISSING;
        naming: INDEX_NAME, FOREIGN_KEY_NAME, NAMING_STYLE;
        enums: UNGUARDED_ENUM, ENUM_VALUE_USED;
        foreign_keys: FOREIGN_KEY_ORDER, FOREIGN_KEY_NOT_VALID, FOREIGN_KEY_UNINDEXED;
        not_null_steps: NOT_NULL_STEPS;
        data_changes: UNBATCHED_DATA_CHANGE, MIXED_SCHEMA_AND_DATA, DATA_CHANGE_WITHOUT_WHERE;
        dependants: DROPPED_WITH_DEPENDANTS;
        mixed_case: UNQUOTED_MIXED_CASE;
        versions: VERSION_IN_FUTURE, VERSION_ORDER;
    }
    // Live traffic, running programs, and what is hard to change later.
    LOAD {
        indexes: INDEX_NOT_CONCURRENT, INDEX_DROP_NOT_CONCURRENT, REINDEX_NOT_CONCURRENT;
        refresh: REFRESH_NOT_CONCURRENT;
        constraints: CONSTRAINT_NOT_VALID, UNIQUE_CONSTRAINT, DOMAIN_CONSTRAINT;
        column_type_change: COLUMN_TYPE_CHANGE;
        new_columns: VOLATILE_DEFAULT, STORED_GENERATED_COLUMN;
        rewrites: VACUUM_FULL, STORAGE_CHANGE;
        partition_detach: PARTITION_DETACH;
        renames: COLUMN_RENAME, TABLE_RENAME, OBJECT_RENAME;
        drops: DROP_COLUMN, DROP_TABLE, DROP_SCHEMA, DROP_OBJECT;
        truncate: TRUNCATE, TRUNCATE_CASCADE;
        names: DUPLICATE_ASSIGNMENT, IDENTIFIER_TOO_LONG;
        column_types: CHAR_TYPE, TIMESTAMP_WITHOUT_ZONE, INT_KEY;
    }
    // The files themselves.
    FILES {
        allows: UNKNOWN_RULE, UNUSED_ALLOW;
        runnable: NOT_UNDERSTOOD, TOO_DEEP, ENGINE_REFUSES, NEEDS_NO_TRANSACTION;
        elsewhere: MERGED_MIGRATION_EDITED;
    }
}
