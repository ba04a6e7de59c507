//! Migrates the auth service's database: `cargo run -p auth-migrations -- --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    service_cli::service_main(&auth_migrations::SERVICE)
}
