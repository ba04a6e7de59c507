//! Migrates the notification service's database: `cargo run -p notification-migrations -- --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    service_cli::service_main(&notification_migrations::SERVICE)
}
