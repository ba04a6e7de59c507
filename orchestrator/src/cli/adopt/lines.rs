//! The human output of an adoption.

use std::collections::BTreeMap;

use adopt::{AdoptEvent, Drift, Proof};
use domain::{Event, EventKind, ExitStatus, ServiceName, ServiceOutcome, Totals, Version};
use report::units::{count, duration};
use report::{CommandLines, LiveLine, Note, Palette, Role, Terminal};
use service_cli::command::Context;

use crate::cli::differences::{column_orders, differences};

/// The lines of an adoption.
#[derive(Debug)]
pub(super) struct AdoptLines {
    terminal: Terminal,
    dry_run: bool,
    undo: bool,
    proofs: BTreeMap<ServiceName, (Version, Proof)>,
    adopted: BTreeMap<ServiceName, usize>,
    drifts: BTreeMap<ServiceName, String>,
    undone: usize,
    failed: usize,
    /// Services that already have a history.
    present: usize,
    finished_services: usize,
}

impl AdoptLines {
    /// For the streams of this process.
    pub(super) fn new(context: &Context, dry_run: bool, undo: bool) -> Self {
        Self {
            terminal: context.terminal,
            dry_run,
            undo,
            proofs: BTreeMap::new(),
            adopted: BTreeMap::new(),
            drifts: BTreeMap::new(),
            undone: 0,
            failed: 0,
            present: 0,
            finished_services: 0,
        }
    }

    fn proven(&self, version: Version, proof: &Proof) -> Note {
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
        Note::new("proven", Role::Plain, text)
            .above(column_orders(&proof.column_order, self.terminal.out))
    }

    fn own(
        &mut self,
        name: &ServiceName,
        version: Option<Version>,
        event: &AdoptEvent,
    ) -> Option<Note> {
        match event {
            AdoptEvent::AdoptionProven(proof) => {
                let version = version.unwrap_or(Version::new(0));
                let note = self.proven(version, proof);
                self.proofs.insert(name.clone(), (version, proof.clone()));
                Some(note)
            }
            AdoptEvent::MigrationAdopted { .. } => {
                *self.adopted.entry(name.clone()).or_default() += 1;
                None
            }
            AdoptEvent::AdoptionUndone { migrations } => {
                self.undone += migrations;
                let migrations = count(*migrations, "migration");
                let text = format!("{migrations} returned to the former tool");
                Some(Note::new("undone", Role::Good, text))
            }
            AdoptEvent::DriftFound(drift) => {
                let text = drifted(drift, self.terminal.err);
                self.drifts.insert(name.clone(), text);
                None
            }
        }
    }

    fn finished(&mut self, name: &ServiceName, outcome: ServiceOutcome) -> Option<Note> {
        let Some((_, proof)) = self.proofs.get(name) else {
            if outcome != ServiceOutcome::Unchanged {
                return None;
            }
            self.present += 1;
            let text = match self.undo {
                true => "not adopted: nothing to undo",
                false => "already has a history: nothing to adopt",
            };
            return Some(Note::new("present", Role::Quiet, text.to_owned()));
        };
        let pending = match proof.pending {
            0 => "nothing pending".to_owned(),
            number => format!("{number} pending"),
        };
        match self.adopted.get(name) {
            Some(number) => {
                let text = format!("{}, {pending}", count(*number, "migration"));
                Some(Note::new("adopted", Role::Good, text))
            }
            None if self.dry_run => {
                let migrations = count(proof.adopted, "migration");
                let text = format!("would adopt {migrations}, {pending}");
                Some(Note::new("dry run", Role::Quiet, text))
            }
            None => None,
        }
    }
}

impl CommandLines for AdoptLines {
    fn note(&mut self, event: &Event) -> Option<Note> {
        let name = event.service.as_ref()?;
        if let Some(own) = event.kind.of_command() {
            return self.own(name, event.version, own);
        }
        match &event.kind {
            EventKind::ServiceFailed(_) => {
                self.failed += 1;
                None
            }
            EventKind::ServiceFinished { outcome, .. } => {
                self.finished_services += 1;
                self.finished(name, *outcome)
            }
            _ => None,
        }
    }

    fn activity(&self, _service: &ServiceName, event: &EventKind) -> Option<LiveLine> {
        match (event, event.of_command()) {
            (EventKind::RunStarted { .. }, _) if !self.undo => {
                Some(LiveLine::new("proving", String::new(), "proving"))
            }
            (_, Some(AdoptEvent::AdoptionProven(_))) => {
                Some(LiveLine::new("adopting", String::new(), ""))
            }
            _ => None,
        }
    }

    fn done(&self) -> usize {
        self.finished_services
    }

    /// The schema differences.
    fn explanation(&mut self, service: &ServiceName) -> String {
        self.drifts.remove(service).unwrap_or_default()
    }

    fn summary(&mut self, _status: ExitStatus, totals: &Totals) -> Option<String> {
        let time = duration(totals.duration_ms);
        let failed = match self.failed {
            0 => String::new(),
            number => format!(", {} failed", count(number, "service")),
        };
        let present = match self.present {
            0 => String::new(),
            number => format!(", {} unchanged", count(number, "service")),
        };
        Some(if self.dry_run {
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
        })
    }
}

fn drifted(drift: &Drift, palette: Palette) -> String {
    let mut text = differences(&drift.differences, palette);
    text.push_str(&column_orders(&drift.column_order, palette));
    text
}
