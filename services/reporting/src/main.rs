//! Migrates the reporting service's database: `cargo run -p reporting-migrations -- --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    service_cli::service_main(&reporting_migrations::SERVICE)
}
