//! The human output of a restore.

use domain::Reporter;
use domain::{Event, EventKind, ExitStatus, PlannedRestore, ServiceName, suggest};
use report::failure::{kind, next as step};
use report::units;
use report::units::{age, count, duration};
use report::{Role, SameFailures, Terminal, clean, printable};
use service_cli::command::Context;

/// The number of versions that are listed; the rest is counted.
const NAMED: usize = 3;

/// Prints a restore for humans.
pub(super) struct RestoreLines {
    terminal: Terminal,
    quiet: bool,
    dry_run: bool,
    names: usize,
    planned: usize,
    kept: Vec<String>,
    found: usize,
    dropped: usize,
    failures: SameFailures,
    /// The time from the first swap to the last, if there are several.
    window_ms: Option<u64>,
}

impl RestoreLines {
    /// For the streams of this process.
    pub(super) fn new(context: &Context, dry_run: bool) -> Self {
        Self {
            terminal: context.terminal,
            quiet: context.globals.quiet,
            dry_run,
            names: 0,
            planned: 0,
            kept: Vec::new(),
            found: 0,
            dropped: 0,
            failures: SameFailures::default(),
            window_ms: None,
        }
    }

    fn line(&self, role: Role, word: &str, name: &ServiceName, rest: &str) -> String {
        if self.quiet {
            return String::new();
        }
        let names = self.names;
        let word = self.terminal.out.paint(role, &format!("{word:<9}"));
        format!("{word}  {:names$}  {}\n", name.as_str(), clean(rest))
    }

    /// The text of a service's event.
    fn service(&mut self, name: &ServiceName, event: &EventKind) -> String {
        match event {
            EventKind::RestorePlanned(planned) => {
                self.planned += 1;
                self.line(Role::Plain, "checked", name, &what_it_means(planned))
            }
            EventKind::RestoreWarning { message } => {
                self.line(Role::Warning, "warning", name, message)
            }
            EventKind::LockWaiting { holder } => {
                let who = holder.as_ref().map_or_else(String::new, |holder| {
                    format!(
                        " (pid {}, {}, {})",
                        holder.pid, holder.user, holder.application
                    )
                });
                let text = format!("another session is using the database{who}");
                self.line(Role::Warning, "waiting", name, &text)
            }
            EventKind::RestoreStarted { into, .. } => self.line(Role::Plain, "filling", name, into),
            EventKind::RestoreVerified {
                applied,
                duration_ms,
                ..
            } => {
                let (applied, time) = (count(*applied, "migration"), duration(*duration_ms));
                self.line(
                    Role::Plain,
                    "verified",
                    name,
                    &format!("{applied} applied ({time})"),
                )
            }
            EventKind::DatabaseSwapped {
                database,
                kept_as,
                window_ms,
                ended,
            } => {
                let mut text = format!("{database} is restored");
                if let Some(kept) = kept_as {
                    text.push_str(&format!("; the previous one is kept as {kept}"));
                    self.kept.push(name.to_string());
                }
                if *ended > 0 {
                    text.push_str(&format!("; {} ended", count(*ended, "session")));
                }
                let window = duration(*window_ms);
                text.push_str(&format!("; unavailable for {window}"));
                self.line(Role::Good, "restored", name, &text)
            }
            EventKind::OldDatabaseKept { database, bytes } => {
                self.found += 1;
                let text = format!("{database}, {}", units::bytes(*bytes));
                self.line(Role::Plain, "kept", name, &text)
            }
            EventKind::OldDatabaseDropped { database, bytes } => {
                self.dropped += 1;
                self.kept.retain(|kept| kept != name.as_str());
                let text = format!("{database}, {}", units::bytes(*bytes));
                self.line(Role::Good, "dropped", name, &text)
            }
            EventKind::ServiceSkipped { because, .. } => {
                self.line(Role::Warning, "unchanged", name, because)
            }
            _ => String::new(),
        }
    }

    fn summary(
        &self,
        status: ExitStatus,
        restored: usize,
        milliseconds: u64,
        next: &[String],
    ) -> String {
        let time = duration(milliseconds);
        let text = match (self.dry_run, restored) {
            (true, _) if self.planned > 0 => {
                let databases = count(self.planned, "database");
                format!("{databases} can be restored; nothing was written ({time})")
            }
            (true, _) => {
                format!(
                    "{} kept; nothing was dropped ({time})",
                    count(self.found, "former database")
                )
            }
            (false, 0) if self.dropped > 0 => {
                format!(
                    "{} dropped in {time}",
                    count(self.dropped, "former database")
                )
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
        };
        let role = match status {
            ExitStatus::Done => Role::Good,
            ExitStatus::Cancelled => Role::Warning,
            _ => Role::Bad,
        };
        let mut text = format!("{}\n", self.terminal.out.paint(role, &text));
        if !self.kept.is_empty() {
            let services = self.kept.iter().map(String::as_str);
            text.push_str(&format!(
                "next: {}   # when the previous databases are no longer needed\n",
                suggest(
                    std::iter::once("restore")
                        .chain(services)
                        .chain(["--drop-old"])
                )
            ));
        }
        // The failure of a single database is already printed with it.
        for next in next
            .iter()
            .filter(|next| next.ends_with("# the others are restored"))
        {
            text.push_str(&format!("next: {next}\n"));
        }
        text
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

impl Reporter for RestoreLines {
    fn report(&mut self, event: &Event) {
        let text = match (&event.kind, &event.service) {
            (EventKind::RunStarted { services, .. }, _) => {
                let widths = services.iter().map(|name| name.as_str().len());
                self.names = widths.max().unwrap_or(0);
                String::new()
            }
            (
                EventKind::ServiceFailed {
                    message,
                    next,
                    refusal,
                    exit_code,
                },
                name,
            ) => {
                let kind = kind(*exit_code, refusal.as_deref());
                let shown = self
                    .failures
                    .show(name.as_ref(), kind, message, self.terminal);
                if let Some(shown) = shown {
                    let steps = next.iter().flat_map(|next| step(next, self.terminal.err));
                    let lines: Vec<String> = std::iter::once(shown).chain(steps).collect();
                    printable::write_err(&format!("{}\n", lines.join("\n")));
                }
                String::new()
            }
            (
                EventKind::RunFinished {
                    exit_code,
                    totals,
                    next,
                    ..
                },
                _,
            ) => {
                for line in self.failures.others(self.terminal) {
                    printable::write_err(&format!("{line}\n"));
                }
                self.summary(*exit_code, totals.restored, totals.duration_ms, next)
            }
            (EventKind::DatabasesSwapped { window_ms, .. }, _) => {
                self.window_ms = Some(*window_ms);
                String::new()
            }
            (kind, Some(name)) => self.service(name, kind),
            _ => String::new(),
        };
        printable::write_out(&text);
    }
}
