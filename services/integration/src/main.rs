//! Migrates the integration service's database: `cargo run -p integration-migrations -- --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    service_cli::service_main(&integration_migrations::SERVICE)
}
