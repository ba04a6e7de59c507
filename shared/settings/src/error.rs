//! Configuration errors.
//!
//! One error per mistake, naming the file and key or the variable. All of them exit with the code for usage and
//! configuration.

use std::io;
use std::path::PathBuf;

use service_layout::files::FileError;

use super::Origin;
use domain::Diagnostic;
use pg_address::AddressError;

/// A configuration error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file specified with `--config` does not exist.
    #[error("the configuration file {} does not exist; check --config", .file.display())]
    Missing {
        /// The path as given.
        file: PathBuf,
    },
    #[error("cannot read the configuration file {}", .file.display())]
    Unreadable {
        /// The file's path.
        file: PathBuf,
        /// The operating system's error.
        #[source]
        source: io::Error,
    },
    #[error("the configuration file {} is not valid: {problem}", .file.display())]
    Invalid {
        /// The file's path.
        file: PathBuf,
        /// The position and the reason, without the file's text.
        problem: String,
    },
    #[error("unknown key `{key}` in {}; known keys: {known}", .file.display())]
    UnknownKey {
        /// The file's path.
        file: PathBuf,
        /// The full dotted key.
        key: String,
        /// The valid keys.
        known: String,
    },
    #[error("{origin} is \"{value}\", but must be {expected}")]
    InvalidValue {
        /// The origin of the value.
        origin: Origin,
        /// The value as written.
        value: String,
        /// The values that the setting accepts.
        expected: &'static str,
    },
    #[error("{origin} is \"{name}\", {problem}; known environments: {known}")]
    UnknownEnvironment {
        origin: Origin,
        /// The name as written.
        name: String,
        /// Why it is undefined, and a similar name.
        problem: String,
        /// The defined environments.
        known: String,
    },
    #[error("invalid database address from {origin}")]
    Address {
        /// The origin of the address.
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
    #[error(
        "no database server is configured for {service}, and production has no default; set {variable}, ORCHESTRATOR_SERVER_URL, DB_HOST or PGHOST, or `server.url` in config/{environment}.toml"
    )]
    NotConfigured {
        /// The service's name.
        service: String,
        /// The variable for this service alone.
        variable: String,
        environment: String,
    },
    #[error(
        "{origin} disables TLS to {server} (sslmode=disable), but production requires TLS; use sslmode=verify-full, or set `require_tls = false` under [production] if the network is trusted"
    )]
    PlaintextInProduction {
        /// The origin of the address.
        origin: Origin,
        /// The server, without its password.
        server: String,
    },
    #[error(
        "no database server is configured for {service}, and {} is not in a project (a folder with services/ or config/), so no local server is started; set {variable}, ORCHESTRATOR_SERVER_URL, DB_HOST or PGHOST", .folder.display()
    )]
    OutsideProject {
        /// The service's name.
        service: String,
        /// The variable for this service alone.
        variable: String,
        /// The current folder.
        folder: PathBuf,
    },
    #[error(
        "`services.{service}` in {} specifies two databases, \"{url}\" in `url` and \"{database}\" in `database`; remove one", .file.display()
    )]
    TwoDatabases {
        /// The file's path.
        file: PathBuf,
        /// The service's name.
        service: String,
        /// The database in `url`.
        url: String,
        /// The database in `database`.
        database: String,
    },
}

impl ConfigError {
    /// A file that exists but cannot be read.
    pub(super) fn unreadable(error: FileError) -> Self {
        Self::Unreadable {
            file: error.path.clone(),
            source: error.into(),
        }
    }
}

impl From<ConfigError> for Diagnostic {
    fn from(error: ConfigError) -> Self {
        Self::invalid(&error)
    }
}
