//! The human output of a rehearsal.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::Reporter;
use domain::{
    Event, EventKind, ExitStatus, Finding, Rehearsed, Reversibility, ServiceName, Totals, Version,
};
use pg_sql::Lines;
use report::failure::{kind, next};
use report::units::{count, duration};
use report::{Palette, Role, SameFailures, Terminal, clean, printable};
use service_cli::command::Context;

use super::check_lines::block;
use super::differences::{column_orders, differences};
use super::lock_lines::locks;

/// The width of the first word of a line.
const WORD: usize = 12;

/// Prints a rehearsal for humans.
pub(super) struct RehearseLines {
    terminal: Terminal,
    quiet: bool,
    verbose: bool,
    /// The text of each file, by path.
    texts: BTreeMap<String, Arc<str>>,
    names: usize,
    services: usize,
    proven: usize,
    allowed: usize,
    irreversible: usize,
    failed: usize,
    failures: SameFailures,
}

impl RehearseLines {
    /// For the streams of this process.
    pub(super) fn new(context: &Context) -> Self {
        let services = context.fleet.services();
        let migrations = services.flat_map(|service| &service.migrations);
        let scripts = migrations.flat_map(|it| [Some(&it.script), it.revert.as_ref()]);
        let texts = scripts
            .flatten()
            .map(|script| (script.path.clone(), Arc::clone(&script.text)));
        Self {
            texts: texts.collect(),
            terminal: context.terminal,
            quiet: context.globals.quiet,
            verbose: context.globals.verbose > 0,
            names: 0,
            services: 0,
            proven: 0,
            allowed: 0,
            irreversible: 0,
            failed: 0,
            failures: SameFailures::default(),
        }
    }

    /// The text of an event for standard output and for standard error.
    fn render(&mut self, event: &Event) -> (String, String) {
        let nothing = (String::new(), String::new());
        match (&event.kind, &event.service) {
            (EventKind::RunStarted { services, .. }, _) => {
                let names = services.iter().map(|name| name.as_str().len());
                self.names = names.max().unwrap_or(0);
                nothing
            }
            (EventKind::ServiceStarted { .. }, Some(_)) => {
                self.services += 1;
                nothing
            }
            (EventKind::MigrationRehearsed(rehearsed), Some(name)) => {
                let version = event.version.unwrap_or(Version::new(0));
                (self.rehearsed(name, version, rehearsed), String::new())
            }
            (EventKind::ServiceSkipped { because, steps }, Some(name)) => {
                let text = format!("{} after it: {because}", count(*steps, "migration"));
                (
                    self.line(Role::Warning, "skipped", name, &text),
                    String::new(),
                )
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
                let text = self.failed(name.as_ref(), refused, message, next.as_deref());
                (String::new(), text)
            }
            (
                EventKind::RunFinished {
                    exit_code,
                    totals,
                    next,
                    ..
                },
                _,
            ) => (self.summary(*exit_code, totals, next), self.others()),
            _ => nothing,
        }
    }

    fn rehearsed(&mut self, name: &ServiceName, version: Version, rehearsed: &Rehearsed) -> String {
        let counts = rehearsed.findings.iter().any(Finding::counts);
        self.allowed += rehearsed
            .findings
            .iter()
            .filter(|it| it.allowed.is_some())
            .count();
        let (role, word) = match &rehearsed.reversibility {
            Reversibility::Proven if !counts => (Role::Good, "proven"),
            Reversibility::Irreversible { .. } if !counts => (Role::Plain, "irreversible"),
            Reversibility::Unknown => (Role::Bad, "fails"),
            _ if !counts => (Role::Warning, "allowed"),
            _ => (Role::Bad, "faulty"),
        };
        match rehearsed.reversibility {
            Reversibility::Proven => self.proven += 1,
            Reversibility::Irreversible { .. } => self.irreversible += 1,
            _ => {}
        }
        let mut times = Vec::new();
        if rehearsed.reversibility != Reversibility::Unknown {
            times.push(format!("up {} ms", rehearsed.up_ms));
        }
        times.extend(rehearsed.down_ms.map(|took| format!("down {took} ms")));
        if rehearsed.rows > 0 {
            times.push(format!("{} rows", rehearsed.rows));
        }
        let palette = self.terminal.out;
        let times = palette.paint(Role::Quiet, &times.join(", "));
        let migration = format!("{version} {}  {times}", rehearsed.name);
        let mut text = self.line(role, word, name, migration.trim_end());
        for (index, finding) in rehearsed.findings.iter().enumerate() {
            text.push_str(&self.lines_of(finding));
            // Findings of one rule share a reason: it is printed after the last.
            let next = rehearsed.findings.get(index + 1);
            let goes_on = next
                .is_some_and(|next| next.rule == finding.rule && next.allowed == finding.allowed);
            if !goes_on && !self.quiet {
                text.push_str(&reason(finding, palette));
            }
        }
        if !self.quiet {
            text.push_str(&locks(&rehearsed.locks, self.verbose, palette));
            if let Reversibility::Irreversible { reason } = &rehearsed.reversibility {
                text.push_str(&palette.paint(Role::Quiet, &format!("  {}\n", clean(reason))));
            }
            text.push_str(&self.column_orders(rehearsed));
            for note in &rehearsed.notes {
                text.push_str(&palette.paint(Role::Quiet, &format!("  note: {}\n", clean(note))));
            }
        }
        text
    }

