//! The choice of a reporter.

use std::io::Write;

use anstream::{AutoStream, ColorChoice};

use crate::output;
use crate::output::Stream;
use domain::Reporter;

use super::json::JsonLines;
use super::live::LiveProgress;
use super::plain::PlainLines;
use super::screen::screen;
use super::style::{Palette, Terminal};

/// The output format of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Output {
    /// Human output: lines, tables, progress.
    #[default]
    Human,
    /// For programs: JSON Lines on stdout and nothing else.
    Json,
}

/// The verbosity of human output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// `-q`: failures and the last line.
    Quiet,
    /// Finished steps and waits.
    #[default]
    Normal,
    /// `-v`: also server notices and statements.
    Verbose,
}

/// The reporter for the streams of this process. The terminal's facts are injected: `Terminal::of_process` finds them.
pub fn reporter(output: Output, verbosity: Verbosity, terminal: Terminal) -> Box<dyn Reporter> {
    match output {
        Output::Json => Box::new(JsonLines::new(output::stdout())),
        Output::Human => {
            let (out, err) = streams(terminal);
            // With `-q` there is nothing to redraw.
            if terminal.live && verbosity != Verbosity::Quiet {
                let target = screen();
                Box::new(LiveProgress::new(verbosity, terminal, target, out, err))
            } else {
                Box::new(PlainLines::new(verbosity, terminal, out, err))
            }
        }
    }
}

/// The streams behind an adapter that makes escape sequences work on Windows consoles.
fn streams(terminal: Terminal) -> (Colored, Colored) {
    (
        colored(output::stdout(), terminal.out),
        colored(output::stderr(), terminal.err),
    )
}

/// A stream that drops escape sequences if its palette has no colors.
pub type Colored = AutoStream<Box<dyn Write + Send>>;

/// A stream in the colors of a palette.
pub fn colored(stream: Stream, palette: Palette) -> Colored {
    let choice = if palette.is_on() {
        ColorChoice::Always
    } else {
        ColorChoice::Never
    };
    AutoStream::new(Box::new(stream), choice)
}
