//! Which PostgreSQL the tests run on.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use local_server::Binaries;

/// The variable that names another major version than the installed one.
const VARIABLE: &str = "TEST_POSTGRES";

/// The server and client programs of every test: those of the major version that `TEST_POSTGRES` names, which
/// `scripts/install-postgres` fetched, else those that are found installed.
///
/// # Panics
/// When there are none: a test that silently took another version would prove nothing about the one asked for.
pub fn binaries() -> Binaries {
    static FOUND: OnceLock<Binaries> = OnceLock::new();
    FOUND
        .get_or_init(|| match wanted() {
            Some(major) => {
                fetched(&workspace(), &major).unwrap_or_else(|message| panic!("{message}"))
            }
            None => Binaries::find(None)
                .unwrap_or_else(|error| panic!("{error}; or name a fetched one in {VARIABLE}")),
        })
        .clone()
}

/// The folder to put before `PATH`, so that the programs under test find what the tests use.
pub(crate) fn first_in_path() -> Option<PathBuf> {
    wanted().map(|_| binaries().folder().to_owned())
}

/// The folder of the workspace.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn wanted() -> Option<String> {
    std::env::var(VARIABLE)
        .ok()
        .filter(|major| !major.is_empty())
}

fn fetched(workspace: &Path, major: &str) -> Result<Binaries, String> {
    if major.is_empty() || !major.chars().all(|digit| digit.is_ascii_digit()) {
        return Err(format!("{VARIABLE}={major} is no major version such as 18"));
    }
    let folder = workspace.join("target/test-postgres").join(major);
    let found = Binaries::find(Some(&folder.join("bin"))).map_err(|error| {
        format!("{VARIABLE}={major}: {error}; run scripts/install-postgres {major}")
    })?;
    if found.version().major().to_string() != major {
        return Err(format!(
            "{VARIABLE}={major}: {} holds PostgreSQL {}; remove it and run scripts/install-postgres {major}",
            folder.display(),
            found.version()
        ));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn workspace_with(major: &str, version: &str) -> tempfile::TempDir {
        let workspace = tempfile::tempdir().unwrap();
        let bin = workspace
            .path()
            .join("target/test-postgres")
            .join(major)
            .join("bin");
        fs::create_dir_all(&bin).unwrap();
        for name in ["initdb", "pg_ctl", "postgres"] {
            let program = bin.join(name);
            fs::write(
                &program,
                format!("#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n"),
            )
            .unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        }
        workspace
    }

    #[test]
    fn a_fetched_server_is_found_by_its_major_version() {
        let workspace = workspace_with("18", "18.4");
        let found = fetched(workspace.path(), "18").unwrap();
        assert_eq!(found.version().full(), "18.4");
    }

    #[test]
    fn a_missing_one_names_the_script() {
        let workspace = workspace_with("18", "18.4");
        let message = fetched(workspace.path(), "14").unwrap_err();
        assert!(message.contains("scripts/install-postgres 14"), "{message}");
    }

    #[test]
    fn a_folder_with_another_version_is_not_taken() {
        let workspace = workspace_with("18", "17.2");
        let message = fetched(workspace.path(), "18").unwrap_err();
        assert!(message.contains("17.2"), "{message}");
    }

    #[test]
    fn a_version_is_a_number() {
        let workspace = workspace_with("18", "18.4");
        for wrong in ["../18", "18.4", "new"] {
            let message = fetched(workspace.path(), wrong).unwrap_err();
            assert!(message.contains("no major version"), "{message}");
        }
    }
}
