//! PostgreSQL's client programs on this machine: `pg_dump`, `pg_restore`. Floor 3.
//!
//! Responsible for which one is used, and for running it against a database without a password on its command line. Not
//! for what it is asked to do.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use shared::config::{DatabaseAddress, clean_command};
use shared::postgres::local_server::folders_with;
use shared::postgres::{ask_administrator, quote_identifier};

use crate::client_watch::ClientWatch;

/// A client program, and its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientProgram {
    /// Where it is.
    pub path: PathBuf,
    /// As it says it, such as `15.18`.
    pub version: String,
    /// The first number of that.
    pub major: i32,
}

/// Why there is none that could be used.
#[derive(Debug, thiserror::Error)]
pub enum ClientProgramError {
    /// There is none.
    #[error("there is no {name} {place}")]
    Absent {
        /// The program.
        name: &'static str,
        /// Where it was looked for.
        place: String,
    },
    /// Every one is older than the server.
    #[error("{found} is older than the server ({major}), which it cannot read")]
    TooOld {
        /// The newest one.
        found: Box<ClientProgram>,
        /// The server's major version.
        major: i32,
    },
}

impl ClientProgram {
    /// A program at least as new as a server of version `major`: of the folder given, else one of the server's own version where
    /// server binaries are, else the first there that is newer. Blocks.
    ///
    /// # Errors
    /// When there is none, or only older ones.
    pub fn find(
        name: &'static str,
        folder: Option<&Path>,
        major: i32,
    ) -> Result<Self, ClientProgramError> {
        let mut newer: Option<Self> = None;
        let mut newest: Option<Self> = None;
        for found in Self::all(name, folder) {
            // What a newer one writes says more than an older server understands.
            if found.major == major {
                return Ok(found);
            }
            if found.major > major {
                newer = newer.or(Some(found));
            } else {
                newest = newest
                    .filter(|newest| newest.major >= found.major)
                    .or(Some(found));
            }
        }
        if let Some(found) = newer {
            return Ok(found);
        }
        Err(match newest {
            Some(found) => ClientProgramError::TooOld {
                found: Box::new(found),
                major,
            },
            None => ClientProgramError::Absent {
                name,
                place: match folder {
                    Some(folder) => format!("in {}", folder.display()),
                    None => "in PATH, by pg_config or in the usual folders".to_owned(),
                },
            },
        })
    }

    /// The one that is used where the server is not known. Blocks.
    pub fn first(name: &'static str, folder: Option<&Path>) -> Option<Self> {
        Self::all(name, folder).next()
    }

    fn all(name: &'static str, folder: Option<&Path>) -> impl Iterator<Item = Self> {
        let folders: Box<dyn Iterator<Item = PathBuf>> = match folder {
            Some(folder) => Box::new(std::iter::once(folder.to_owned())),
            None => Box::new(folders_with(name)),
        };
        folders.filter_map(move |folder| Self::at(name, folder.join(name)))
    }

    fn at(name: &str, path: PathBuf) -> Option<Self> {
        let output = command(&path).arg("--version").output().ok()?;
        Self::parse(name, path, &String::from_utf8_lossy(&output.stdout))
    }

    /// `pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`
    fn parse(name: &str, path: PathBuf, text: &str) -> Option<Self> {
        let version = text.strip_prefix(name)?.strip_prefix(" (PostgreSQL) ")?;
        let version = version.split_whitespace().next()?.to_owned();
        let digits = version.find(|c: char| !c.is_ascii_digit());
        let major = version[..digits.unwrap_or(version.len())].parse().ok()?;
        Some(Self {
            path,
            version,
            major,
        })
    }

    /// The program, to be run on files.
    pub fn on_files(&self) -> std::process::Command {
        command(&self.path)
    }

    /// The program, to be run against the database of a watch: address and password stand in its environment, where no other user of
    /// the machine can read them. It ends when the command is dropped.
    pub fn against(&self, watch: &ClientWatch) -> tokio::process::Command {
        let mut command = tokio::process::Command::from(command(&self.path));
        command
            .envs(watch.environment())
            .env("PGAPPNAME", watch.application())
            // Ctrl-C is for this program, which ends it.
            .process_group(0)
            .kill_on_drop(true);
        command
    }
}

/// What to do next where the words of a client program say that the role may not read something: programs have no codes.
pub(crate) fn without_right(said: &str, address: &DatabaseAddress) -> Option<String> {
    said.contains("permission denied").then(|| {
        let user = quote_identifier(address.user());
        ask_administrator(&format!("GRANT pg_read_all_data TO {user}"))
    })
}

fn command(path: &Path) -> std::process::Command {
    let mut command = clean_command(path);
    command.env("LC_ALL", "C").stdin(Stdio::null());
    command
}

impl fmt::Display for ClientProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.path.display(), self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_what_it_says() {
        let parse = |text: &str| ClientProgram::parse("pg_dump", PathBuf::from("pg_dump"), text);
        let found = parse("pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n");
        assert_eq!(
            found.map(|it| (it.version, it.major)),
            Some(("15.18".to_owned(), 15))
        );
        assert_eq!(
            parse("pg_dump (PostgreSQL) 19beta1\n").map(|it| it.major),
            Some(19)
        );
        assert_eq!(parse("something else"), None);
        assert_eq!(parse("pg_restore (PostgreSQL) 15.18\n"), None);
    }
}
