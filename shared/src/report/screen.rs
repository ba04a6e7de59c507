//! The terminal that live lines are drawn on.
//!
//! The library that draws panics where it cannot, and would wait for a terminal that is stopped (Ctrl-S). Here drawing always
//! succeeds: what is drawn is queued. Floor 4.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use console::{Term, measure_text_width};
use indicatif::{ProgressDrawTarget, TermLike};

use crate::output::{self, Stream};

/// Drawings in a second, at most.
const RATE: u8 = 20;

/// Columns that are left free: the terminal echoes `^C` where the cursor stands, and at the end of a full line that would
/// begin a new one, of which nobody knows when the lines are drawn again.
const ECHO: u16 = 3;

/// Standard error as something to draw on.
pub(super) fn screen() -> ProgressDrawTarget {
    ProgressDrawTarget::term_like_with_hz(Box::new(Screen::new(Term::stderr())), RATE)
}

/// A terminal whose lines end before its last columns.
///
/// The library ends no line that it draws: it fills it up to the width that it was told, and relies on a terminal that goes on
/// below by itself. With columns left free this one does not, so that the end of a line is written where another follows.
#[derive(Debug)]
struct Screen {
    /// Knows its size.
    terminal: Term,
    /// Takes what is drawn; one drawing is queued as a whole.
    drawing: Mutex<Stream>,
    /// The width that the library was told last, by which it fills its lines.
    told: AtomicU16,
    /// Columns written since the line began.
    column: AtomicUsize,
}

impl Screen {
    fn new(terminal: Term) -> Self {
        let told = AtomicU16::new(terminal.width().saturating_sub(ECHO));
        Self {
            terminal,
            drawing: Mutex::new(output::stderr()),
            told,
            column: AtomicUsize::new(0),
        }
    }

    fn is_full(&self) -> bool {
        let told = usize::from(self.told.load(Ordering::Relaxed));
        self.column.load(Ordering::Relaxed) >= told
    }

    fn draw(&self, text: std::fmt::Arguments<'_>) -> io::Result<()> {
        let mut drawing = self.drawing.lock().unwrap_or_else(PoisonError::into_inner);
        drawing.write_fmt(text)
    }

    /// Moves the cursor; the terminal would take no distance for one.
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
        self.told.store(width, Ordering::Relaxed);
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
