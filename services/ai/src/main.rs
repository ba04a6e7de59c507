//! Migrates the ai service's database: `cargo run -p ai-migrations -- --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    service_cli::service_main(&ai_migrations::SERVICE)
}
