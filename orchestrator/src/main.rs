//! The `orchestrator` program, a thin wrapper of the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    orchestrator::cli::main()
}
