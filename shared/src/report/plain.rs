//! The reporter for logs and pipes: one line for every event that is worth one.
//!
//! Floor 4.

use std::io::Write;

use crate::domain::Event;

use super::human_lines::{HumanLines, Line};
use super::printable::printable;
use super::reporter::{Reporter, Verbosity};
use super::style::Terminal;

/// Writes lines, and never takes one back.
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
        for line in self.lines.tell(event) {
            let terminal = self.lines.terminal();
            write_line(&line, terminal, &mut self.out, &mut self.err);
        }
    }
}

/// Writes and flushes. A reader that went away is no reason to stop migrating, and there is nobody left to be told.
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
