//! Migrates the workflow service's database: `cargo run -p workflow-migrations -- --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    service_cli::service_main(&workflow_migrations::SERVICE)
}
