//! Migrates the workflow service's database: `cargo run -p workflow-migrations -- --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    shared::service_main(&workflow_migrations::SERVICE)
}
