//! Migrates the reporting service's database: `cargo run -p reporting-migrations -- --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    shared::service_main(&reporting_migrations::SERVICE)
}
