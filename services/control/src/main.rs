//! Migrates the control service's database: `cargo run -p control-migrations -- --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    shared::service_main(&control_migrations::SERVICE)
}
