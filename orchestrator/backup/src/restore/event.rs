//! The events of a restore.

use domain::{CommandEvent, Version};
use schemars::JsonSchema;
use serde::Serialize;
use time::OffsetDateTime;

/// An event that only `restore` emits.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum RestoreEvent {
    /// A backup is complete and fits the server. Describes what restoring it means.
    RestorePlanned(PlannedRestore),
    /// A warning about a restore, which does not prevent it.
    RestoreWarning { message: String },
    /// A new database is being restored next to the old one.
    RestoreStarted {
        /// The database that is restored.
        database: String,
        /// The name of the new database until it replaces the old one.
        into: String,
    },
    /// The new database is complete and matches the manifest.
    RestoreVerified {
        /// Its temporary name.
        into: String,
        /// The number of migrations that are applied in it.
        applied: usize,
        /// How long restoring and verifying took, in milliseconds.
        duration_ms: u64,
    },
    /// The new database has replaced the old one.
    DatabaseSwapped {
        database: String,
        /// The new name of the old database; `None` if there was none.
        kept_as: Option<String>,
        /// How long connections were impossible, in milliseconds.
        window_ms: u64,
        /// The number of sessions that were terminated.
        ended: usize,
    },
    /// Several databases have been swapped.
    DatabasesSwapped {
        databases: usize,
        /// From the start of the first swap to the end of the last, in milliseconds. In this window the fleet is inconsistent.
        window_ms: u64,
    },
    /// A replaced database still exists.
    OldDatabaseKept {
        database: String,
        /// Its size, in bytes.
        bytes: u64,
    },
    /// A replaced database was dropped.
    OldDatabaseDropped {
        database: String,
        /// Its size before, in bytes.
        bytes: u64,
    },
}

impl CommandEvent for RestoreEvent {}

/// What restoring a backup means.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PlannedRestore {
    /// The database that is restored.
    pub database: String,
    /// Whether the database exists; the old one is kept.
    pub exists: bool,
    pub backup: String,
    pub manifest: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub taken_at: OffsetDateTime,
    /// The age of the backup, in seconds. It does not contain later writes.
    pub age_s: i64,
    /// The size of the database at that time, in bytes.
    pub bytes: u64,
    /// The number of migrations applied at that time.
    pub applied: usize,
    /// The newest applied migration at that time.
    pub head: Option<Version>,
    /// Migrations that were applied later and will be pending again.
    pub loses: Vec<Version>,
}

#[cfg(test)]
mod tests {
    use domain::EventKind;
    use time::macros::datetime;

    use super::*;

    /// A changed or missing field is a change that users notice.
    #[test]
    fn fields_keep_their_names_and_types() {
        let (database, into) = ("soc_policies", "soc_policies_restoring_0123abcd");
        let kept = "soc_policies_before_20261123t041500z";
        let planned = PlannedRestore {
            database: database.to_owned(),
            exists: true,
            backup: "20261123T030000Z-0123abcd".to_owned(),
            manifest: "backups/20261123T030000Z-0123abcd/manifest.json".to_owned(),
            taken_at: datetime!(2026-11-23 03:00:00 UTC),
            age_s: 4_500,
            bytes: 7_800_000,
            applied: 2,
            head: Some(Version::new(1_753_260_000_000)),
            loses: vec![Version::new(1_753_270_000_000)],
        };
        let events = [
            RestoreEvent::RestorePlanned(planned),
            RestoreEvent::RestoreWarning {
                message: "a subscription stays with the old database".to_owned(),
            },
            RestoreEvent::RestoreStarted {
                database: database.to_owned(),
                into: into.to_owned(),
            },
            RestoreEvent::RestoreVerified {
                into: into.to_owned(),
                applied: 2,
                duration_ms: 900,
            },
            RestoreEvent::DatabaseSwapped {
                database: database.to_owned(),
                kept_as: Some(kept.to_owned()),
                window_ms: 12,
                ended: 3,
            },
            RestoreEvent::OldDatabaseKept {
                database: kept.to_owned(),
                bytes: 7_900_000,
            },
            RestoreEvent::OldDatabaseDropped {
                database: kept.to_owned(),
                bytes: 7_900_000,
            },
            RestoreEvent::DatabasesSwapped {
                databases: 2,
                window_ms: 40,
            },
        ];
        let lines = events.map(|it| serde_json::to_string(&EventKind::from(it)).unwrap());
        let lines = lines.join("\n");
        insta::assert_snapshot!(lines, @r#"
        {"event":"restore_planned","database":"soc_policies","exists":true,"backup":"20261123T030000Z-0123abcd","manifest":"backups/20261123T030000Z-0123abcd/manifest.json","taken_at":"2026-11-23T03:00:00Z","age_s":4500,"bytes":7800000,"applied":2,"head":1753260000000,"loses":[1753270000000]}
        {"event":"restore_warning","message":"a subscription stays with the old database"}
        {"event":"restore_started","database":"soc_policies","into":"soc_policies_restoring_0123abcd"}
        {"event":"restore_verified","into":"soc_policies_restoring_0123abcd","applied":2,"duration_ms":900}
        {"event":"database_swapped","database":"soc_policies","kept_as":"soc_policies_before_20261123t041500z","window_ms":12,"ended":3}
        {"event":"old_database_kept","database":"soc_policies_before_20261123t041500z","bytes":7900000}
        {"event":"old_database_dropped","database":"soc_policies_before_20261123t041500z","bytes":7900000}
        {"event":"databases_swapped","databases":2,"window_ms":40}
        "#);
    }
}
