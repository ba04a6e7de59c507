//! The reporter for logs and pipes: one line for every relevant event.

use std::io::Write;
use std::time::Instant;

use domain::Event;

use super::command_lines::CommandLines;
use super::human_lines::{HumanLines, Line};
use super::printable::printable;
use super::reporter::Verbosity;
use super::style::Terminal;
use domain::Reporter;

/// Writes lines and never redraws them.
#[derive(Debug)]
pub struct PlainLines<Out, Err> {
    lines: HumanLines,
    out: Out,
    err: Err,
}

impl<Out: Write, Err: Write> PlainLines<Out, Err> {
    /// Writes progress and summary to `out`, failures to `err`.
    pub fn new(verbosity: Verbosity, terminal: Terminal, out: Out, err: Err) -> Self {
        Self {
            lines: HumanLines::new(verbosity, terminal, false),
            out,
            err,
        }
    }

    /// Adds the lines of a command.
    #[must_use]
    pub fn with_own(mut self, own: Option<Box<dyn CommandLines>>) -> Self {
        self.lines = self.lines.with_own(own);
        self
    }

    /// Writes what has lasted long. Call it regularly.
    pub fn tick(&mut self, now: Instant) {
        let lines = self.lines.heartbeat(now);
        self.write(&lines);
    }

    fn write(&mut self, lines: &[Line]) {
        let terminal = self.lines.terminal();
        for line in lines {
            write_line(line, terminal, &mut self.out, &mut self.err);
        }
    }
}

impl<Out: Write + Send, Err: Write + Send> Reporter for PlainLines<Out, Err> {
    fn report(&mut self, event: &Event) {
        let lines = self.lines.report(event);
        self.write(&lines);
        // Resets the clocks of the activities that this event ends.
        self.tick(Instant::now());
    }
}

/// Writes and flushes. A closed pipe must not stop a migration, so write errors are ignored.
pub(super) fn write_line(
    line: &Line,
    terminal: Terminal,
    out: &mut impl Write,
    err: &mut impl Write,
) {
    let _ = match line {
        Line::Out(text) => {
            writeln!(out, "{}", printable(text, terminal.out)).and_then(|()| out.flush())
        }
        Line::Err(text) => {
            writeln!(err, "{}", printable(text, terminal.err)).and_then(|()| err.flush())
        }
    };
}
