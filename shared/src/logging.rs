//! The log on standard error, the runtime, and the one place where an error of a program is printed. Floor 5.

use std::io::Write;
use std::process::ExitCode;

use tracing_subscriber::EnvFilter;

use crate::command::{CommandError, GlobalArgs, LogFormat, report_error};
use crate::domain::ExitStatus;
use crate::output;
use crate::report::printable::{self, Log, printable};
use crate::report::{Colour, Palette, Terminal};

/// Starts the output and the log: warnings, with `-vv` what the program does; `RUST_LOG` overrides.
pub fn start(globals: &GlobalArgs) {
    printable::start(Terminal::of_process(globals.color));
    std::panic::set_hook(Box::new(|panic| {
        let trace = std::backtrace::Backtrace::capture();
        let text = format!("internal error: {panic}\n{trace}\n");
        write_at_once(std::io::stderr(), &printable(&text, Palette::default()));
    }));
    let json = globals.log_format == LogFormat::Json;
    let level = match globals.verbose {
        0 | 1 => "warn",
        2 => "shared=debug,orchestrator=debug,warn",
        _ => "debug",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(move || Log::new(json))
        .with_target(false)
        // It would tell standard error, and panic where that is gone: as when the terminal went away.
        .log_internal_errors(false);
    let started = match globals.log_format {
        LogFormat::Text => log.with_ansi(false).without_time().try_init(),
        LogFormat::Json => log.json().try_init(),
    };
    // A second start in one process (tests) keeps the first log.
    drop(started);
}

/// Runs a program to its end: prints the error that ended it, and waits for those who read its output.
pub fn run(
    palette: Palette,
    work: impl Future<Output = Result<ExitStatus, CommandError>>,
) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(source) => {
            let what = "the program cannot start its threads".to_owned();
            let error = CommandError::Io { what, source };
            // Nothing is queued yet, and without threads nothing could be.
            let text = format!("{}\n", report_error(&error, palette));
            write_at_once(std::io::stderr(), &printable(&text, palette));
            return error.exit_status().into();
        }
    };
    let status = runtime.block_on(async {
        let status = work.await.unwrap_or_else(|error| failed(&error, palette));
        match output::deliver().await {
            Ok(()) => status,
            Err(source) => {
                let what = "the result cannot be written to standard output".to_owned();
                let status = failed(&CommandError::Io { what, source }, palette);
                // The stream that failed is closed: this is for the error.
                let _ = output::deliver().await;
                status
            }
        }
    });
    status.into()
}

/// Prints the error that ended a program.
fn failed(error: &CommandError, palette: Palette) -> ExitStatus {
    printable::write_err(&format!("{}\n", report_error(error, palette)));
    error.exit_status()
}

/// Prints what the parser of the arguments ended with: their error, or help and version, which are no errors.
pub fn say_usage(error: &clap::Error) -> ExitCode {
    // The arguments that would say otherwise are those that could not be read.
    let terminal = Terminal::of_process(Colour::Auto);
    let text = |palette: Palette| {
        let text = error.render();
        let text = if palette.is_on() {
            text.ansi().to_string()
        } else {
            text.to_string()
        };
        printable(&text, palette)
    };
    if error.use_stderr() {
        write_at_once(std::io::stderr(), &text(terminal.err));
        ExitStatus::Usage.into()
    } else {
        write_at_once(std::io::stdout(), &text(terminal.out));
        ExitStatus::Done.into()
    }
}

/// Writes where there is no runtime; where nobody reads along any more, to nobody.
fn write_at_once(mut stream: impl Write, text: &str) {
    let _ = stream
        .write_all(text.as_bytes())
        .and_then(|()| stream.flush());
}
