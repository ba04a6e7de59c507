//! The choice of a reporter.

use std::io::Write;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anstream::{AutoStream, ColorChoice};

use crate::output;
use crate::output::Stream;
use domain::{Event, Reporter};

use super::command_lines::CommandLines;
use super::json::JsonLines;
use super::live::LiveProgress;
use super::plain::PlainLines;
use super::screen::screen;
use super::style::{Palette, Terminal};

/// How often long activities are looked for.
const TICK: Duration = Duration::from_secs(1);

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
pub fn reporter(
    output: Output,
    verbosity: Verbosity,
    terminal: Terminal,
    own: Option<Box<dyn CommandLines>>,
) -> Box<dyn Reporter> {
    match output {
        Output::Json => Box::new(JsonLines::new(output::stdout())),
        Output::Human => {
            let (out, err) = streams(terminal);
            // With `-q` there is nothing to redraw.
            if terminal.live && verbosity != Verbosity::Quiet {
                let target = screen();
                Box::new(LiveProgress::new(
                    verbosity, terminal, target, out, err, own,
                ))
            } else {
                Box::new(Ticking::start(
                    PlainLines::new(verbosity, terminal, out, err).with_own(own),
                ))
            }
        }
    }
}

/// The reporter of a command that prints a document at its end: it shows on stderr what lasts long, and nothing else.
pub fn progress(
    verbosity: Verbosity,
    terminal: Terminal,
    own: Box<dyn CommandLines>,
) -> Box<dyn Reporter> {
    let stream = || colored(output::stderr(), terminal.err);
    let own = Some(own);
    if terminal.live && verbosity != Verbosity::Quiet {
        Box::new(LiveProgress::new(
            verbosity,
            terminal,
            screen(),
            stream(),
            stream(),
            own,
        ))
    } else {
        Box::new(Ticking::start(
            PlainLines::new(verbosity, terminal, stream(), stream()).with_own(own),
        ))
    }
}

/// Plain lines that are also written when no event arrives for long.
struct Ticking {
    lines: Arc<Mutex<PlainLines<Colored, Colored>>>,
    /// Ends the thread when it is dropped.
    _stop: mpsc::Sender<()>,
}

impl Ticking {
    fn start(lines: PlainLines<Colored, Colored>) -> Self {
        let lines = Arc::new(Mutex::new(lines));
        let (stop, stopped) = mpsc::channel();
        let ticked = Arc::clone(&lines);
        // A thread, because a task would stand still whenever the runtime is busy.
        std::thread::spawn(move || {
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(TICK) {
                let mut lines = ticked.lock().unwrap_or_else(PoisonError::into_inner);
                lines.tick(Instant::now());
            }
        });
        Self { lines, _stop: stop }
    }
}

impl Reporter for Ticking {
    fn report(&mut self, event: &Event) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.report(event);
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
