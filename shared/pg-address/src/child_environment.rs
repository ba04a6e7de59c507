//! The environment of the programs that we start.

use std::ffi::OsStr;
use std::process::Command;

use crate::LIBPQ_VARIABLES;
use domain::is_secret_name;

/// A command without the variables of this process that the program must not see: those that libpq reads, database addresses
/// (possibly of other services), our own settings, and everything that is named like a secret.
pub fn clean_command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if is_withheld(&name.to_string_lossy()) {
            command.env_remove(name);
        }
    }
    command
}

fn is_withheld(name: &str) -> bool {
    LIBPQ_VARIABLES.contains(&name)
        || name.ends_with("DATABASE_URL")
        || ["DB_", "ORCHESTRATOR_"]
            .iter()
            .any(|ours| name.starts_with(ours))
        || is_secret_name(name)
}

#[cfg(test)]
mod tests {
    use super::is_withheld;

    #[test]
    fn a_program_keeps_what_it_needs() {
        for name in [
            "PGPASSWORD",
            "DATABASE_URL",
            "AUTH_DATABASE_URL",
            "DB_HOST",
            "DB_PASSWORD",
            "ORCHESTRATOR_SERVER_URL",
            "GITHUB_TOKEN",
            "AWS_SECRET_ACCESS_KEY",
        ] {
            assert!(is_withheld(name), "{name}");
        }
        for name in ["PATH", "HOME", "LANG", "TERM", "PSQLRC", "PAGER", "TMPDIR"] {
            assert!(!is_withheld(name), "{name}");
        }
    }
}
