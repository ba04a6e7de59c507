//! The human output of a rehearsal.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::{Event, EventKind, ExitStatus, Finding, ServiceName, Totals, Version};
use pg_sql::Lines;
use rehearsal::{Rehearsed, Reversibility};
use report::units::{count, duration};
use report::{CommandLines, LiveLine, Note, Palette, Role, Terminal, clean};
use service_cli::command::Context;

use super::lock_lines::locks;
use crate::cli::check::block;
use crate::cli::differences::{column_orders, differences};

/// The lines of a rehearsal.
#[derive(Debug)]
pub(super) struct RehearseLines {
    terminal: Terminal,
    quiet: bool,
    verbose: bool,
    /// The text of each file, by path.
    texts: BTreeMap<String, Arc<str>>,
    services: usize,
    rehearsed: BTreeMap<ServiceName, usize>,
    proven: usize,
    allowed: usize,
    irreversible: usize,
    failed: usize,
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
            services: 0,
            rehearsed: BTreeMap::new(),
            proven: 0,
            allowed: 0,
            irreversible: 0,
            failed: 0,
        }
    }

    fn rehearsed(&mut self, name: &ServiceName, version: Version, rehearsed: &Rehearsed) -> Note {
        *self.rehearsed.entry(name.clone()).or_default() += 1;
        let counts = rehearsed.findings.iter().any(Finding::counts);
        self.allowed += rehearsed
            .findings
            .iter()
            .filter(|it| it.allowed.is_some())
            .count();
        let (role, word) = match &rehearsed.reversibility {
            Reversibility::Proven if !counts => (Role::Good, "proven"),
            Reversibility::Irreversible { .. } if !counts => (Role::Plain, "one-way"),
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
        let mut text = String::new();
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
        Note::new(word, role, migration.trim_end().to_owned()).above(text)
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
}

impl CommandLines for RehearseLines {
    fn announce(&self, services: usize, steps: usize) -> Option<String> {
        let (migrations, services) = (count(steps, "migration"), count(services, "service"));
        (steps > 0).then(|| format!("Rehearsing {migrations} of {services}."))
    }

    fn note(&mut self, event: &Event) -> Option<Note> {
        let name = event.service.as_ref()?;
        if let Some(rehearsed) = event.kind.of_command() {
            let version = event.version.unwrap_or(Version::new(0));
            return Some(self.rehearsed(name, version, rehearsed));
        }
        match &event.kind {
            EventKind::ServiceStarted { .. } => {
                self.services += 1;
                None
            }
            EventKind::ServiceSkipped { because, steps } => {
                let text = format!("{} after it: {because}", count(*steps, "migration"));
                Some(Note::new("skipped", Role::Warning, clean(&text)))
            }
            EventKind::ServiceFailed(_) => {
                self.failed += 1;
                None
            }
            _ => None,
        }
    }

    fn activity(&self, service: &ServiceName, event: &EventKind) -> Option<LiveLine> {
        match event {
            EventKind::ServiceStarted { .. } | EventKind::OfCommand(_) => {
                let done = self.rehearsed.get(service).copied().unwrap_or(0);
                let text = format!("{} done", count(done, "migration"));
                Some(LiveLine::new("running", text, done))
            }
            _ => None,
        }
    }

    fn done(&self) -> usize {
        self.rehearsed.values().sum()
    }

    fn summary(&mut self, status: ExitStatus, totals: &Totals) -> Option<String> {
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
        Some(match (status, totals.rehearsed) {
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
        })
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
