//! The lines of a run's human output: which events get one, and its text.
//!
//! A fold without output of its own, so that the plain and the live reporter print the same text.

use std::collections::{HashMap, HashSet};

use time::OffsetDateTime;

use domain::{Event, EventKind, Failure, ServiceName, StopCause, Totals, Verdict};

use super::backup;
use super::closing;
use super::failure::{self, FailedStep};
use super::note::{Detail, Note, note};
use super::reporter::Verbosity;
use super::same_failure::SameFailures;
use super::style::{Role, Terminal};
use super::tally::{Standing, Tally};
use super::text::{hanging, width};
use super::undoing;
use super::units::duration;

/// The width of the verb at the start of a line.
pub(super) const VERB: usize = 9;
/// The interval between two progress lines of one dump.
const PROGRESS: time::Duration = time::Duration::seconds(10);
/// The width of the time after it: `12 min 05 s`.
pub(super) const TIME: usize = 11;

/// One or more lines and their stream, separated by line ends, without a trailing one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// For stdout.
    Out(String),
    /// For stderr.
    Err(String),
}

/// Turns events into lines.
#[derive(Debug)]
pub struct HumanLines {
    verbosity: Verbosity,
    terminal: Terminal,
    /// Whether a finished service gets one line instead of one for each migration.
    by_service: bool,
    tally: Tally,
    /// The last reported wait of every service: the same wait is not reported again.
    waits: HashMap<Option<ServiceName>, HashSet<String>>,
    /// The services that failed outside of any step.
    failures: SameFailures,
    /// The `next:` commands reported so far.
    advised: Vec<String>,
    /// When the progress of a dump was last reported.
    progressed: HashMap<Option<ServiceName>, OffsetDateTime>,
}

impl HumanLines {
    /// Creates lines for these streams. With `by_service`, each of several services gets one line when it finishes.
    pub fn new(verbosity: Verbosity, terminal: Terminal, by_service: bool) -> Self {
        Self {
            verbosity,
            terminal,
            by_service: by_service && verbosity != Verbosity::Verbose,
            tally: Tally::default(),
            waits: HashMap::new(),
            failures: SameFailures::default(),
            advised: Vec::new(),
            progressed: HashMap::new(),
        }
    }

    /// Returns the lines for an event. Call it with every event of the run, in order.
    pub fn report(&mut self, event: &Event) -> Vec<Line> {
        self.tally.absorb(event);
        let lines = match &event.kind {
            EventKind::MigrationFailed(failure) => return vec![self.failure(event, failure)],
            EventKind::ServiceFailed {
                message,
                next,
                refusal,
                exit_code,
            } => {
                let kind = failure::kind(*exit_code, refusal.as_deref());
                let service = event.service.as_ref();
                return Vec::from_iter(self.service_failure(service, kind, message, next));
            }
            EventKind::CancelRequested {
                times,
                cause,
                cancels_in_ms,
            } => return vec![self.cancel(*times, *cause, *cancels_in_ms)],
            EventKind::RunFinished {
                verdict,
                totals,
                next,
                ..
            } => {
                let mut lines = self.alike();
                lines.push(self.close(*verdict, totals, next));
                return lines;
            }
            EventKind::CompensationStopped(stop) => {
                let Terminal { err, width, .. } = self.terminal;
                return vec![Line::Err(undoing::stopped(stop, err, width))];
            }
            _ if self.verbosity == Verbosity::Quiet => Vec::new(),
            EventKind::RunStarted {
                services,
                unchanged,
                steps,
                program_version,
                ..
            } => {
                let mut lines = Vec::new();
                if self.verbosity == Verbosity::Verbose {
                    let text = format!("run {}, version {program_version}", event.run_id);
                    lines.push(self.terminal.out.paint(Role::Quiet, &text));
                }
                if self.tally.backs_up {
                    lines.push(backup::announce(services.len()));
                } else if *steps > 0 {
                    let reverts = self.tally.reverts;
                    lines.push(closing::announce(
                        services,
                        unchanged.len(),
                        *steps,
                        reverts,
                    ));
                }
                lines
            }
            // A run that only undoes has already been announced.
            EventKind::CompensationStarted { .. } | EventKind::CompensationFinished { .. }
                if self.tally.reverts =>
            {
                Vec::new()
            }
            EventKind::CompensationStarted {
                of_run,
                because,
                steps,
            } => self.paragraph(&undoing::started(event.run_id, *of_run, because, *steps)),
            EventKind::CompensationFinished { of_run, .. } => {
                self.paragraph(&undoing::finished(event.run_id, *of_run))
            }
            EventKind::BackupStarted { .. } | EventKind::BackupProgress { .. }
                if !self.is_progress_due(event) =>
            {
                Vec::new()
            }
            kind => {
                let note = note(kind, event.version, self.standing(event), self.detail());
                note.and_then(|note| self.note(event, note))
                    .into_iter()
                    .collect()
            }
        };
        lines.into_iter().map(Line::Out).collect()
    }

    pub(super) fn tally(&self) -> &Tally {
        &self.tally
    }

    pub(super) fn terminal(&self) -> Terminal {
        self.terminal
    }

    /// The width of the service names.
    pub(super) fn name_width(&self) -> usize {
        self.tally
            .services
            .iter()
            .map(|standing| width(standing.name.as_str()))
            .max()
            .unwrap_or(0)
    }

