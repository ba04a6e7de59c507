//! Migrates the audit service's database: `cargo run -p audit-migrations -- --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    service_cli::service_main(&audit_migrations::SERVICE)
}
