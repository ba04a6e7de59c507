//! What can be wrong with the address of a database.
//!
//! Responsible for: one error per mistake, without any of the text that could not be read: it may be a part of the password that
//! is not encoded or quoted. Not for: saying where the address came
//! from, which `config::ConfigError` adds. Floor 1.

use std::io;
use std::path::PathBuf;

use service_layout::files::FileError;

/// A mistake in the address of a database.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// The text is neither a URL nor a `key=value` string.
    #[error(
        "neither a postgres:// address nor a key=value string; write postgres://user@host:5432/database"
    )]
    NotAnAddress,
    /// The URL is for another kind of server.
    #[error("addresses begin with postgres:// or postgresql://")]
    Scheme,
    /// The text breaks the rules of URLs or of `key=value` strings.
    #[error("{problem}")]
    Syntax {
        /// What is wrong and how to write it.
        problem: &'static str,
    },
    /// libpq has no such key.
    #[error(
        "unknown key{}; PostgreSQL's connection parameters are host, port, user, password, dbname, sslmode, …",
        .meant.map(|key| format!("; did you mean `{key}`?")).unwrap_or_default()
    )]
    UnknownKey {
        /// The known key that is spelled most like it.
        meant: Option<&'static str>,
    },
    /// libpq has the key, this program cannot honour it.
    #[error("`{key}` is not supported: {because}")]
    Unsupported {
        /// The key as written.
        key: &'static str,
        /// Why, and what to do instead.
        because: &'static str,
    },
    /// A value that the key does not take.
    #[error("`{key}` must be {expected}")]
    InvalidValue {
        /// The key; never `password`.
        key: &'static str,
        /// What it takes.
        expected: &'static str,
    },
    /// `host`, `hostaddr` and `port` are lists of different lengths.
    #[error("{count} values in `{key}` for {hosts} hosts; give one for each host")]
    UnevenLists {
        /// The list that does not fit.
        key: &'static str,
        /// Its length.
        count: usize,
        /// How many hosts there are.
        hosts: usize,
    },
    /// No service file defines the service.
    #[error("the service \"{service}\" is not defined in {}; add a [{service}] section or unset PGSERVICE", searched(.files))]
    UnknownService {
        /// The name of the service.
        service: String,
        /// The service files that were looked for.
        files: Vec<PathBuf>,
    },
    /// A line of a service file is not `key=value`.
    #[error("{}:{line} is not a key=value line of a service file", .file.display())]
    ServiceFileLine {
        /// The service file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// A file that the address needs cannot be read.
    #[error("cannot read {}; check that it exists and that this user may read it", .file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// Nothing names a user, and the operating system does not either.
    #[error(
        "no user is given and the operating system has no name for this one; add user@ to the address or set PGUSER"
    )]
    NoUser,
}

fn searched(files: &[PathBuf]) -> String {
    if files.is_empty() {
        return "any service file (there is none)".to_owned();
    }
    let names: Vec<String> = files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    names.join(" or ")
}

impl From<FileError> for AddressError {
    fn from(error: FileError) -> Self {
        Self::Unreadable {
            file: error.path.clone(),
            source: error.into(),
        }
    }
}