    fn detail(&self) -> Detail {
        Detail {
            verbose: self.verbosity == Verbosity::Verbose,
            // With only one service, its migrations are shown.
            by_service: self.by_service && self.tally.services.len() > 1,
            tabled: self.tally.services.len() > 1,
            backs_up: self.tally.backs_up,
        }
    }

    /// Whether the progress of a dump gets a permanent line: periodically, unless it is shown live.
    fn is_progress_due(&mut self, event: &Event) -> bool {
        if matches!(event.kind, EventKind::BackupStarted { .. }) {
            self.progressed.insert(event.service.clone(), event.time);
            return true;
        }
        let last = self.progressed.entry(event.service.clone());
        let last = last.or_insert(event.time);
        let is_due = !self.terminal.live && event.time - *last >= PROGRESS;
        if is_due {
            *last = event.time;
        }
        is_due
    }

    fn failure(&mut self, event: &Event, failure: &Failure) -> Line {
        let step = FailedStep {
            service: event.service.as_ref(),
            version: event.version,
            // Undone migrations do not count.
            done_before: match self.tally.undoes_on_failure {
                true => 0,
                false => self.standing(event).map_or(0, Standing::done),
            },
        };
        let Terminal { err, width, .. } = self.terminal;
        let block = failure::render(failure, step, err, width);
        self.advised.push(failure.next.clone());
        Line::Err(block)
    }

    fn service_failure(
        &mut self,
        service: Option<&ServiceName>,
        kind: &str,
        message: &str,
        next: &Option<String>,
    ) -> Option<Line> {
        let mut text = self.failures.show(service, kind, message, self.terminal)?;
        if let Some(step) = next {
            self.advised.push(step.clone());
            for line in failure::next(step, self.terminal.err) {
                text.push('\n');
                text.push_str(&line);
            }
        }
        Some(Line::Err(text))
    }

    /// Lines for services that failed in the same way as another one.
    fn alike(&mut self) -> Vec<Line> {
        let others = self.failures.others(self.terminal);
        others.into_iter().map(Line::Err).collect()
    }

    fn cancel(&self, times: u32, cause: StopCause, cancels_in_ms: Option<u64>) -> Line {
        let text = if times < 2 {
            let why = match cause {
                StopCause::Hangup => "Terminal closed",
                _ => "Stopping",
            };
            let otherwise = match cancels_in_ms {
                Some(grace) => format!(
                    "They are cancelled on the server after {}, or at once on a second signal.",
                    duration(grace)
                ),
                None if self.terminal.live => {
                    "Press Ctrl-C again to cancel them on the server.".to_owned()
                }
                None => "A second signal cancels them on the server.".to_owned(),
            };
            format!("{why}: finishing the current steps, starting nothing new. {otherwise}")
        } else {
            let why = match cause {
                StopCause::GraceOver => "Grace period over: cancelling",
                _ => "Cancelling",
            };
            format!("{why} the current steps on the server and waiting for their rollback.")
        };
        let text = text.as_str();
        let lines: Vec<String> = hanging("", text, self.terminal.width)
            .iter()
            .map(|line| self.terminal.err.paint(Role::Warning, line))
            .collect();
        Line::Err(lines.join("\n"))
    }

    fn paragraph(&self, text: &str) -> Vec<String> {
        hanging("", text, self.terminal.width)
    }

    fn close(&self, verdict: Verdict, totals: &Totals, next: &[String]) -> Line {
        let quiet = self.verbosity == Verbosity::Quiet;
        let mut text = String::new();
        if !quiet {
            text.push_str(&closing::table(&self.tally, self.terminal));
        }
        let summary = closing::summary(&self.tally, verdict, totals);
        let role = closing::role(verdict);
        for line in hanging("", &summary, self.terminal.width) {
            text.push_str(&self.terminal.out.paint(role, &line));
            text.push('\n');
        }
        // On a shared terminal the advice is shown directly above, below its failure. Otherwise stdout and stderr go to
        // different places, and both show it.
        let said_above = quiet || self.terminal.live;
        let steps: Vec<&str> = next
            .iter()
            .filter(|step| !(said_above && self.advised.contains(step)))
            .map(String::as_str)
            .collect();
        if !steps.is_empty() {
            let lines = failure::next(&steps.join("\n"), self.terminal.out);
            text.push_str(&lines.join("\n"));
        }
        Line::Out(text.trim_end().to_owned())
    }

    /// The line for a note, unless the same wait was already reported.
    fn note(&mut self, event: &Event, note: Note) -> Option<String> {
        if let Some(subject) = &note.waits_for {
            let known = self.waits.entry(event.service.clone()).or_default();
            if !known.insert(subject.clone()) {
                return None;
            }
        }
        let time = note.milliseconds.map(duration).unwrap_or_default();
        let name = event.service.as_ref().map_or("", ServiceName::as_str);
        let names = self.name_width();
        let gap = if names == 0 { "" } else { "  " };
        let prefix = format!("{:<VERB$} {time:>TIME$}{gap}{name:<names$}  ", note.verb);
        let mut lines = hanging(&prefix, &note.text, self.terminal.width);
        if let Some(rest) = lines[0].strip_prefix(note.verb) {
            let verb = self.terminal.out.paint(note.role, note.verb);
            lines[0] = format!("{verb}{rest}");
        }
        Some(lines.join("\n"))
    }

    fn standing(&self, event: &Event) -> Option<&Standing> {
        self.tally.service(event.service.as_ref()?)
    }
}
