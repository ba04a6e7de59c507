//! The human output of an adoption.

use std::collections::BTreeMap;

use domain::Reporter;
use domain::{Drift, Event, EventKind, ExitStatus, Proof, ServiceName, ServiceOutcome, Version};
use report::failure::{kind, next};
use report::units::{count, duration};
use report::{Palette, Role, SameFailures, Terminal, printable};
use service_cli::command::Context;

use super::differences::{column_orders, differences};

/// Prints an adoption for humans.
pub(super) struct AdoptLines {
    terminal: Terminal,
    quiet: bool,
    dry_run: bool,
    undo: bool,
    names: usize,
    proofs: BTreeMap<ServiceName, (Version, Proof)>,
    adopted: BTreeMap<ServiceName, usize>,
    drifts: BTreeMap<ServiceName, String>,
    undone: usize,
    failed: usize,
    failures: SameFailures,
    /// Services that already have a history.
    present: usize,
}

impl AdoptLines {
    /// For the streams of this process.
    pub(super) fn new(context: &Context, dry_run: bool, undo: bool) -> Self {
        Self {
            terminal: context.terminal,
            quiet: context.globals.quiet,
            dry_run,
            undo,
            names: 0,
            proofs: BTreeMap::new(),
            adopted: BTreeMap::new(),
            drifts: BTreeMap::new(),
            undone: 0,
            failed: 0,
            failures: SameFailures::default(),
            present: 0,
        }
    }

    /// The text of an event for standard output and for standard error.
    fn render(&mut self, event: &Event) -> (String, String) {
        let name = event.service.clone();
        match (&event.kind, name) {
            (EventKind::RunStarted { services, .. }, _) => {
                self.names = services
                    .iter()
                    .map(|name| name.as_str().len())
                    .max()
                    .unwrap_or(0);
                (String::new(), String::new())
            }
            (EventKind::AdoptionProven(proof), Some(name)) => {
                let version = event.version.unwrap_or(Version::new(0));
                let text = self.proven(&name, version, proof);
                self.proofs.insert(name, (version, proof.as_ref().clone()));
                (text, String::new())
            }
            (EventKind::LockWaiting { .. }, Some(name)) => {
                let text = self.line(
                    Role::Warning,
                    "waiting",
                    &name,
                    "another run holds the lock",
                );
                (text, String::new())
            }
            (EventKind::MigrationAdopted { .. }, Some(name)) => {
                *self.adopted.entry(name).or_default() += 1;
                (String::new(), String::new())
            }
            (EventKind::AdoptionUndone { migrations }, Some(name)) => {
                self.undone += migrations;
                let text = format!(
                    "{} returned to the former tool",
                    count(*migrations, "migration")
                );
                (self.line(Role::Good, "undone", &name, &text), String::new())
            }
            (EventKind::ServiceFinished { outcome, .. }, Some(name)) => {
                (self.finished(&name, *outcome), String::new())
            }
            (EventKind::DriftFound(drift), Some(name)) => {
                self.drifts.insert(name, drifted(drift, self.terminal.err));
                (String::new(), String::new())
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
                self.failed += 1;
                let refused = kind(*exit_code, refusal.as_deref());
                (
                    String::new(),
                    self.failed(name.as_ref(), refused, message, next),
                )
            }
            (
                EventKind::RunFinished {
                    exit_code, totals, ..
                },
                _,
            ) => (self.summary(*exit_code, totals.duration_ms), self.others()),
            _ => (String::new(), String::new()),
        }
    }

    /// The failure, the schema differences, and the next command.
    fn failed(
        &mut self,
        name: Option<&ServiceName>,
        kind: &str,
        message: &str,
        next_step: &Option<String>,
    ) -> String {
        let Some(head) = self.failures.show(name, kind, message, self.terminal) else {
            return String::new();
        };
        let err = self.terminal.err;
        let drift = name.and_then(|name| self.drifts.get(name));
        let mut text = format!("{head}\n{}", drift.map_or("", String::as_str));
        if let Some(step) = next_step {
            text.push_str(&next(step, err).join("\n"));
            text.push('\n');
        }
        text
    }

