//! Migrates the ai service's database: `cargo run -p ai-migrations -- --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    shared::service_main(&ai_migrations::SERVICE)
}
