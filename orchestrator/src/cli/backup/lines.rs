//! The human output of a backup, by itself or before a run.

use std::collections::BTreeMap;

use backup::BackupEvent;
use domain::{Blocker, Event, EventKind, ExitStatus, ServiceName, Totals};
use report::units::{bytes, count, duration};
use report::{CommandLines, LiveLine, Note, Role, blockers, clean, identities, one_line};
use service_cli::command::Context;

/// The maximum width of a table name.
const TABLE: usize = 60;
/// The maximum width of a foreign sentence.
const SENTENCE: usize = 200;

/// The lines of a backup.
#[derive(Debug)]
pub(crate) struct BackupLines {
    is_part: bool,
    verbose: bool,
    /// The progress of each dump, and the sessions that block it.
    dumps: BTreeMap<ServiceName, (String, Vec<Blocker>)>,
    dumped: usize,
    /// What was backed up, and the manifest.
    taken: Option<(String, String)>,
}

impl BackupLines {
    /// For the `backup` command.
    pub(super) fn new(context: &Context) -> Self {
        Self {
            is_part: false,
            verbose: context.globals.verbose > 0,
            dumps: BTreeMap::new(),
            dumped: 0,
            taken: None,
        }
    }

    /// For the backup before a run.
    pub(crate) fn before_run(context: &Context) -> Self {
        Self {
            is_part: true,
            ..Self::new(context)
        }
    }

    /// Records the progress of a dump.
    fn follow(&mut self, service: Option<&ServiceName>, event: &BackupEvent) {
        let Some(service) = service else { return };
        let dump = self.dumps.entry(service.clone()).or_default();
        match event {
            BackupEvent::BackupStarted { database_bytes, .. } => {
                *dump = (progress(0, *database_bytes, None), Vec::new());
            }
            BackupEvent::BackupProgress {
                bytes,
                of_bytes,
                table,
                tables,
                of_tables,
            } => {
                let table = table.as_deref().map(|table| (table, *tables, *of_tables));
                *dump = (progress(*bytes, *of_bytes, table), Vec::new());
            }
            BackupEvent::BackupBlocked { blockers, .. } => dump.1.clone_from(blockers),
            BackupEvent::BackupFinished { .. } => self.dumped += 1,
            _ => {}
        }
    }
}

impl CommandLines for BackupLines {
    fn is_part(&self) -> bool {
        self.is_part
    }

    fn announce(&self, services: usize, _steps: usize) -> Option<String> {
        Some(format!("Backing up {}.", count(services, "service")))
    }

    fn note(&mut self, event: &Event) -> Option<Note> {
        let own = event.kind.of_command()?;
        self.follow(event.service.as_ref(), own);
        match own {
            BackupEvent::BackupStarted {
                database,
                database_bytes,
            } if self.verbose => {
                let text = format!("database {}, {}", clean(database), bytes(*database_bytes));
                Some(Note::new("dumping", Role::Quiet, text))
            }
            BackupEvent::BackupStarted { .. } | BackupEvent::BackupProgress { .. } => None,
            BackupEvent::BackupBlocked {
                waited_ms,
                blockers: by,
            } => {
                let text = format!("the dump is waiting for {}", blockers(by));
                let pids: Vec<i32> = by.iter().map(|blocker| blocker.pid).collect();
                let note = Note::new("blocked", Role::Warning, text).lasting(*waited_ms);
                Some(note.waiting_for(format!("{pids:?}")))
            }
            BackupEvent::BackupFinished {
                path,
                bytes: size,
                duration_ms,
            } => {
                // The line of the manifest names the folder.
                let file = path.rsplit('/').next().unwrap_or(path);
                let text = format!("{}: {}", bytes(*size), clean(file));
                Some(Note::new("dumped", Role::Good, text).lasting(*duration_ms))
            }
            BackupEvent::BackupSkipped { because } => {
                let text = format!("no backup: {}", one_line(because, SENTENCE));
                Some(Note::new("skipped", Role::Quiet, text))
            }
            BackupEvent::BackupTaken {
                manifest,
                services,
                bytes: size,
                duration_ms,
            } => {
                let (services, manifest) = (count(services.len(), "service"), clean(manifest));
                let size = bytes(*size);
                if self.is_part {
                    let text = format!("{services}, {size}: {manifest}");
                    return Some(Note::new("backed up", Role::Good, text).lasting(*duration_ms));
                }
                self.taken = Some((format!("{services} backed up ({size})"), manifest));
                None
            }
            BackupEvent::BackupRemoved { path } => {
                let text = format!("the older backup {}", clean(path));
                Some(Note::new("removed", Role::Quiet, text))
            }
        }
    }

