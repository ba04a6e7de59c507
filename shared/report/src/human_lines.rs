//! The lines of a run's human output: which events get one, and its text.
//!
//! A fold without output of its own, so that the plain and the live reporter print the same text.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use domain::{
    Diagnostic, Event, EventKind, ExitStatus, Failure, ServiceName, StopCause, Totals, Verdict,
    millis,
};

use super::activity::LiveLine;
use super::closing;
use super::command_lines::{self, CommandLines};
use super::compensation;
use super::failure::{self, FailedStep};
use super::heartbeat::Heartbeats;
use super::note::{Detail, Note, note};
use super::reporter::Verbosity;
use super::same_failure::SameFailures;
use super::style::{Role, Terminal};
use super::tally::{Activity, ServiceTally, Tally};
use super::text::{hanging, width};
use super::timings;
use super::units::duration;

/// The width of the verb at the start of a line.
pub(super) const VERB: usize = 9;
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
    heartbeats: Heartbeats,
    /// The lines of a command for its own events.
    own: Option<Box<dyn CommandLines>>,
    /// The lines of a command that is part of this one.
    part: Option<Box<dyn CommandLines>>,
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
            heartbeats: Heartbeats::default(),
            own: None,
            part: None,
        }
    }

    /// Adds the lines of a command.
    #[must_use]
    pub fn with_own(mut self, own: Option<Box<dyn CommandLines>>) -> Self {
        match own {
            Some(lines) if lines.is_part() => self.part = Some(lines),
            own => self.own = own,
        }
        self
    }

    /// Returns lines for what has lasted long. Call it regularly, unless the activities are drawn.
    pub fn heartbeat(&mut self, now: Instant) -> Vec<Line> {
        let due = self.heartbeats.due(&self.tally, now);
        if self.verbosity == Verbosity::Quiet {
            return Vec::new();
        }
        let line = |(name, line, lasted): (ServiceName, LiveLine, Duration)| {
            let note = Note::new(line.verb, line.role, line.text).lasting(millis(lasted));
            Line::Out(self.laid_out(Some(&name), &note))
        };
        due.into_iter().map(line).collect()
    }

    /// Returns the lines for an event. Call it with every event of the run, in order.
    pub fn report(&mut self, event: &Event) -> Vec<Line> {
        self.tally.absorb(event);
        if let Some(note) = self.own_note(event) {
            let is_shown = self.verbosity != Verbosity::Quiet || note.role == Role::Bad;
            let line = is_shown.then(|| self.note(event, note)).flatten();
            return line.into_iter().map(Line::Out).collect();
        }
        let lines = match &event.kind {
            EventKind::MigrationFailed(failure) => return vec![self.failure(event, failure)],
            EventKind::ServiceFailed(error) => {
                return Vec::from_iter(self.service_failure(event.service.as_ref(), error));
            }
            EventKind::CancelRequested {
                times,
                cause,
                cancels_in_ms,
            } => return vec![self.cancel(*times, *cause, *cancels_in_ms)],
            EventKind::RunFinished {
                verdict,
                exit_code,
                totals,
                next,
                timings,
                ..
            } => {
                let mut lines = self.alike();
                lines.extend(self.close((*verdict, *exit_code), totals, next));
                let timings = timings.as_ref();
                lines.extend(timings.map(|it| Line::Out(timings::table(it, self.terminal))));
                return lines;
            }
            EventKind::CompensationStopped(stop) => {
                let Terminal { err, width, .. } = self.terminal;
                return vec![Line::Err(compensation::stopped(stop, err, width))];
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
                if self.verbosity == Verbosity::Verbose && self.own.is_none() {
                    let text = format!("run {}, version {program_version}", event.run_id);
                    lines.push(self.terminal.out.paint(Role::Quiet, &text));
                }
                if let Some(own) = &self.own {
                    lines.extend(own.announce(services.len(), *steps));
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
            } => self.paragraph(&compensation::started(
                event.run_id,
                *of_run,
                because,
                *steps,
            )),
            EventKind::CompensationFinished { of_run, .. } => {
                self.paragraph(&compensation::finished(event.run_id, *of_run))
            }
            // What a service does is different in each command.
            EventKind::ServiceStarted { .. } if self.own.is_some() => Vec::new(),
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
        }
    }

    fn failure(&mut self, event: &Event, failure: &Failure) -> Line {
        let step = FailedStep {
            service: event.service.as_ref(),
            version: event.version,
            // Undone migrations do not count.
            done_before: match self.tally.undoes_on_failure {
                true => 0,
                false => self.standing(event).map_or(0, ServiceTally::done),
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
        error: &Diagnostic,
    ) -> Option<Line> {
        let mut text = self.failures.show(service, error, self.terminal)?;
        if let (Some(own), Some(service)) = (&mut self.own, service) {
            for line in own.explanation(service).lines() {
                text.push('\n');
                text.push_str(line);
            }
        }
        if let Some(step) = &error.next {
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
        let text = if self.own.is_some() {
            "Stopping.".to_owned()
        } else if times < 2 {
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

    /// The line for an event of a command that has lines of its own.
    fn own_note(&mut self, event: &Event) -> Option<Note> {
        let own = self.own.as_mut().or(self.part.as_mut())?;
        let note = own.note(event);
        let services = match (&event.kind, &event.service) {
            (EventKind::RunStarted { services, .. }, _) => services.as_slice(),
            (_, service) => service.as_slice(),
        };
        for name in services {
            if let Some(line) = own.activity(name, &event.kind) {
                self.tally.begin(name, Activity::OfCommand(line));
            } else if own.ends_activity(&event.kind) {
                self.tally.begin(name, Activity::Idle);
            }
        }
        self.tally.done_by_command = (!own.is_part()).then(|| own.done());
        note
    }

    fn close(
        &mut self,
        (verdict, status): (Verdict, ExitStatus),
        totals: &Totals,
        next: &[String],
    ) -> Option<Line> {
        let quiet = self.verbosity == Verbosity::Quiet;
        let mut text = String::new();
        let mut next = next.to_vec();
        let (summary, role) = match &mut self.own {
            Some(own) => {
                next.extend(own.next());
                (own.summary(status, totals)?, command_lines::role(status))
            }
            None => {
                if !quiet {
                    text.push_str(&closing::table(&self.tally, self.terminal));
                }
                let summary = closing::summary(&self.tally, verdict, totals);
                (summary, closing::role(verdict))
            }
        };
        for line in hanging("", &summary, self.terminal.width) {
            text.push_str(&self.terminal.out.paint(role, &line));
            text.push('\n');
        }
        // On a shared terminal the advice is shown directly above, below its failure. Otherwise stdout and stderr of a run go to
        // different places, and both show it.
        let said_above = quiet || self.terminal.live || self.own.is_some();
        let steps: Vec<&str> = next
            .iter()
            .filter(|step| !(said_above && self.is_advised(step)))
            .map(String::as_str)
            .collect();
        if !steps.is_empty() {
            let lines = failure::next(&steps.join("\n"), self.terminal.out);
            text.push_str(&lines.join("\n"));
        }
        Some(Line::Out(text.trim_end().to_owned()))
    }

    /// Whether a command was suggested with a failure, perhaps without the comment that names the service.
    fn is_advised(&self, step: &str) -> bool {
        self.advised.iter().any(|said| step.starts_with(said))
    }

    /// The line for a note, unless the same wait was already reported.
    fn note(&mut self, event: &Event, note: Note) -> Option<String> {
        if let Some(subject) = &note.waits_for {
            let known = self.waits.entry(event.service.clone()).or_default();
            if !known.insert(subject.clone()) {
                return None;
            }
        }
        let mut text = self.laid_out(event.service.as_ref(), &note);
        for line in note.below.lines() {
            text.push('\n');
            text.push_str(line);
        }
        Some(text)
    }

    fn laid_out(&self, service: Option<&ServiceName>, note: &Note) -> String {
        let time = note.milliseconds.map(duration).unwrap_or_default();
        let name = service.map_or("", ServiceName::as_str);
        let names = self.name_width();
        let gap = if names == 0 { "" } else { "  " };
        let prefix = format!("{:<VERB$} {time:>TIME$}{gap}{name:<names$}  ", note.verb);
        let mut lines = hanging(&prefix, &note.text, self.terminal.width);
        if let Some(rest) = lines[0].strip_prefix(note.verb) {
            let verb = self.terminal.out.paint(note.role, note.verb);
            lines[0] = format!("{verb}{rest}");
        }
        lines.join("\n")
    }

    fn standing(&self, event: &Event) -> Option<&ServiceTally> {
        self.tally.service(event.service.as_ref()?)
    }
}
