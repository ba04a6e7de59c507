//! PostgreSQL's client programs on this machine: `pg_dump`, `pg_restore`.
//!
//! Chooses the program, and runs it against a database without a password on the command line.

use pg_sql::quote_identifier;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use domain::{Diagnostic, ExitStatus, rerun};
use local_server::folders_with;
use pg_address::{DatabaseAddress, clean_command};
use pg_session::ask_administrator;

use crate::ClientWatch;

/// A client program and its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientProgram {
    /// The path of the executable.
    pub path: PathBuf,
    /// The version that it reports, such as `15.18`.
    pub version: String,
    /// The major version.
    pub major: i32,
}

/// Why no usable client program was found.
#[derive(Debug, thiserror::Error)]
pub enum ClientProgramError {
    #[error("{name} not found {place}")]
    Absent {
        name: &'static str,
        /// The places that were searched.
        place: String,
    },
    #[error("{found} is older than the server ({major}) and cannot read it")]
    TooOld {
        /// The newest program found.
        found: Box<ClientProgram>,
        /// The major version of the server.
        major: i32,
    },
}

impl From<ClientProgramError> for Diagnostic {
    fn from(error: ClientProgramError) -> Self {
        let first = match &error {
            ClientProgramError::Absent { name, .. } => {
                format!("first install {name}, or specify its directory with --pg-bin")
            }
            ClientProgramError::TooOld { major, .. } => format!(
                "first install the client programs of PostgreSQL {major} or newer, or specify their directory with --pg-bin"
            ),
        };
        Self::of(ExitStatus::Usage, &error, Some(rerun(first)))
    }
}

impl ClientProgram {
    /// Finds a program at least as new as a server of version `major`: in `folder` if given, else one of the server's version among
    /// the installed server binaries, else the first newer one. Blocks.
    ///
    /// # Errors
    /// When no program is found, or only older ones.
    pub fn find(
        name: &'static str,
        folder: Option<&Path>,
        major: i32,
    ) -> Result<Self, ClientProgramError> {
        let mut newer: Option<Self> = None;
        let mut newest: Option<Self> = None;
        for found in Self::all(name, folder) {
            // A newer pg_dump writes settings that an older server does not know, so the same version is preferred.
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
                    None => "in PATH, with pg_config, or in the usual directories".to_owned(),
                },
            },
        })
    }

    /// The program to use when the server's version is unknown. Blocks.
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

    /// Parses `pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
    fn parse(name: &str, path: PathBuf, text: &str) -> Option<Self> {
        let version = text.strip_prefix(name)?.strip_prefix(" (PostgreSQL) ")?;
        let version = version.split_whitespace().next()?.to_owned();
        let major = major(&version);
        (major > 0).then_some(Self {
            path,
            version,
            major,
        })
    }

    /// A command that runs the program on files.
    pub fn on_files(&self) -> std::process::Command {
        command(&self.path)
    }

    /// A command that runs the program against the database of a watch. The address and the password are in its environment, which other
    /// users of the machine cannot read. The program ends when the command is dropped.
    pub fn against(&self, watch: &ClientWatch) -> tokio::process::Command {
        let mut command = tokio::process::Command::from(command(&self.path));
        command
            .envs(watch.environment())
            .env("PGAPPNAME", watch.application())
            // Ctrl-C signals the whole foreground process group; the orchestrator ends the program itself.
            .process_group(0)
            .kill_on_drop(true);
        command
    }
}

/// The exit code of a failed client program. Parses the text, because client programs print no SQLSTATE.
pub fn exit_status_of(said: &str) -> ExitStatus {
    const LOST: [&str; 9] = [
        "connection to server",
        "server closed the connection",
        "connection has been closed",
        "no connection to the server",
        "could not send data to server",
        "could not receive data from server",
        "terminating connection",
        "the database system is",
        "SSL SYSCALL error",
    ];
    if is_locked(said) || is_of_full_server(said) || LOST.iter().any(|part| said.contains(part)) {
        ExitStatus::Unavailable
    } else if said.contains(PERMISSION_DENIED) {
        ExitStatus::Refused
    } else {
        ExitStatus::Failed
    }
}

/// Whether the server has no free connection, including connection limits of roles and databases.
pub fn is_of_full_server(said: &str) -> bool {
    [
        "too many clients",
        "too many connections",
        "remaining connection slots",
        "the database system is starting up",
    ]
    .iter()
    .any(|part| said.contains(part))
}

/// Whether a lock was not acquired in time.
pub fn is_locked(said: &str) -> bool {
    ["statement timeout", "lock timeout", "could not obtain lock"]
        .iter()
        .any(|part| said.contains(part))
}

/// The message of the server. A file that cannot be accessed has a capital letter.
const PERMISSION_DENIED: &str = "permission denied";

/// The next command when a client program reports a missing privilege. Parses the text, because client programs print no SQLSTATE.
pub fn without_right(said: &str, address: &DatabaseAddress) -> Option<String> {
    said.contains(PERMISSION_DENIED).then(|| {
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

/// The major version of a server or a program, from a text such as `15.18` or `19devel`; 0 if there is none.
pub fn major(version: &str) -> i32 {
    let digits = version.find(|c: char| !c.is_ascii_digit());
    let digits = &version[..digits.unwrap_or(version.len())];
    digits.parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_parsed() {
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
