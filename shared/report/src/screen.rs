//! The terminal on which live lines are drawn.
//!
//! The drawing library panics if it cannot write, and would wait for a stopped terminal (Ctrl-S). Here drawing always
//! succeeds, because the output is queued.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use console::{Term, measure_text_width};
use indicatif::{ProgressDrawTarget, TermLike};

use crate::output;
use crate::output::Stream;

/// The maximum number of redraws per second.
const RATE: u8 = 20;

/// Columns that stay free: the terminal echoes `^C` at the cursor, which at the end of a full line would start a new line
/// that the next redraw does not know about.
const ECHO: u16 = 3;

/// Standard error as a draw target.
pub(super) fn screen() -> ProgressDrawTarget {
    ProgressDrawTarget::term_like_with_hz(Box::new(Screen::new(Term::stderr())), RATE)
}

/// A terminal whose lines end before its last columns.
///
/// The library does not end the lines that it draws: it pads them to the reported width and relies on the terminal to wrap. With
/// free columns the terminal does not wrap, so a line end is written before each following line.
#[derive(Debug)]
struct Screen {
    /// Reports the size of the terminal.
    terminal: Term,
    /// Receives the output; each redraw is queued as a whole.
    drawing: Mutex<Stream>,
    /// The width that was last reported to the library, to which it pads its lines.
    reported: AtomicU16,
    /// Columns written since the start of the line.
    column: AtomicUsize,
}

impl Screen {
    fn new(terminal: Term) -> Self {
        let reported = AtomicU16::new(terminal.width().saturating_sub(ECHO));
        Self {
            terminal,
            drawing: Mutex::new(output::stderr()),
            reported,
            column: AtomicUsize::new(0),
        }
    }

    fn is_full(&self) -> bool {
        let reported = usize::from(self.reported.load(Ordering::Relaxed));
        self.column.load(Ordering::Relaxed) >= reported
    }

    fn draw(&self, text: std::fmt::Arguments<'_>) -> io::Result<()> {
        let mut drawing = self.drawing.lock().unwrap_or_else(PoisonError::into_inner);
        drawing.write_fmt(text)
    }

    /// Moves the cursor; a terminal reads distance 0 as 1.
    fn go(&self, distance: usize, direction: char) -> io::Result<()> {
        if distance == 0 {
            return Ok(());
        }
        self.draw(format_args!("\u{1b}[{distance}{direction}"))
    }
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        let width = self.terminal.width().saturating_sub(ECHO);
        self.reported.store(width, Ordering::Relaxed);
        width
    }
    fn height(&self) -> u16 {
        self.terminal.height()
    }
    fn move_cursor_up(&self, lines: usize) -> io::Result<()> {
        self.go(lines, 'A')
    }
    fn move_cursor_down(&self, lines: usize) -> io::Result<()> {
        self.go(lines, 'B')
    }
    fn move_cursor_right(&self, columns: usize) -> io::Result<()> {
        self.go(columns, 'C')
    }
    fn move_cursor_left(&self, columns: usize) -> io::Result<()> {
        self.go(columns, 'D')
    }
    fn write_line(&self, text: &str) -> io::Result<()> {
        self.column.store(0, Ordering::Relaxed);
        self.draw(format_args!("{text}\n"))
    }
    fn write_str(&self, text: &str) -> io::Result<()> {
        if text.starts_with('\r') {
            self.column.store(0, Ordering::Relaxed);
        }
        let columns = measure_text_width(text);
        if columns > 0 && self.is_full() {
            self.write_line("")?;
        }
        self.column.fetch_add(columns, Ordering::Relaxed);
        self.draw(format_args!("{text}"))
    }
    fn clear_line(&self) -> io::Result<()> {
        self.column.store(0, Ordering::Relaxed);
        self.draw(format_args!("\r\u{1b}[2K"))
    }
    fn flush(&self) -> io::Result<()> {
        let mut drawing = self.drawing.lock().unwrap_or_else(PoisonError::into_inner);
        drawing.flush()
    }
}