    /// A note on tables whose columns are in another order; with -v also the columns.
    fn column_orders(&self, rehearsed: &Rehearsed) -> String {
        if self.verbose {
            return column_orders(&rehearsed.column_order, self.terminal.out);
        }
        let orders = rehearsed.column_order.iter();
        let lines = orders.map(|it| {
            let table = &it.table;
            format!("  columns of {table} are in another order after the revert (not a finding)\n")
        });
        self.terminal
            .out
            .paint(Role::Quiet, &lines.collect::<String>())
    }

    fn line(&self, role: Role, word: &str, name: &ServiceName, rest: &str) -> String {
        if self.quiet && !matches!(role, Role::Bad) {
            return String::new();
        }
        let names = self.names;
        let word = self.terminal.out.paint(role, &format!("{word:<WORD$}"));
        format!("{word}  {:names$}  {rest}\n", name.as_str())
    }

    /// The failure and the next command.
    fn failed(
        &mut self,
        name: Option<&ServiceName>,
        kind: &str,
        message: &str,
        next_step: Option<&str>,
    ) -> String {
        let Some(head) = self.failures.show(name, kind, message, self.terminal) else {
            return String::new();
        };
        let err = self.terminal.err;
        let mut text = format!("{head}\n");
        if let Some(step) = next_step {
            text.push_str(&next(step, err).join("\n"));
            text.push('\n');
        }
        text
    }

    /// The services that failed for the same reason as another one.
    fn others(&mut self) -> String {
        let lines = self.failures.others(self.terminal);
        lines.iter().map(|line| format!("{line}\n")).collect()
    }

    fn summary(&self, status: ExitStatus, totals: &Totals, steps: &[String]) -> String {
        let palette = self.terminal.out;
        let mut parts = vec![format!("{} proven", self.proven)];
        let one_way = self.irreversible;
        parts.extend((one_way > 0).then(|| format!("{one_way} irreversible")));
        parts.extend((totals.findings > 0).then(|| count(totals.findings, "finding")));
        parts.extend(
            (self.allowed > 0).then(|| format!("{} allowed", count(self.allowed, "finding"))),
        );
        parts.extend((totals.skipped > 0).then(|| format!("{} skipped", totals.skipped)));
        parts.extend((self.failed > 0).then(|| {
            let services = count(self.failed, "service");
            format!("{services} not rehearsed")
        }));
        let time = duration(totals.duration_ms);
        let text = match (status, totals.rehearsed) {
            (ExitStatus::Done, 0) => "Nothing to rehearse: no pending migrations.".to_owned(),
            (_, rehearsed) => format!(
                "{} of {}: {} ({time}{})",
                count(rehearsed, "migration"),
                count(self.services, "service"),
                parts.join(", "),
                if status == ExitStatus::Cancelled {
                    ", cancelled"
                } else {
                    ""
                }
            ),
        };
        let role = match status {
            ExitStatus::Done => Role::Good,
            ExitStatus::Cancelled => Role::Warning,
            _ => Role::Bad,
        };
        let mut text = format!("{}\n", palette.paint(role, &text));
        // The next command of a failed service is already printed with its failure.
        if totals.findings > 0
            && let Some(step) = steps.last()
        {
            text.push_str(&next(step, palette).join("\n"));
            text.push('\n');
        }
        text
    }
}

impl RehearseLines {
    /// The rule, the place, the reason, and the objects that differ.
    fn lines_of(&self, finding: &Finding) -> String {
        let Terminal { out, width, .. } = self.terminal;
        if self.quiet && !finding.counts() {
            return String::new();
        }
        if finding.allowed.is_some() {
            let (rule, message) = (&finding.rule, clean(&finding.message));
            return out.paint(Role::Quiet, &format!("  allowed {rule}: {message}\n"));
        }
        let source = self.texts.get(&finding.file).map(|text| Lines::of(text));
        let mut text = String::new();
        for line in block(finding, source.as_ref(), out, width) {
            text.push_str(&format!("  {line}\n"));
        }
        for line in differences(&finding.differences, out).lines() {
            text.push_str(&format!("  {line}\n"));
        }
        text
    }
}

/// The reason why a finding is allowed; empty if it is not.
fn reason(finding: &Finding, palette: Palette) -> String {
    match &finding.allowed {
        Some(reason) => {
            let line = format!("    because {}\n", clean(reason));
            palette.paint(Role::Quiet, &line)
        }
        None => String::new(),
    }
}

impl Reporter for RehearseLines {
    fn report(&mut self, event: &Event) {
        let (out, err) = self.render(event);
        printable::write_out(&out);
        printable::write_err(&err);
    }
}
