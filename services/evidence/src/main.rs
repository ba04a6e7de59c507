//! Migrates the evidence service's database: `cargo run -p evidence-migrations -- --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    shared::service_main(&evidence_migrations::SERVICE)
}
