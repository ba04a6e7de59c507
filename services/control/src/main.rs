//! Migrates the control service's database: `cargo run -p control-migrations -- --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    service_cli::service_main(&control_migrations::SERVICE)
}
