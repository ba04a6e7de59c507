//! Migrates the client service's database: `cargo run -p client-migrations -- --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    service_cli::service_main(&client_migrations::SERVICE)
}
