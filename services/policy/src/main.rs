//! Migrates the policy service's database: `cargo run -p policy-migrations -- --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    shared::service_main(&policy_migrations::SERVICE)
}
