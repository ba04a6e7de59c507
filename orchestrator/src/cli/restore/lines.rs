//! The human output of a restore.

use backup::restore::{PlannedRestore, RestoreEvent};
use domain::{Event, EventKind, ExitStatus, ServiceName, Totals, commented, suggest};
use report::units::{self, age, count, duration};
use report::{CommandLines, LiveLine, Note, Role, clean};

/// The number of versions that are listed; the rest is counted.
const NAMED: usize = 3;

/// The lines of a restore.
#[derive(Debug, Default)]
pub(super) struct RestoreLines {
    dry_run: bool,
    planned: usize,
    swapped: usize,
    kept: Vec<String>,
    found: usize,
    dropped: usize,
    /// The time from the first swap to the last, if there are several.
    window_ms: Option<u64>,
}

impl RestoreLines {
    pub(super) fn new(dry_run: bool) -> Self {
        Self {
            dry_run,
            ..Self::default()
        }
    }

    fn swapped(
        &mut self,
        name: &ServiceName,
        (database, kept_as): (&str, Option<&String>),
        window_ms: u64,
        ended: usize,
    ) -> Note {
        self.swapped += 1;
        let mut text = format!("{database} is restored");
        if let Some(kept) = kept_as {
            text.push_str(&format!("; the previous one is kept as {kept}"));
            self.kept.push(name.to_string());
        }
        if ended > 0 {
            text.push_str(&format!("; {} ended", count(ended, "session")));
        }
        let window = duration(window_ms);
        text.push_str(&format!("; unavailable for {window}"));
        Note::new("restored", Role::Good, clean(&text))
    }
}

impl CommandLines for RestoreLines {
    fn announce(&self, _services: usize, steps: usize) -> Option<String> {
        let databases = count(steps, "database");
        (steps > 0 && !self.dry_run).then(|| format!("Restoring {databases}."))
    }

    fn note(&mut self, event: &Event) -> Option<Note> {
        if let EventKind::ServiceSkipped { because, .. } = &event.kind {
            return Some(Note::new("unchanged", Role::Warning, clean(because)));
        }
        let own = event.kind.of_command()?;
        if let RestoreEvent::DatabasesSwapped { window_ms, .. } = own {
            self.window_ms = Some(*window_ms);
        }
        let name = event.service.as_ref()?;
        let note = match own {
            RestoreEvent::RestorePlanned(planned) => {
                self.planned += 1;
                Note::new("checked", Role::Plain, clean(&what_it_means(planned)))
            }
            RestoreEvent::RestoreWarning { message } => {
                Note::new("warning", Role::Warning, clean(message))
            }
            RestoreEvent::RestoreStarted { into, .. } => {
                Note::new("filling", Role::Plain, clean(into))
            }
            RestoreEvent::RestoreVerified {
                applied,
                duration_ms,
                ..
            } => {
                let text = format!("{} applied", count(*applied, "migration"));
                Note::new("verified", Role::Plain, text).lasting(*duration_ms)
            }
            RestoreEvent::DatabaseSwapped {
                database,
                kept_as,
                window_ms,
                ended,
            } => self.swapped(name, (database, kept_as.as_ref()), *window_ms, *ended),
            RestoreEvent::OldDatabaseKept { database, bytes } => {
                self.found += 1;
                let text = format!("{}, {}", clean(database), units::bytes(*bytes));
                Note::new("kept", Role::Plain, text)
            }
            RestoreEvent::OldDatabaseDropped { database, bytes } => {
                self.dropped += 1;
                self.kept.retain(|kept| kept != name.as_str());
                let text = format!("{}, {}", clean(database), units::bytes(*bytes));
                Note::new("dropped", Role::Good, text)
            }
            RestoreEvent::DatabasesSwapped { .. } => return None,
        };
        Some(note)
    }

    fn activity(&self, _service: &ServiceName, event: &EventKind) -> Option<LiveLine> {
        let (verb, text, subject) = match (event, event.of_command()) {
            (EventKind::RunStarted { .. }, _) => ("checking", "the backup".to_owned(), "checking"),
            (_, Some(RestoreEvent::RestorePlanned(_) | RestoreEvent::RestoreVerified { .. })) => {
                ("waiting", "for the other databases".to_owned(), "")
            }
            (_, Some(RestoreEvent::RestoreStarted { into, .. })) => {
                ("filling", clean(into), "filling")
            }
            _ => return None,
        };
        Some(LiveLine::new(verb, text, subject))
    }

    fn done(&self) -> usize {
        self.swapped
    }

    fn summary(&mut self, status: ExitStatus, totals: &Totals) -> Option<String> {
        let time = duration(totals.duration_ms);
        Some(match (self.dry_run, totals.restored) {
            (true, _) if self.planned > 0 => {
                let databases = count(self.planned, "database");
                format!("{databases} can be restored; nothing was written ({time})")
            }
            (true, _) => {
                let found = count(self.found, "former database");
                format!("{found} kept; nothing was dropped ({time})")
            }
            (false, 0) if self.dropped > 0 => {
                let dropped = count(self.dropped, "former database");
                format!("{dropped} dropped in {time}")
            }
            (false, 0) if status == ExitStatus::Done => format!("nothing to drop ({time})"),
            (false, 0) => format!("no database was restored ({time})"),
            (false, restored) => {
                let mut text = format!("{} restored in {time}", count(restored, "database"));
                if let Some(window) = self.window_ms {
                    text.push_str(&format!(", swapped within {}", duration(window)));
                }
                text
            }
        })
    }

    fn next(&self) -> Vec<String> {
        if self.kept.is_empty() {
            return Vec::new();
        }
        let services = self.kept.iter().map(String::as_str);
        let words = std::iter::once("restore").chain(services);
        let drop_old = suggest(words.chain(["--drop-old"]));
        vec![commented(
            drop_old,
            "when the previous databases are no longer needed",
        )]
    }
}

/// `backup 20261123T… of 5 h ago, 12 migrations up to 1753…; 2 applied since go: 1754…, 1755…`
fn what_it_means(planned: &PlannedRestore) -> String {
    let head = planned
        .head
        .map_or_else(String::new, |head| format!(" up to {head}"));
    let mut text = format!(
        "restores {} from backup {}, {} old, {} with {}{head}",
        planned.database,
        planned.backup,
        age(planned.age_s),
        units::bytes(planned.bytes),
        count(planned.applied, "migration"),
    );
    if !planned.exists {
        text.push_str("; the database does not exist");
    }
    if !planned.loses.is_empty() {
        let mut named: Vec<String> = planned
            .loses
            .iter()
            .take(NAMED)
            .map(ToString::to_string)
            .collect();
        if planned.loses.len() > NAMED {
            named.push(format!("{} more", planned.loses.len() - NAMED));
        }
        text.push_str(&format!("; pending again: {}", named.join(", ")));
    }
    text
}
