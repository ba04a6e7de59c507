//! The state of a local server.
//!
//! Responsible for: the states that callers see, and what they need for connecting. Not for: detecting
//! (`postmaster`) or changing them (`server`).

use std::fmt;
use std::path::{Path, PathBuf};

use super::cluster;
use super::error::LocalServerError;
use super::files;
use super::home::Home;
use super::postmaster::PidFile;
use super::settings;

/// The result of [`LocalServer::status`](super::LocalServer::status).
#[derive(Debug)]
pub enum Status {
    /// No data exist.
    NotCreated,
    /// Data exist, but no server runs.
    Stopped {
        /// PostgreSQL's data folder.
        data_dir: PathBuf,
        /// Major version of the data.
        major: u32,
        /// The port of the last start, reused if it is free.
        port: Option<u16>,
    },
    /// The server is starting, recovering or stopping: it accepts no connections now.
    Starting {
        /// PostgreSQL's data folder.
        data_dir: PathBuf,
        /// Its main process, once known.
        pid: Option<u32>,
    },
    /// The server accepts connections.
    Running(Running),
}

/// How a running server was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    AlreadyRunning,
    /// This call started it on existing data.
    Started,
    /// This call created the data and started it.
    Created,
}

/// A server that accepts connections.
#[derive(Clone)]
pub struct Running {
    port: u16,
    socket_dir: Option<PathBuf>,
    data_dir: PathBuf,
    log: PathBuf,
    pid: u32,
    major: u32,
    password: String,
    origin: Origin,
}

impl Running {
    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of the server's socket; none where its path would be too long for one.
    pub fn socket_dir(&self) -> Option<&Path> {
        self.socket_dir.as_deref()
    }

    /// PostgreSQL's data folder.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// The server's log.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The server's main process.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The server's major version.
    pub fn major(&self) -> u32 {
        self.major
    }

    /// Whether this call started or created it.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// The password of the superuser [`SUPERUSER`](settings::SUPERUSER).
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The URL of one of its databases, with user and password: not for messages.
    pub fn url(&self, database: &str) -> String {
        settings::url(&self.password, self.port, database)
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Running")
            .field("port", &self.port)
            .field("socket_dir", &self.socket_dir)
            .field("data_dir", &self.data_dir)
            .field("pid", &self.pid)
            .field("major", &self.major)
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

/// Creates the state of a server that was found ready.
pub(super) fn running(
    home: &Home,
    file: PidFile,
    origin: Origin,
) -> Result<Running, LocalServerError> {
    let (data_dir, socket_dir) = (home.data_dir(), home.socket_dir());
    Ok(Running {
        port: file.port,
        // Computed from the current folder, which may have moved under the running server.
        socket_dir: socket_dir
            .join(format!(".s.PGSQL.{}", file.port))
            .exists()
            .then_some(socket_dir),
        major: cluster::major_of(&data_dir)?,
        data_dir,
        log: home.log(),
        pid: file.pid,
        password: password(home)?,
        origin,
    })
}

/// The superuser's password.
pub(super) fn password(home: &Home) -> Result<String, LocalServerError> {
    let path = home.password();
    match files::read(&path)? {
        Some(text) => Ok(text.trim().to_owned()),
        None => Err(LocalServerError::PasswordMissing { path }),
    }
}
