//! The text for backups: live lines, permanent lines, and the summary.

use domain::{EventKind, Verdict};

use super::activity::LiveLine;
use super::note::{Detail, Note};
use super::style::Role;
use super::tally::{Dumping, Tally};
use super::text::{clean, one_line};
use super::units::{bytes, count, duration};
use super::words;

/// The maximum width of a table name.
const TABLE: usize = 60;
/// The maximum width of a foreign sentence.
const SENTENCE: usize = 200;

/// The live line of a dump.
pub(super) fn words(dumping: &Dumping) -> LiveLine {
    let progress = progress(
        dumping.bytes,
        dumping.of_bytes,
        dumping.table.as_deref(),
        dumping.tables,
        dumping.of_tables,
    );
    let subject = "dump".to_owned();
    match words::identities(&dumping.blockers) {
        Some(who) => LiveLine {
            verb: "blocked",
            role: Role::Warning,
            text: format!("{progress}  waiting for {who}"),
            subject,
        },
        None => LiveLine {
            verb: "dumping",
            role: Role::Accent,
            text: progress,
            subject,
        },
    }
}

/// `12.0 MB dumped, database size 80.0 MB, table 3 of 12: public.policies`
fn progress(
    written: u64,
    of_bytes: u64,
    table: Option<&str>,
    tables: usize,
    of_tables: usize,
) -> String {
    let mut text = format!(
        "{} dumped, database size {}",
        bytes(written),
        bytes(of_bytes)
    );
    if let Some(table) = table {
        let of_tables = of_tables.max(tables);
        let table = one_line(table, TABLE);
        text.push_str(&format!(", table {tables} of {of_tables}: {table}"));
    }
    text
}

/// The line for an event of a backup.
pub(super) fn note(kind: &EventKind, detail: Detail) -> Option<Note> {
    match kind {
        EventKind::BackupStarted {
            database,
            database_bytes,
        } if detail.verbose => {
            let text = format!("database {}, {}", clean(database), bytes(*database_bytes));
            Some(Note::new("dumping", Role::Quiet, text))
        }
        EventKind::BackupBlocked {
            waited_ms,
            blockers,
        } => {
            let text = format!("the dump is waiting for {}", words::blockers(blockers));
            let subject: Vec<i32> = blockers.iter().map(|blocker| blocker.pid).collect();
            let note = Note::new("blocked", Role::Warning, text).lasting(*waited_ms);
            Some(note.waiting_for(format!("{subject:?}")))
        }
        EventKind::BackupFinished {
            path,
            bytes: size,
            duration_ms,
        } => {
            let text = format!("{}: {}", bytes(*size), clean(file_name(path)));
            Some(Note::new("dumped", Role::Good, text).lasting(*duration_ms))
        }
        EventKind::BackupSkipped { because } => {
            let text = format!("no backup: {}", one_line(because, SENTENCE));
            Some(Note::new("skipped", Role::Quiet, text))
        }
        EventKind::BackupTaken {
            manifest,
            services,
            bytes: size,
            duration_ms,
        } if !detail.backs_up => {
            let services = count(services.len(), "service");
            let text = format!("{services}, {}: {}", bytes(*size), clean(manifest));
            Some(Note::new("backed up", Role::Good, text).lasting(*duration_ms))
        }
        EventKind::BackupRemoved { path } => {
            let text = format!("the older backup {}", clean(path));
            Some(Note::new("removed", Role::Quiet, text))
        }
        _ => None,
    }
}

/// The first line of a backup.
pub(super) fn announce(services: usize) -> String {
    format!("Backing up {}.", count(services, "service"))
}

/// The last line of a backup.
pub(super) fn summary(tally: &Tally, verdict: Verdict, duration_ms: u64) -> String {
    let time = duration(duration_ms);
    match (&tally.backup, verdict) {
        (Some(backup), _) => format!(
            "{} backed up ({}) in {time}: {}",
            count(backup.services, "service"),
            bytes(backup.bytes),
            clean(&backup.manifest)
        ),
        (None, Verdict::Cancelled) => format!("Cancelled after {time}: no backup was made"),
        (None, _) => format!("Failed after {time}: no backup was made"),
    }
}

/// The line of the manifest names the folder.
fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dumping() -> Dumping {
        Dumping {
            bytes: 12_000_000,
            of_bytes: 80_000_000,
            table: Some("public.policies".to_owned()),
            tables: 3,
            of_tables: 12,
            blockers: Vec::new(),
        }
    }

    #[test]
    fn a_live_line_shows_the_table_at_hand() {
        let words = words(&dumping());
        assert_eq!(
            (words.verb, words.text.as_str()),
            (
                "dumping",
                "12.0 MB dumped, database size 80.0 MB, table 3 of 12: public.policies"
            )
        );
    }

    #[test]
    fn a_dump_that_waits_names_whom_it_waits_for() {
        let blocker = crate::samples::blocker(991, 300);
        let words = words(&Dumping {
            table: None,
            blockers: vec![blocker],
            ..dumping()
        });
        assert_eq!(
            (words.verb, words.text.as_str()),
            (
                "blocked",
                "12.0 MB dumped, database size 80.0 MB  waiting for pid 991"
            )
        );
    }
}
