//! What can be wrong with the configuration.
//!
//! Responsible for: one error per mistake, naming the file and key or the variable. All of them end the program with
//! the exit code for usage and configuration. Floor 1.

use std::io;
use std::path::PathBuf;

use service_layout::files::FileError;

use super::Origin;
use super::address::AddressError;

/// A mistake in the configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file given with `--config` does not exist.
    #[error("the configuration file {} does not exist; check --config", .file.display())]
    Missing {
        /// The file as given.
        file: PathBuf,
    },
    /// A configuration file cannot be read.
    #[error("cannot read the configuration file {}", .file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// A configuration file is not TOML, or a value in it has the wrong type.
    #[error("the configuration file {} is not valid: {problem}", .file.display())]
    Invalid {
        /// The file.
        file: PathBuf,
        /// Where and why, without the text itself.
        problem: String,
    },
    /// A configuration file has a key that means nothing.
    #[error("unknown key `{key}` in {}; known here: {known}", .file.display())]
    UnknownKey {
        /// The file.
        file: PathBuf,
        /// The whole key, with dots.
        key: String,
        /// The keys that may stand there.
        known: String,
    },
    /// A value that the setting does not take.
    #[error("{origin} is \"{value}\", but must be {expected}")]
    InvalidValue {
        /// Where the value stands.
        origin: Origin,
        /// The value as written.
        value: String,
        /// What the setting takes.
        expected: &'static str,
    },
    /// Nothing defines the environment: it may be a misspelled one.
    #[error("{origin} is \"{name}\", {problem}; environments here: {known}")]
    UnknownEnvironment {
        /// Where the name stands.
        origin: Origin,
        /// The name as written.
        name: String,
        /// Why it is none, and which one was probably meant.
        problem: String,
        /// The environments that exist.
        known: String,
    },
    /// The address of a database is wrong.
    #[error("the database address from {origin} is not usable")]
    Address {
        /// Where the address stands.
        origin: Origin,
        /// What is wrong with it.
        #[source]
        source: AddressError,
    },
    /// `DATABASE_URL` names one database, but several services were selected.
    #[error(
        "{origin} is for one service, but several are selected; unset it and use ORCHESTRATOR_SERVER_URL for one server, or <SERVICE>_DATABASE_URL for each service"
    )]
    DatabaseUrlForMany {
        /// The variable or flag.
        origin: Origin,
    },
    /// In production no server is assumed.
    #[error(
        "no database server is configured for {service}, and in production none is assumed; set {variable}, ORCHESTRATOR_SERVER_URL, DB_HOST or PGHOST, or `server.url` in config/{environment}.toml"
    )]
    NotConfigured {
        /// The service.
        service: String,
        /// The variable for this service alone.
        variable: String,
        /// The name of the environment.
        environment: String,
    },
    /// In production an address forbids TLS to another machine.
    #[error(
        "{origin} forbids TLS to {server} (sslmode=disable), and production requires it; use sslmode=verify-full, or set `require_tls = false` under [production] if the network is trusted"
    )]
    PlaintextInProduction {
        /// Where the address stands.
        origin: Origin,
        /// The server, without its password.
        server: String,
    },
    /// Outside a project there is no local server.
    #[error(
        "no database server is configured for {service}, and {} is not in a project (a folder with services/ or config/), where a local one would be started; set {variable}, ORCHESTRATOR_SERVER_URL, DB_HOST or PGHOST", .folder.display()
    )]
    OutsideProject {
        /// The service.
        service: String,
        /// The variable for this service alone.
        variable: String,
        /// The current folder.
        folder: PathBuf,
    },
    /// A file names two databases for one service.
    #[error(
        "`services.{service}` in {} names two databases, \"{url}\" in `url` and \"{database}\" in `database`; remove one", .file.display()
    )]
    TwoDatabases {
        /// The file.
        file: PathBuf,
        /// The service.
        service: String,
        /// The database in the URL.
        url: String,
        /// The database beside it.
        database: String,
    },
}

impl ConfigError {
    /// A file that is there, and cannot be read.
    pub(super) fn unreadable(error: FileError) -> Self {
        Self::Unreadable {
            file: error.path.clone(),
            source: error.into(),
        }
    }
}
