//! The terminal that live lines are drawn on, also when it goes away.
//!
//! The library that draws panics where it cannot: a connection that is lost must not end a migration half way. What
//! cannot be drawn is not drawn. Floor 4.

use std::io;

use console::Term;
use indicatif::{ProgressDrawTarget, TermLike};

/// Drawings in a second, at most.
const RATE: u8 = 20;

/// Columns that are left free: the terminal echoes `^C` where the cursor stands, and at the end of a full line that would
/// begin a new one, of which nobody knows when the lines are drawn again.
const ECHO: u16 = 3;

/// Standard error as something to draw on.
pub(super) fn screen() -> ProgressDrawTarget {
    let screen = Unfailing(Term::buffered_stderr());
    ProgressDrawTarget::term_like_with_hz(Box::new(screen), RATE)
}

/// A terminal on which drawing always succeeds.
#[derive(Debug)]
struct Unfailing<T>(T);

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
        self.0.width().saturating_sub(ECHO)
    }
    fn height(&self) -> u16 {
        self.0.height()
    }
    fn move_cursor_up(&self, lines: usize) -> io::Result<()> {
        whatever_came(self.0.move_cursor_up(lines))
    }
    fn move_cursor_down(&self, lines: usize) -> io::Result<()> {
        whatever_came(self.0.move_cursor_down(lines))
    }
    fn move_cursor_right(&self, columns: usize) -> io::Result<()> {
        whatever_came(self.0.move_cursor_right(columns))
    }
    fn move_cursor_left(&self, columns: usize) -> io::Result<()> {
        whatever_came(self.0.move_cursor_left(columns))
    }
    fn write_line(&self, text: &str) -> io::Result<()> {
        whatever_came(self.0.write_line(text))
    }
    fn write_str(&self, text: &str) -> io::Result<()> {
        whatever_came(self.0.write_str(text))
    }
    fn clear_line(&self) -> io::Result<()> {
        whatever_came(self.0.clear_line())
    }
    fn flush(&self) -> io::Result<()> {
        whatever_came(self.0.flush())
    }
}
