//! Sets up the log on standard error and the runtime, and prints the error that ends a program.

use std::io::Write;
use std::process::ExitCode;

use tracing_subscriber::EnvFilter;

use crate::command::{GlobalArgs, LogFormat};
use domain::{Diagnostic, ExitStatus};
use report::failure;
use report::output;
use report::printable;
use report::printable::{Log, printable};
use report::{Colour, Palette, Terminal};

/// Starts the output and the log: warnings, with `-vv` debug messages. `RUST_LOG` overrides the level.
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
        2 => "debug,tokio_postgres=warn,rustls=warn,mio=warn,hyper=warn",
        _ => "debug",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(move || Log::new(json))
        .with_target(false)
        // Internal errors are written with eprintln!, which panics if standard error is closed, such as after a hangup.
        .log_internal_errors(false);
    let started = match globals.log_format {
        LogFormat::Text => log.with_ansi(false).without_time().try_init(),
        LogFormat::Json => log.json().try_init(),
    };
    // A second call in the same process (tests) keeps the first log.
    drop(started);
}

/// Runs a program, prints the error that ended it, and waits until its output is written.
pub fn run(
    palette: Palette,
    work: impl Future<Output = Result<ExitStatus, Diagnostic>>,
) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(source) => {
            let what = "cannot start the threads of the program";
            let error = Diagnostic::failed(what, &source);
            // Written directly: the output queue requires a thread.
            let text = format!("{}\n", failure::command_error(&error, palette));
            write_at_once(std::io::stderr(), &printable(&text, palette));
            return error.exit_code.into();
        }
    };
    let status = runtime.block_on(async {
        let status = work.await.unwrap_or_else(|error| failed(&error, palette));
        match output::deliver().await {
            Ok(()) => status,
            Err(source) => {
                let what = "cannot write the result to standard output";
                let status = failed(&Diagnostic::failed(what, &source), palette);
                // Standard output is closed now; this delivers the error on standard error.
                let _ = output::deliver().await;
                status
            }
        }
    });
    status.into()
}

/// Prints the error that ended a program.
fn failed(error: &Diagnostic, palette: Palette) -> ExitStatus {
    printable::write_err(&format!("{}\n", failure::command_error(error, palette)));
    error.exit_code
}

/// Prints a usage error, or help and version, which clap also returns as errors.
pub fn print_usage_error(error: &clap::Error) -> ExitCode {
    // `--color` is not known, because the arguments could not be parsed.
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

/// Writes directly, without the output queue. Ignores a closed stream.
fn write_at_once(mut stream: impl Write, text: &str) {
    let _ = stream
        .write_all(text.as_bytes())
        .and_then(|()| stream.flush());
}
