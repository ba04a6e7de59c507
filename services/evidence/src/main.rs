//! Migrates the evidence service's database: `cargo run -p evidence-migrations -- --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    service_cli::service_main(&evidence_migrations::SERVICE)
}
