//! Servers for tests and scratch, removed when their value is dropped.
//!
//! Responsible for: a fresh server in a fraction of a second, any number at once, killed and restarted
//! at will; removing those whose process was killed. Not for: data to keep, because nothing here
//! is flushed to the disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::account::{self, Account};
use super::binaries::Binaries;
use super::error::LocalServerError;
use super::files;
use super::lock::FileLock;
use super::place::{Place, remove_folder};
use super::port;
use super::postmaster::{self, PidFile, START_LIMIT};
use super::settings;

const STOP_LIMIT: Duration = Duration::from_secs(30);
const DROP_LIMIT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(4);
const PORT_TRIES: usize = 16;

/// The options of a throw-away server.
#[derive(Debug, Clone)]
pub struct TestClusterOptions {
    binaries: Binaries,
    cache: PathBuf,
    settings: Vec<(String, String)>,
    on_disk: bool,
}

impl TestClusterOptions {
    /// A server of these binaries. `cache` is a folder for prepared data and for the servers' files, shared by
    /// all tests (such as one below cargo's target folder).
    pub fn new(binaries: &Binaries, cache: impl Into<PathBuf>) -> Self {
        Self {
            binaries: binaries.clone(),
            cache: cache.into(),
            settings: Vec::new(),
            on_disk: false,
        }
    }

    /// Adds a setting, such as `max_prepared_transactions`; the last value of a name counts.
    #[must_use]
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// Keeps the server's files on the disk, for tests that write gigabytes. Otherwise they are in memory
    /// (`/dev/shm`) if the system has enough of it: creating a thousand files, as each database needs
    /// them, takes up to a second on a disk.
    #[must_use]
    pub fn on_disk(mut self) -> Self {
        self.on_disk = true;
        self
    }

    /// Starts such a server; first removes those whose process exited without doing so.
    ///
    /// # Errors
    /// When the data cannot be prepared or copied, or PostgreSQL does not start.
    pub fn start(self) -> Result<TestCluster, LocalServerError> {
        let place = Place::take(&self.binaries, &self.cache, !self.on_disk)?;
        for abandoned in &place.abandoned {
            abandoned.destroy();
        }
        let cluster = TestCluster {
            postgres: self.binaries.needed("postgres"),
            settings: self.settings,
            port: 0,
            password: place.password,
            server: Mutex::new(None),
            account: place.account,
            folder: place.folder,
            _owner: place.owner,
        };
        cluster.copy(&place.template)?;
        cluster.launch_on_free_port()
    }
}

/// A fresh PostgreSQL server with a superuser and nothing else in it, for tests and scratch. Dropping it stops
/// it and removes its files.
///
/// What was committed survives a crash of the server ([`stop_immediate`](Self::stop_immediate),
/// [`kill`](Self::kill)) unless `synchronous_commit` was set to `off`; it does not survive one of the machine.
#[derive(Debug)]
pub struct TestCluster {
    postgres: PathBuf,
    settings: Vec<(String, String)>,
    port: u16,
    password: String,
    server: Mutex<Option<Child>>,
    account: Account,
    folder: PathBuf,
    /// Locked by the system as long as this process lives: a process that finds it unlocked may clean up.
    _owner: FileLock,
}

impl TestCluster {
    /// The port on 127.0.0.1, the same for the server's whole life.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The password of the superuser [`SUPERUSER`](settings::SUPERUSER).
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The URL of one of its databases; `postgres` exists from the start.
    pub fn url(&self, database: &str) -> String {
        settings::url(&self.password, self.port, database)
    }

    /// The folder of the server's socket; none where its path would be too long for one.
    pub fn socket_dir(&self) -> Option<PathBuf> {
        let folder = self.folder.join("socket");
        settings::socket_fits(&folder).then_some(folder)
    }

