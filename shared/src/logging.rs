//! The log on standard error, the runtime, and the one place where an error of a program is printed. Floor 5.

use std::io::Write;

use tracing_subscriber::EnvFilter;

use crate::command::{CommandError, GlobalArgs, LogFormat};

/// Starts the log: warnings, with `-vv` what the program does; `RUST_LOG` overrides.
pub fn start(globals: &GlobalArgs) {
    let level = match globals.verbose {
        0 | 1 => "warn",
        2 => "shared=debug,orchestrator=debug,warn",
        _ => "debug",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
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

/// The runtime of a program.
pub fn runtime() -> Result<tokio::runtime::Runtime, CommandError> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|source| CommandError::Io {
            what: "the program cannot start its threads".to_owned(),
            source,
        })
}

/// Prints the error that ended a program; where nobody reads along any more, to nobody.
pub fn say_error(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