    fn line(&self, role: Role, word: &str, name: &ServiceName, rest: &str) -> String {
        if self.quiet {
            return String::new();
        }
        let names = self.names;
        let word = self.terminal.out.paint(role, &format!("{word:<8}"));
        format!("{word}  {:names$}  {rest}\n", name.as_str())
    }

    fn proven(&self, name: &ServiceName, version: Version, proof: &Proof) -> String {
        let ground = match proof.legacy_rows.len() {
            0 => "no legacy row (baseline)".to_owned(),
            number => count(number, "legacy row"),
        };
        let accepted = match proof.accepted.len() {
            0 => String::new(),
            number => format!(", {} accepted", count(number, "difference")),
        };
        let text = format!(
            "the schema matches {version} {}; {ground}{accepted}",
            proof.name
        );
        let mut text = self.line(Role::Plain, "proven", name, &text);
        if !self.quiet {
            text.push_str(&column_orders(&proof.column_order, self.terminal.out));
        }
        text
    }

    fn finished(&mut self, name: &ServiceName, outcome: ServiceOutcome) -> String {
        let Some((_, proof)) = self.proofs.get(name) else {
            if outcome != ServiceOutcome::Unchanged {
                return String::new();
            }
            self.present += 1;
            let text = match self.undo {
                true => "not adopted: nothing to undo",
                false => "already has a history: nothing to adopt",
            };
            return self.line(Role::Quiet, "present", name, text);
        };
        let pending = match proof.pending {
            0 => "nothing pending".to_owned(),
            number => format!("{number} pending"),
        };
        match self.adopted.get(name) {
            Some(number) => {
                let text = format!("{}, {pending}", count(*number, "migration"));
                self.line(Role::Good, "adopted", name, &text)
            }
            None if self.dry_run => {
                let text = format!(
                    "would adopt {}, {pending}",
                    count(proof.adopted, "migration")
                );
                self.line(Role::Quiet, "dry run", name, &text)
            }
            None => String::new(),
        }
    }

    /// The services that failed for the same reason as another one.
    fn others(&mut self) -> String {
        let lines = self.failures.others(self.terminal);
        lines.iter().map(|line| format!("{line}\n")).collect()
    }

    fn summary(&self, status: ExitStatus, milliseconds: u64) -> String {
        let time = duration(milliseconds);
        let failed = match self.failed {
            0 => String::new(),
            number => format!(", {} not", count(number, "service")),
        };
        let present = match self.present {
            0 => String::new(),
            number => format!(", {} already", count(number, "service")),
        };
        let text = if self.dry_run {
            let ready = count(self.proofs.len(), "service");
            format!("{ready} can be adopted{present}{failed}; nothing was written ({time})")
        } else if self.undo {
            let migrations = count(self.undone, "migration");
            format!("{migrations} undone{failed} in {time}")
        } else {
            let migrations: usize = self.adopted.values().sum();
            format!(
                "{} adopted ({}){present}{failed} in {time}",
                count(self.adopted.len(), "service"),
                count(migrations, "migration")
            )
        };
        let role = match status {
            ExitStatus::Done => Role::Good,
            ExitStatus::Cancelled => Role::Warning,
            _ => Role::Bad,
        };
        format!("{}\n", self.terminal.out.paint(role, &text))
    }
}

fn drifted(drift: &Drift, palette: Palette) -> String {
    let mut text = differences(&drift.differences, palette);
    text.push_str(&column_orders(&drift.column_order, palette));
    text
}

impl Reporter for AdoptLines {
    fn report(&mut self, event: &Event) {
        let (out, err) = self.render(event);
        printable::write_out(&out);
        printable::write_err(&err);
    }
}
