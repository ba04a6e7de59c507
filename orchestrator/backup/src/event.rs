//! The events of a backup.

use domain::{Blocker, CommandEvent, ServiceName};
use schemars::JsonSchema;
use serde::Serialize;

/// An event that only a backup emits, by `backup` or before a run.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum BackupEvent {
    /// The dump of a service's database started, under its lock.
    BackupStarted {
        database: String,
        /// Its size, in bytes.
        database_bytes: u64,
    },
    /// The progress of a dump, at most once per second.
    BackupProgress {
        /// The compressed bytes written so far.
        bytes: u64,
        /// The size of the database, in bytes.
        of_bytes: u64,
        /// The current table, as `pg_dump` names it.
        #[serde(skip_serializing_if = "Option::is_none")]
        table: Option<String>,
        /// Tables started.
        tables: usize,
        /// The total number of tables.
        of_tables: usize,
    },
    /// A dump is waiting for a lock that another session holds.
    BackupBlocked {
        /// How long it has waited, in milliseconds.
        waited_ms: u64,
        /// The sessions that block it; reported again when they change.
        blockers: Vec<Blocker>,
    },
    /// A dump is written and verified.
    BackupFinished {
        path: String,
        /// Its size, in bytes.
        bytes: u64,
        duration_ms: u64,
    },
    /// A database is not dumped; without a service, none is.
    BackupSkipped { because: String },
    /// A backup is complete: its manifest is written.
    BackupTaken {
        manifest: String,
        /// The services whose databases it contains.
        services: Vec<ServiceName>,
        /// The total size of the dumps, in bytes.
        bytes: u64,
        duration_ms: u64,
    },
    /// An older backup was removed, because enough newer ones exist.
    BackupRemoved {
        /// The path of its folder.
        path: String,
    },
}

impl CommandEvent for BackupEvent {}

#[cfg(test)]
mod tests {
    use domain::EventKind;

    use super::*;

    /// A changed or missing field is a change that users notice.
    #[test]
    fn fields_keep_their_names_and_types() {
        let path = "backups/20261122T180000Z-00000001";
        let blocker = Blocker {
            pid: 991,
            user: "app".to_owned(),
            application: "psql".to_owned(),
            state: "idle in transaction".to_owned(),
            transaction_age_s: 300,
            query: "UPDATE policies\n   SET title = 'x'".to_owned(),
            prepared: None,
            waits_for: Vec::new(),
        };
        let progress = |bytes, table: Option<&str>, tables| BackupEvent::BackupProgress {
            bytes,
            of_bytes: 80_000_000,
            table: table.map(str::to_owned),
            tables,
            of_tables: 12,
        };
        let events = [
            BackupEvent::BackupSkipped {
                because: "it was created just now, and is empty".to_owned(),
            },
            BackupEvent::BackupStarted {
                database: "soc_policies".to_owned(),
                database_bytes: 80_000_000,
            },
            BackupEvent::BackupBlocked {
                waited_ms: 500,
                blockers: vec![blocker],
            },
            progress(5_000_000, None, 0),
            progress(12_000_000, Some("public.policies"), 3),
            BackupEvent::BackupFinished {
                path: format!("{path}/policy.dump"),
                bytes: 20_000_000,
                duration_ms: 2_400,
            },
            BackupEvent::BackupTaken {
                manifest: format!("{path}/manifest.json"),
                services: vec!["policy".parse().unwrap()],
                bytes: 20_000_000,
                duration_ms: 2_500,
            },
            BackupEvent::BackupRemoved {
                path: "backups/20261101T180000Z-00000001".to_owned(),
            },
        ];
        let lines = events.map(|it| serde_json::to_string(&EventKind::from(it)).unwrap());
        let lines = lines.join("\n");
        insta::assert_snapshot!(lines, @r#"
        {"event":"backup_skipped","because":"it was created just now, and is empty"}
        {"event":"backup_started","database":"soc_policies","database_bytes":80000000}
        {"event":"backup_blocked","waited_ms":500,"blockers":[{"pid":991,"user":"app","application":"psql","state":"idle in transaction","transaction_age_s":300,"query":"UPDATE policies\n   SET title = 'x'"}]}
        {"event":"backup_progress","bytes":5000000,"of_bytes":80000000,"tables":0,"of_tables":12}
        {"event":"backup_progress","bytes":12000000,"of_bytes":80000000,"table":"public.policies","tables":3,"of_tables":12}
        {"event":"backup_finished","path":"backups/20261122T180000Z-00000001/policy.dump","bytes":20000000,"duration_ms":2400}
        {"event":"backup_taken","manifest":"backups/20261122T180000Z-00000001/manifest.json","services":["policy"],"bytes":20000000,"duration_ms":2500}
        {"event":"backup_removed","path":"backups/20261101T180000Z-00000001"}
        "#);
    }
}