    fn activity(&self, service: &ServiceName, event: &EventKind) -> Option<LiveLine> {
        match event.of_command()? {
            BackupEvent::BackupStarted { .. }
            | BackupEvent::BackupProgress { .. }
            | BackupEvent::BackupBlocked { .. } => {}
            _ => return None,
        }
        let (progress, blockers) = self.dumps.get(service)?;
        let line = LiveLine::new("dumping", progress.clone(), "dump");
        Some(match identities(blockers) {
            None => line,
            Some(who) => LiveLine {
                verb: "blocked",
                role: Role::Warning,
                text: format!("{progress}  waiting for {who}"),
                ..line
            },
        })
    }

    fn ends_activity(&self, event: &EventKind) -> bool {
        matches!(event.of_command(), Some(BackupEvent::BackupFinished { .. }))
    }

    fn done(&self) -> usize {
        self.dumped
    }

    fn summary(&mut self, status: ExitStatus, totals: &Totals) -> Option<String> {
        let time = duration(totals.duration_ms);
        Some(match (&self.taken, status) {
            (Some((what, manifest)), _) => format!("{what} in {time}: {manifest}"),
            (None, ExitStatus::Cancelled) => format!("Cancelled after {time}: no backup was made"),
            (None, _) => format!("Failed after {time}: no backup was made"),
        })
    }
}

