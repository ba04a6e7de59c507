//! Finds installed PostgreSQL server binaries.
//!
//! Responsible for: which folders may contain them, in which order, and reporting what is missing.
//! Not for: running them on data.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::version::Version;
use pg_address::clean_command;

/// The programs that a folder of server binaries must contain.
const NEEDED: [&str; 3] = ["initdb", "pg_ctl", "postgres"];

/// Where packages install the versions of PostgreSQL; `*` matches one folder.
const USUAL_FOLDERS: [&str; 7] = [
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
    "/usr/local/pgsql/bin",
    "/opt/homebrew/bin",
];

/// Why no server binaries are usable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BinariesError {
    #[error(
        "no PostgreSQL server binaries (initdb, pg_ctl, postgres) found in PATH, by pg_config or in the usual \
         folders: install them ({}), name their folder with --pg-bin, or point to a running server with \
         ORCHESTRATOR_SERVER_URL",
        install_command()
    )]
    NotFound,
    #[error(
        "'{program}' is missing in {}: --pg-bin must name the folder with initdb, pg_ctl and postgres",
        folder.display()
    )]
    MissingProgram {
        /// The folder that was given.
        folder: PathBuf,
        /// The first program that is missing or not executable.
        program: &'static str,
    },
    #[error("cannot run '{} --version': choose other server binaries with --pg-bin", program.display())]
    NotRunnable {
        program: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(
        "'{} --version' printed '{output}' instead of a version: choose other server binaries with --pg-bin",
        program.display()
    )]
    UnknownVersion {
        program: PathBuf,
        /// What it printed.
        output: String,
    },
}

/// A folder of PostgreSQL server binaries of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    folder: PathBuf,
    version: Version,
}

impl Binaries {
    /// Finds server binaries: the `explicit` folder and no other, or `PATH`, `pg_config`, the usual folders.
    ///
    /// # Errors
    /// When nothing is found, or when the explicit folder lacks a program.
    pub fn find(explicit: Option<&Path>) -> Result<Self, BinariesError> {
        Self::find_for(explicit, None)
    }

    /// Like [`find`](Self::find), preferring binaries that can serve a data folder of the given major version.
    ///
    /// If none of that version exists, the first ones found are returned: the caller can report the mismatch
    /// better.
    ///
    /// # Errors
    /// As of [`find`](Self::find).
    pub fn find_for(explicit: Option<&Path>, major: Option<u32>) -> Result<Self, BinariesError> {
        if let Some(folder) = explicit {
            let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
            return Self::of_folder(&folder);
        }
        let mut first = None;
        let mut failure = None;
        for folder in candidates() {
            match Self::of_folder(&folder) {
                Ok(found) if major.is_none_or(|wanted| wanted == found.version.major()) => {
                    return Ok(found);
                }
                Ok(found) => first = first.or(Some(found)),
                // An incomplete folder is skipped (Debian's PATH has client wrappers); a complete one
                // that does not run is reported if nothing else is found.
                Err(BinariesError::MissingProgram { .. }) => {}
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        first.ok_or_else(|| failure.unwrap_or(BinariesError::NotFound))
    }

    /// The server binaries of exactly this folder.
    fn of_folder(folder: &Path) -> Result<Self, BinariesError> {
        if let Some(program) = missing_in(folder) {
            return Err(BinariesError::MissingProgram {
                folder: folder.to_owned(),
                program,
            });
        }
        let folder = &linked_folder(folder).unwrap_or_else(|| folder.to_owned());
        let program = folder.join("postgres");
        let output = clean_command(&program)
            .arg("--version")
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .output()
            .map_err(|source| BinariesError::NotRunnable {
                program: program.clone(),
                source,
            })?;
        let stdout = String::from_utf8_lossy(&output.stdout);
        let version = Version::parse(&stdout).ok_or_else(|| BinariesError::UnknownVersion {
            program,
            output: one_line(&stdout, &String::from_utf8_lossy(&output.stderr)),
        })?;
        Ok(Self {
            folder: folder.to_owned(),
            version,
        })
    }

    /// The folder with the programs.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The version of `postgres` in that folder.
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// The path of a program of the same folder (such as `pg_dump`), if it is installed.
    pub fn program(&self, name: &str) -> Option<PathBuf> {
        let path = self.folder.join(name);
        is_program(&path).then_some(path)
    }

    /// The path of one of the programs that every set of server binaries has.
    pub(super) fn needed(&self, name: &'static str) -> PathBuf {
        debug_assert!(NEEDED.contains(&name));
        self.folder.join(name)
    }
}

/// The folders that have a program such as `pg_dump`, among those that may contain server binaries, best first.
pub fn folders_with(program: &str) -> impl Iterator<Item = PathBuf> {
    candidates().filter(move |folder| is_program(&folder.join(program)))
}

/// All folders that may contain server binaries, best first; lazy, because `pg_config` costs a process.
fn candidates() -> impl Iterator<Item = PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let in_path: Vec<PathBuf> = env::split_paths(&path)
        .filter(|folder| folder.is_absolute())
        .collect();
    in_path
        .into_iter()
        .chain(std::iter::once_with(pg_config_folder).flatten())
        .chain(USUAL_FOLDERS.into_iter().flat_map(expand))
}

/// The output of `pg_config --bindir`, if `pg_config` exists.
fn pg_config_folder() -> Option<PathBuf> {
    let output = clean_command("pg_config")
        .arg("--bindir")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let folder = String::from_utf8(output.stdout).ok()?;
    output
        .status
        .success()
        .then(|| PathBuf::from(folder.trim()))
}

/// The folders that match a pattern with at most one `*`, the newest version first.
fn expand(pattern: &str) -> Vec<PathBuf> {
    let Some((before, after)) = pattern.split_once('*') else {
        return vec![PathBuf::from(pattern)];
    };
    let (parent, prefix) = before.rsplit_once('/').unwrap_or(("", before));
    let mut versions: Vec<(Vec<u32>, PathBuf)> = fs::read_dir(parent)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let version = name
                .strip_prefix(prefix)?
                .split('.')
                .map_while(|part| part.parse().ok())
                .collect();
            Some((version, entry.path().join(after.trim_start_matches('/'))))
        })
        .collect();
    versions.sort_by(|left, right| right.cmp(left));
    versions.into_iter().map(|(_, folder)| folder).collect()
}