    /// PostgreSQL's data folder.
    pub fn data_dir(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The server's log so far.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn log(&self) -> io::Result<String> {
        fs::read(self.log_path()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The server's main process, while it runs.
    pub fn postmaster_pid(&self) -> Option<u32> {
        let mut server = self.server();
        let child = server.as_mut()?;
        matches!(child.try_wait(), Ok(None)).then(|| child.id())
    }

    /// Restarts the server on its port after it was stopped or killed; does nothing while it runs.
    ///
    /// # Errors
    /// When PostgreSQL does not start, or another program took its port in the meantime.
    pub fn start(&self) -> Result<(), LocalServerError> {
        self.launch(self.port)
    }

    /// Stops the server in the "fast" way: clients are disconnected.
    ///
    /// # Errors
    /// When it does not end.
    pub fn stop(&self) -> Result<(), LocalServerError> {
        self.end(Signal::SIGINT, STOP_LIMIT)
    }

    /// Stops the server in the "immediate" way, as after a power failure: it recovers at the next start.
    ///
    /// # Errors
    /// When it does not end.
    pub fn stop_immediate(&self) -> Result<(), LocalServerError> {
        self.end(Signal::SIGQUIT, STOP_LIMIT)
    }

    /// Kills the main process (SIGKILL); the others notice and exit.
    ///
    /// # Errors
    /// When it does not end.
    pub fn kill(&self) -> Result<(), LocalServerError> {
        self.end(Signal::SIGKILL, STOP_LIMIT)
    }

    /// Stops the server in the "fast" way and restarts it.
    ///
    /// # Errors
    /// As of [`stop`](Self::stop) and [`start`](Self::start).
    pub fn restart(&self) -> Result<(), LocalServerError> {
        self.stop()?;
        self.start()
    }

    fn server(&self) -> MutexGuard<'_, Option<Child>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log_path(&self) -> PathBuf {
        self.folder.join("server.log")
    }

    fn copy(&self, template: &Path) -> Result<(), LocalServerError> {
        let data_dir = self.data_dir();
        files::create_folder(&data_dir, 0o700)
            .and_then(|()| self.account.own(&data_dir))
            .map_err(LocalServerError::file("create", &data_dir))?;
        let program = PathBuf::from("cp");
        let output = self
            .account
            .command(&program)
            .arg("-a")
            .arg(template.join("."))
            .arg(&data_dir)
            .output()
            .map_err(|source| LocalServerError::Program {
                program,
                user: self.account.name(),
                source,
            })?;
        if output.status.success() {
            return Ok(());
        }
        let message = String::from_utf8_lossy(&output.stderr)
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned();
        Err(LocalServerError::Copy { data_dir, message })
    }

    fn launch_on_free_port(mut self) -> Result<Self, LocalServerError> {
        let range = port::throwaway_range();
        // Spread at random: processes that start at the same moment should not try the same port.
        let seed = u64::from_str_radix(&files::random_hex::<7>()?, 16).unwrap_or_default();
        for port in port::free_ports(range.clone(), None, seed).take(PORT_TRIES) {
            self.port = port;
            match self.launch(port) {
                Err(LocalServerError::Start { message, .. })
                    if message.contains("TCP/IP socket") => {}
                Err(error) => return Err(error),
                Ok(()) => return Ok(self),
            }
        }
        Err(LocalServerError::NoFreePort {
            first: *range.start(),
            last: *range.end(),
        })
    }

    fn launch(&self, port: u16) -> Result<(), LocalServerError> {
        let mut server = self.server();
        if server
            .as_mut()
            .is_some_and(|child| matches!(child.try_wait(), Ok(None)))
        {
            return Ok(());
        }
        let (data_dir, log_path) = (self.data_dir(), self.log_path());
        let log = postmaster::lock_log(&log_path, &data_dir)?;
        postmaster::clear_traces(&data_dir, &self.folder.join("socket"), &self.account)?;
        let offset = log.metadata().map_or(0, |metadata| metadata.len());
        let failed = |source| LocalServerError::Program {
            program: self.postgres.clone(),
            user: self.account.name(),
            source,
        };
        let mut command = self.account.command(&self.postgres);
        command
            .arg("-D")
            .arg(&data_dir)
            .arg("-c")
            .arg(format!("port={port}"));
        let sockets = settings::socket_directories(&self.folder.join("socket"));
        command
            .arg("-c")
            .arg(format!("unix_socket_directories={sockets}"));
        for (name, value) in settings::THROWAWAY {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        for (name, value) in &self.settings {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        let errors = log.try_clone().map_err(failed)?;
        // Stored immediately, so that it ends with this value whatever happens next.
        let child = server.insert(command.stdout(log).stderr(errors).spawn().map_err(failed)?);
        // The command holds the log open, and with it the lock that marks the server as alive.
        drop(command);

        let deadline = Instant::now() + START_LIMIT;
        loop {
            if PidFile::read(&data_dir)?.is_some_and(|file| file.ready && file.pid == child.id()) {
                return Ok(());
            }
            if !matches!(child.try_wait(), Ok(None)) {
                let message = postmaster::failure_in(&log_path, offset);
                return Err(LocalServerError::Start {
                    message,
                    log: log_path,
                });
            }
            if Instant::now() >= deadline {
                return Err(LocalServerError::StillStarting {
                    seconds: START_LIMIT.as_secs(),
                    log: log_path,
                });
            }
            thread::sleep(POLL);
        }
    }

    fn end(&self, signal: Signal, limit: Duration) -> Result<(), LocalServerError> {
        let mut server = self.server();
        let Some(child) = server.as_mut() else {
            return Ok(());
        };
        let pid = child.id();
        // A child that has not been waited for keeps its pid, so this cannot hit another process.
        if matches!(child.try_wait(), Ok(None)) {
            account::send(pid, Some(signal))
                .map_err(|source| LocalServerError::Signal { pid, source })?;
        }
        let deadline = Instant::now() + limit;
        while matches!(child.try_wait(), Ok(None)) {
            if Instant::now() >= deadline {
                let (seconds, log) = (limit.as_secs(), self.log_path());
                return Err(LocalServerError::StillRunning { pid, seconds, log });
            }
            thread::sleep(POLL);
        }
        *server = None;
        Ok(())
    }
}

impl Drop for TestCluster {
    fn drop(&mut self) {
        if self.end(Signal::SIGQUIT, DROP_LIMIT).is_err() {
            let _ = self.end(Signal::SIGKILL, DROP_LIMIT);
        }
        remove_folder(&self.folder);
    }
}