/// `12.0 MB dumped, database size 80.0 MB, table 3 of 12: public.policies`
fn progress(written: u64, of_bytes: u64, table: Option<(&str, usize, usize)>) -> String {
    let (written, whole) = (bytes(written), bytes(of_bytes));
    let text = format!("{written} dumped, database size {whole}");
    match table {
        None => text,
        Some((table, tables, of_tables)) => {
            let of_tables = of_tables.max(tables);
            let table = one_line(table, TABLE);
            format!("{text}, table {tables} of {of_tables}: {table}")
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::{Reporter, Verdict};
    use report::{PlainLines, Terminal, Verbosity};
    use time::macros::datetime;

    use super::*;

    fn lines(is_part: bool) -> BackupLines {
        BackupLines {
            is_part,
            verbose: false,
            dumps: BTreeMap::new(),
            dumped: 0,
            taken: None,
        }
    }

    fn event(service: Option<&str>, kind: EventKind) -> Event {
        Event {
            run_id: Default::default(),
            seq: 1,
            time: datetime!(2026-11-22 18:00:00 UTC),
            service: service.map(|name| name.parse().unwrap()),
            version: None,
            kind,
        }
    }

    /// The output of a backup of `policy`, by a command; `run` then applies a migration.
    fn output(command: &'static str) -> String {
        let path = "backups/20261122T180000Z-00000001";
        let policy = "policy".parse::<ServiceName>().unwrap();
        let started = EventKind::RunStarted {
            schema: 1,
            command,
            services: vec![policy.clone()],
            unchanged: Vec::new(),
            steps: 1,
            program_version: "0.1.0",
            undoes_on_failure: false,
        };
        let blocked = BackupEvent::BackupBlocked {
            waited_ms: 500,
            blockers: vec![blocker()],
        };
        let dumped = BackupEvent::BackupFinished {
            path: format!("{path}/policy.dump"),
            bytes: 20_000_000,
            duration_ms: 2_400,
        };
        let taken = BackupEvent::BackupTaken {
            manifest: format!("{path}/manifest.json"),
            services: vec![policy],
            bytes: 20_000_000,
            duration_ms: 2_500,
        };
        let removed = BackupEvent::BackupRemoved {
            path: "backups/20261101T180000Z-00000001".to_owned(),
        };
        let finished = EventKind::RunFinished {
            verdict: Verdict::Done,
            exit_code: ExitStatus::Done,
            totals: Totals {
                applied: usize::from(command == "run"),
                duration_ms: 2_600,
                ..Totals::default()
            },
            next: Vec::new(),
            anchors: Vec::new(),
            backup: None,
            timings: None,
        };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let own = lines(command == "run");
        let mut plain = PlainLines::new(Verbosity::Normal, Terminal::default(), &mut out, &mut err)
            .with_own(Some(Box::new(own)));
        let applied = EventKind::MigrationApplied {
            name: "initial_schema".to_owned(),
            duration_ms: 20,
        };
        let events = [
            event(None, started),
            event(Some("policy"), started_dump().into()),
            event(Some("policy"), blocked.into()),
            event(Some("policy"), dumped.into()),
            event(None, taken.into()),
            event(None, removed.into()),
            event(Some("policy"), applied),
            event(None, finished),
        ];
        let is_shown = |event: &&Event| {
            command == "run" || !matches!(event.kind, EventKind::MigrationApplied { .. })
        };
        for event in events.iter().filter(is_shown) {
            plain.report(event);
        }
        String::from_utf8([out, err].concat()).unwrap()
    }

    fn started_dump() -> BackupEvent {
        BackupEvent::BackupStarted {
            database: "soc_policies".to_owned(),
            database_bytes: 80_000_000,
        }
    }

    fn blocker() -> Blocker {
        Blocker {
            pid: 991,
            user: "app".to_owned(),
            application: "psql".to_owned(),
            state: "idle in transaction".to_owned(),
            transaction_age_s: 300,
            query: "UPDATE policies SET title = 'x'".to_owned(),
            prepared: None,
            waits_for: Vec::new(),
        }
    }

    #[test]
    fn a_backup_reports_what_it_dumped_and_where() {
        insta::assert_snapshot!(output("backup"), @r"
        Backing up 1 service.
        blocked        0.50 s  policy  the dump is waiting for pid 991 (app, psql, idle in transaction for 5 min 00 s): UPDATE policies SET title = 'x'
        dumped         2.40 s  policy  20.0 MB: policy.dump
        removed                        the older backup backups/20261101T180000Z-00000001
        1 service backed up (20.0 MB) in 2.60 s: backups/20261122T180000Z-00000001/manifest.json
        ");
    }

    #[test]
    fn a_run_with_a_backup_names_it_before_the_first_step() {
        insta::assert_snapshot!(output("run"), @r"
        Applying 1 migration to policy.
        blocked        0.50 s  policy  the dump is waiting for pid 991 (app, psql, idle in transaction for 5 min 00 s): UPDATE policies SET title = 'x'
        dumped         2.40 s  policy  20.0 MB: policy.dump
        backed up      2.50 s          1 service, 20.0 MB: backups/20261122T180000Z-00000001/manifest.json
        removed                        the older backup backups/20261101T180000Z-00000001
        applied        0.02 s  policy  initial_schema
        1 service, 1 migration applied in 2.60 s
        ");
    }

    #[test]
    fn a_live_line_shows_the_current_table_and_the_blockers() {
        let mut lines = lines(false);
        let mut shown = Vec::new();
        let progress = BackupEvent::BackupProgress {
            bytes: 12_000_000,
            of_bytes: 80_000_000,
            table: Some("public.policies".to_owned()),
            tables: 3,
            of_tables: 12,
        };
        let blocked = BackupEvent::BackupBlocked {
            waited_ms: 500,
            blockers: vec![blocker()],
        };
        for own in [started_dump(), progress, blocked] {
            let event = event(Some("policy"), own.into());
            lines.note(&event);
            let line = lines.activity(event.service.as_ref().unwrap(), &event.kind);
            let line = line.unwrap();
            shown.push(format!("{} {}", line.verb, line.text));
        }
        insta::assert_snapshot!(shown.join("\n"), @r"
        dumping 0 B dumped, database size 80.0 MB
        dumping 12.0 MB dumped, database size 80.0 MB, table 3 of 12: public.policies
        blocked 12.0 MB dumped, database size 80.0 MB, table 3 of 12: public.policies  waiting for pid 991
        ");
    }
}
