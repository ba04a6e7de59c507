//! Errors in a database address.
//!
//! One error per mistake, without the text that could not be parsed: it may be part of a password that is not encoded or
//! quoted. `config::ConfigError` adds the origin of the address.

use std::io;
use std::path::PathBuf;

use service_layout::files::FileError;

/// An error in a database address.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// The text is neither a URL nor a `key=value` string.
    #[error(
        "expected a postgres:// address or a key=value string, such as postgres://user@host:5432/database"
    )]
    NotAnAddress,
    #[error("the address must begin with postgres:// or postgresql://")]
    Scheme,
    /// The text violates the syntax of URLs or `key=value` strings.
    #[error("{problem}")]
    Syntax {
        /// What is wrong and how to write it.
        problem: &'static str,
    },
    #[error(
        "unknown key{}; known connection parameters: host, port, user, password, dbname, sslmode, …",
        .meant.map(|key| format!("; did you mean `{key}`?")).unwrap_or_default()
    )]
    UnknownKey {
        /// The most similar known key.
        meant: Option<&'static str>,
    },
    #[error("`{key}` is not supported: {because}")]
    Unsupported {
        /// The key as written.
        key: &'static str,
        /// The reason, and what to do instead.
        because: &'static str,
    },
    #[error("`{key}` must be {expected}")]
    InvalidValue {
        /// The key; never `password`.
        key: &'static str,
        /// The accepted values.
        expected: &'static str,
    },
    /// `host`, `hostaddr` and `port` are lists of different lengths.
    #[error("{count} values in `{key}` for {hosts} hosts; specify one per host")]
    UnevenLists {
        /// The list whose length differs.
        key: &'static str,
        /// Its length.
        count: usize,
        hosts: usize,
    },
    #[error("the service \"{service}\" is not defined in {}; add a [{service}] section or unset PGSERVICE", searched(.files))]
    UnknownService {
        service: String,
        /// The service files that were read.
        files: Vec<PathBuf>,
    },
    /// A line of a service file is not `key=value`.
    #[error("{}:{line}: expected a key=value line", .file.display())]
    ServiceFileLine {
        /// The service file.
        file: PathBuf,
        /// The line number, from 1.
        line: usize,
    },
    #[error("cannot read {}; check that it exists and that this user may read it", .file.display())]
    Unreadable {
        /// The file's path.
        file: PathBuf,
        /// The operating system's error.
        #[source]
        source: io::Error,
    },
    #[error(
        "no user specified, and the operating system has no name for the current user; add user@ to the address or set PGUSER"
    )]
    NoUser,
}

fn searched(files: &[PathBuf]) -> String {
    if files.is_empty() {
        return "any service file (none exists)".to_owned();
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
