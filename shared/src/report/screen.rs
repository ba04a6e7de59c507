//! The terminal that live lines are drawn on, also when it goes away.
//!
//! The library that draws panics where it cannot: a connection that is lost must not end a migration half way. What
//! cannot be drawn is not drawn. Floor 4.

use std::io;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};

use console::{Term, measure_text_width};
use indicatif::{ProgressDrawTarget, TermLike};

/// Drawings in a second, at most.
const RATE: u8 = 20;

/// Columns that are left free: the terminal echoes `^C` where the cursor stands, and at the end of a full line that would
/// begin a new one, of which nobody knows when the lines are drawn again.
const ECHO: u16 = 3;

/// Standard error as something to draw on.
pub(super) fn screen() -> ProgressDrawTarget {
    let screen = Unfailing::new(Term::buffered_stderr());
    ProgressDrawTarget::term_like_with_hz(Box::new(screen), RATE)
}

/// A terminal on which drawing always succeeds, and whose lines end before its last columns.
///
/// The library ends no line that it draws: it fills it up to the width that it was told, and relies on a terminal that goes on
/// below by itself. With columns left free this one does not, so that the end of a line is written where another follows.
#[derive(Debug)]
struct Unfailing<T> {
    terminal: T,
    /// The width that the library was told last, by which it fills its lines.
    told: AtomicU16,
    /// Columns written since the line began.
    column: AtomicUsize,
}

impl<T: TermLike> Unfailing<T> {
    fn new(terminal: T) -> Self {
        let told = AtomicU16::new(terminal.width().saturating_sub(ECHO));
        Self {
            terminal,
            told,
            column: AtomicUsize::new(0),
        }
    }

    fn is_full(&self) -> bool {
        let told = usize::from(self.told.load(Ordering::Relaxed));
        self.column.load(Ordering::Relaxed) >= told
    }
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "the form that the library asks for"
)]
fn whatever_came(drawn: io::Result<()>) -> io::Result<()> {
    drop(drawn);
    Ok(())
}

impl<T: TermLike> TermLike for Unfailing<T> {
    fn width(&self) -> u16 {
        let width = self.terminal.width().saturating_sub(ECHO);
        self.told.store(width, Ordering::Relaxed);
        width
    }
    fn height(&self) -> u16 {
        self.terminal.height()
    }
    fn move_cursor_up(&self, lines: usize) -> io::Result<()> {
        whatever_came(self.terminal.move_cursor_up(lines))
    }
    fn move_cursor_down(&self, lines: usize) -> io::Result<()> {
        whatever_came(self.terminal.move_cursor_down(lines))
    }
    fn move_cursor_right(&self, columns: usize) -> io::Result<()> {
        whatever_came(self.terminal.move_cursor_right(columns))
    }
    fn move_cursor_left(&self, columns: usize) -> io::Result<()> {
        whatever_came(self.terminal.move_cursor_left(columns))
    }
    fn write_line(&self, text: &str) -> io::Result<()> {
        self.column.store(0, Ordering::Relaxed);
        whatever_came(self.terminal.write_line(text))
    }
    fn write_str(&self, text: &str) -> io::Result<()> {
        if text.starts_with('\r') {
            self.column.store(0, Ordering::Relaxed);
        }
        let columns = measure_text_width(text);
        if columns > 0 && self.is_full() {
            whatever_came(self.write_line(""))?;
        }
        self.column.fetch_add(columns, Ordering::Relaxed);
        whatever_came(self.terminal.write_str(text))
    }
    fn clear_line(&self) -> io::Result<()> {
        self.column.store(0, Ordering::Relaxed);
        whatever_came(self.terminal.clear_line())
    }
    fn flush(&self) -> io::Result<()> {
        whatever_came(self.terminal.flush())
    }
}
