//! The reporter for logs and pipes: one line for every relevant event.

use std::io::Write;

use domain::Event;

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
}

impl<Out: Write + Send, Err: Write + Send> Reporter for PlainLines<Out, Err> {
    fn report(&mut self, event: &Event) {
        for line in self.lines.report(event) {
            let terminal = self.lines.terminal();
            write_line(&line, terminal, &mut self.out, &mut self.err);
        }
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