/// The first needed program that a folder lacks.
fn missing_in(folder: &Path) -> Option<&'static str> {
    NEEDED
        .into_iter()
        .find(|program| !is_program(&folder.join(program)))
}

/// The real folder of the programs: often only a few of them are linked into a folder of `PATH`, and the
/// others (`pg_dump`) exist only there.
fn linked_folder(folder: &Path) -> Option<PathBuf> {
    let program = fs::canonicalize(folder.join("postgres")).ok()?;
    let real = program.parent()?;
    missing_in(real).is_none().then(|| real.to_owned())
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

/// The first line that a program printed, on either stream.
fn one_line(stdout: &str, stderr: &str) -> String {
    stdout
        .lines()
        .chain(stderr.lines())
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or_default()
        .to_owned()
}

/// The command that installs the server on this system.
fn install_command() -> &'static str {
    let has = |program: &str| {
        let path = env::var_os("PATH").unwrap_or_default();
        env::split_paths(OsStr::new(&path)).any(|folder| is_program(&folder.join(program)))
    };
    if has("apt-get") {
        "apt-get install postgresql"
    } else if has("dnf") {
        "dnf install postgresql-server"
    } else if has("brew") {
        "brew install postgresql@17"
    } else {
        "apt-get install postgresql, dnf install postgresql-server or brew install postgresql@17"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with fake programs; `postgres` prints the given version.
    fn fake(parent: &Path, name: &str, programs: &[&str], version: &str) -> PathBuf {
        let folder = parent.join(name);
        fs::create_dir_all(&folder).unwrap();
        for program in programs {
            let path = folder.join(program);
            fs::write(
                &path,
                format!("#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n"),
            )
            .unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        folder
    }

    #[test]
    fn an_explicit_folder_names_the_missing_program() {
        let parent = tempfile::tempdir().unwrap();
        let folder = fake(parent.path(), "bin", &["initdb", "postgres"], "15.1");
        let error = Binaries::find(Some(&folder)).unwrap_err();
        assert!(
            matches!(
                error,
                BinariesError::MissingProgram {
                    program: "pg_ctl",
                    ..
                }
            ),
            "{error}"
        );
        assert!(
            error.to_string().contains("'pg_ctl' is missing in /"),
            "{error}"
        );
    }

    #[test]
    fn an_explicit_folder_is_taken_with_its_optional_programs() {
        let parent = tempfile::tempdir().unwrap();
        let folder = fake(
            parent.path(),
            "bin",
            &["initdb", "pg_ctl", "postgres", "pg_dump"],
            "17.2",
        );
        let found = Binaries::find(Some(&folder)).unwrap();
        assert_eq!(found.version().major(), 17);
        assert_eq!(found.program("pg_dump"), Some(folder.join("pg_dump")));
        assert_eq!(found.program("psql"), None);
    }

    #[test]
    fn links_to_some_programs_lead_to_the_folder_with_all() {
        let parent = tempfile::tempdir().unwrap();
        let real = fake(
            parent.path(),
            "real",
            &["initdb", "pg_ctl", "postgres", "psql"],
            "17.2",
        );
        let links = parent.path().join("links");
        fs::create_dir(&links).unwrap();
        for program in NEEDED {
            std::os::unix::fs::symlink(real.join(program), links.join(program)).unwrap();
        }
        let found = Binaries::find(Some(&links)).unwrap();
        assert!(found.program("psql").is_some(), "{found:?}");
    }

    #[test]
    fn a_program_without_a_version_is_named() {
        let parent = tempfile::tempdir().unwrap();
        let folder = fake(parent.path(), "bin", &NEEDED, "none");
        let error = Binaries::find(Some(&folder)).unwrap_err();
        assert!(
            matches!(error, BinariesError::UnknownVersion { .. }),
            "{error}"
        );
    }

    #[test]
    fn usual_folders_come_newest_first() {
        let parent = tempfile::tempdir().unwrap();
        for version in ["9.6", "16", "15"] {
            fs::create_dir_all(parent.path().join(version).join("bin")).unwrap();
        }
        let pattern = format!("{}/*/bin", parent.path().display());
        let names = expand(&pattern);
        let expected: Vec<PathBuf> = ["16", "15", "9.6"]
            .iter()
            .map(|version| parent.path().join(version).join("bin"))
            .collect();
        assert_eq!(names, expected);
    }

    #[test]
    fn a_usual_folder_that_is_not_there_gives_nothing() {
        assert!(expand("/nonexistent/folder/*/bin").is_empty());
    }
}
