//! Migrates the client service's database: `cargo run -p client-migrations -- --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    shared::service_main(&client_migrations::SERVICE)
}
