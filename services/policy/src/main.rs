//! Migrates the policy service's database: `cargo run -p policy-migrations -- --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    service_cli::service_main(&policy_migrations::SERVICE)
}
