//! The local server: the project's own PostgreSQL, started when needed and left running.
//!
//! Responsible for: starting it once for any number of processes, stopping, status, reset.
//! Not for: deciding whether a local server is used, or connecting to it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::account::{self, Account};
use super::binaries::Binaries;
use super::cluster::{self, Purpose};
use super::error::LocalServerError;
use super::files;
use super::home::{self, Home};
use super::lock::FileLock;
use super::port;
use super::postmaster::{self, PidFile, START_LIMIT, State};
use super::running::{Origin, Running, Status, password, running};
use super::settings;

/// Another process may be in the middle of an `initdb` on a slow disk, a recovery, or a stop.
const LOCK_LIMIT: Duration = Duration::from_secs(180);
const STOP_LIMIT: Duration = Duration::from_secs(60);
/// How many ports are tried if other programs take them between our check and the server's bind.
const PORT_TRIES: usize = 8;
const POLL: Duration = Duration::from_millis(20);

/// The server of a project's folder, created or not.
#[derive(Debug, Clone)]
pub struct LocalServer {
    folder: PathBuf,
}

impl LocalServer {
    /// The server that keeps its files in `folder` (`.local` in the project's folder), or has there a file
    /// `location` that points to them. Nothing is touched yet.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        let absolute = std::path::absolute(&folder).unwrap_or(folder);
        // Two paths to one folder must give one server; the folder itself may not exist yet.
        let resolved = fs::canonicalize(&absolute).ok().or_else(|| {
            let parent = fs::canonicalize(absolute.parent()?).ok()?;
            Some(parent.join(absolute.file_name()?))
        });
        Self {
            folder: resolved.unwrap_or(absolute),
        }
    }

    /// The folder it was made for.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The running server; starts it, with binaries found by [`Binaries::find_for`], if it does not run.
    ///
    /// # Errors
    /// As of [`Binaries::find`] and [`start`](Self::start).
    pub fn ensure_running(&self, pg_bin: Option<&Path>) -> Result<Running, LocalServerError> {
        let major = match self.status()? {
            Status::Running(running) => return Ok(running),
            Status::Stopped { major, .. } => Some(major),
            Status::NotCreated | Status::Starting { .. } => None,
        };
        self.start(&Binaries::find_for(pg_bin, major)?)
    }

    /// Starts the server, creating its data first if they are missing. One of several processes does it, the
    /// others wait and get the same server. It keeps running when the caller exits.
    ///
    /// # Errors
    /// When the binaries do not match the data, the folder belongs to another user, or PostgreSQL fails to start.
    pub fn start(&self, binaries: &Binaries) -> Result<Running, LocalServerError> {
        if let Status::Running(running) = self.status()? {
            return Ok(running);
        }
        home::prepare_project(&self.folder)?;
        let _lock = self.lock()?;
        let (home, account, origin) = match Home::find(&self.folder)? {
            Some(home) => {
                home.confirm(&self.folder)?;
                let account = home.account()?;
                (home, account, Origin::Started)
            }
            None => self.create(binaries)?,
        };
        if let Some(file) = wait_until_decided(&home)? {
            return running(&home, file, Origin::AlreadyRunning);
        }
        cluster::check_major(&home.data_dir(), binaries)?;
        // An initdb whose caller was killed may have kept writing while the next process cleaned up.
        cluster::remove_unfinished(home.folder(), "data");
        if !account.can_enter(home.folder()) {
            return Err(LocalServerError::Unreachable {
                folder: home.folder().to_owned(),
                user: account.name(),
            });
        }
        let file = self.launch(&home, &account, binaries)?;
        running(&home, file, origin)
    }

    /// Stops the server in PostgreSQL's "fast" way: clients are disconnected, nothing is lost. Returns whether
    /// a server was running.
    ///
    /// # Errors
    /// When it belongs to another user, or does not stop within a minute.
    pub fn stop(&self) -> Result<bool, LocalServerError> {
        if !self.exists()? {
            return Ok(false);
        }
        let _lock = self.lock()?;
        match Home::find(&self.folder)? {
            Some(home) => stop(&home),
            None => Ok(false),
        }
    }

    /// Queries the server; changes nothing, and does not wait for other processes that work on it.
    ///
    /// # Errors
    /// When its files cannot be read.
    pub fn status(&self) -> Result<Status, LocalServerError> {
        let Some(home) = Home::find(&self.folder)? else {
            return Ok(Status::NotCreated);
        };
        let data_dir = home.data_dir();
        Ok(match postmaster::state(&data_dir, &home.log())? {
            State::Ready(file) => Status::Running(running(&home, file, Origin::AlreadyRunning)?),
            State::Busy(file) => Status::Starting {
                data_dir,
                pid: file.map(|file| file.pid),
            },
            State::Stopped | State::Leftovers => {
                let major = cluster::major_of(&data_dir)?;
                Status::Stopped {
                    data_dir,
                    major,
                    port: recorded_port(&home)?,
                }
            }
        })
    }

    /// Stops the server and removes all of its data; refuses a folder that was not created here.
    ///
    /// # Errors
    /// When it cannot be stopped, or its files cannot be removed.
    pub fn reset(&self) -> Result<(), LocalServerError> {
        if !self.exists()? {
            return Ok(());
        }
        let _lock = self.lock()?;
        match Home::claimed(&self.folder)? {
            Some(home) => {
                stop(&home)?;
                home.remove(&self.folder)
            }
            None => home::remove_files(&self.folder),
        }
    }

    /// The password of the superuser [`SUPERUSER`](settings::SUPERUSER), if the server was created.
    ///
    /// # Errors
    /// When its file cannot be read or is gone.
    pub fn password(&self) -> Result<Option<String>, LocalServerError> {
        Home::find(&self.folder)?
            .map(|home| password(&home))
            .transpose()
    }

    /// Whether its folder is there, and ours.
    fn exists(&self) -> Result<bool, LocalServerError> {
        home::check_ours(&self.folder)?;
        files::is_folder(&self.folder)
    }

    fn lock(&self) -> Result<FileLock, LocalServerError> {
        FileLock::acquire(&self.folder.join("lock"), LOCK_LIMIT)
    }

    fn create(&self, binaries: &Binaries) -> Result<(Home, Account, Origin), LocalServerError> {
        let metadata =
            fs::metadata(&self.folder).map_err(LocalServerError::file("read", &self.folder))?;
        let new = Account::for_new_server(&metadata)?;
        let home = Home::choose(&self.folder, &new, &home::LASTING)?;
        if files::is_folder(&home.data_dir())? {
            // The project lost its `location`, and has just rediscovered its home.
            let account = home.account()?;
            return Ok((home, account, Origin::Started));
        }
        // Before the data: a crash between the two must not leave data without their password.
        let password = files::random_hex::<16>()?;
        files::write(home.folder(), "password", &format!("{password}\n"), 0o600)?;
        cluster::create(
            binaries,
            &new,
            home.folder(),
            "data",
            &password,
            Purpose::Lasting,
        )?;
        Ok((home, new, Origin::Created))
    }

    /// Starts the server's process. The caller holds the lock and has found that none runs.
    fn launch(
        &self,
        home: &Home,
        account: &Account,
        binaries: &Binaries,
    ) -> Result<PidFile, LocalServerError> {
        let (data_dir, log_path, socket_dir) = (home.data_dir(), home.log(), home.socket_dir());
        // Do not start a server that could not be used afterwards: it would only be in the way.
        password(home)?;
        if !files::is_file(&home.configuration())? {
            files::write(
                home.folder(),
                "server.conf",
                settings::LOCAL_CONFIGURATION,
                0o644,
            )?;
        }
        let log = postmaster::lock_log(&log_path, &data_dir)?;
        postmaster::clear_traces(&data_dir, &socket_dir, account)?;
        let range = port::local_range();
        let seed = port::stable_hash(&self.folder);
        let program = binaries.needed("pg_ctl");
        for port in port::free_ports(range.clone(), recorded_port(home)?, seed).take(PORT_TRIES) {
            let offset = log.metadata().map_or(0, |metadata| metadata.len());
            let options = settings::shell_options(&[
                ("config_file", &home.configuration().to_string_lossy()),
                ("port", &port.to_string()),
                ("listen_addresses", "127.0.0.1"),
                (
                    "unix_socket_directories",
                    &settings::socket_directories(&socket_dir),
                ),
            ]);
            let limit = START_LIMIT.as_secs().to_string();
            let started = log
                .try_clone()
                .and_then(|output| Ok((output, log.try_clone()?)))
                .and_then(|(output, errors)| {
                    account
                        .command(&program)
                        // Through the environment, because pg_ctl passes its arguments to a shell.
                        .env("PGDATA", &data_dir)
                        .args([
                            "start",
                            "--wait",
                            "--timeout",
                            &limit,
                            "--options",
                            &options,
                        ])
                        .stdout(output)
                        .stderr(errors)
                        .status()
                })
                .map_err(|source: io::Error| LocalServerError::Program {
                    program: program.clone(),
                    user: account.name(),
                    source,
                })?;
            match PidFile::read(&data_dir)? {
                Some(file) if started.success() && file.ready => {
                    files::write(home.folder(), "port", &format!("{port}\n"), 0o644)?;
                    return Ok(file);
                }
                Some(file) if account::is_alive(file.pid) => {
                    return Err(LocalServerError::StillStarting {
                        seconds: START_LIMIT.as_secs(),
                        log: log_path,
                    });
                }
                _ => {}
            }
            let message = postmaster::failure_in(&log_path, offset);
            if !message.contains("TCP/IP socket") {
                return Err(LocalServerError::Start {
                    message,
                    log: log_path,
                });
            }
        }
        Err(LocalServerError::NoFreePort {
            first: *range.start(),
            last: *range.end(),
        })
    }
}

/// Waits while a server starts or stops; returns it if it became ready, `None` if none remains.
fn wait_until_decided(home: &Home) -> Result<Option<PidFile>, LocalServerError> {
    let deadline = Instant::now() + START_LIMIT;
    loop {
        match postmaster::state(&home.data_dir(), &home.log())? {
            State::Ready(file) => return Ok(Some(file)),
            // Locking the log waits for leftover processes.
            State::Stopped | State::Leftovers => return Ok(None),
            State::Busy(_) if Instant::now() < deadline => thread::sleep(POLL),
            State::Busy(_) => {
                return Err(LocalServerError::StillStarting {
                    seconds: START_LIMIT.as_secs(),
                    log: home.log(),
                });
            }
        }
    }
}

fn stop(home: &Home) -> Result<bool, LocalServerError> {
    let (data_dir, log) = (home.data_dir(), home.log());
    let state = || postmaster::state(&data_dir, &log);
    let mut signalled = None;
    let deadline = Instant::now() + STOP_LIMIT;
    loop {
        let file = match state()? {
            State::Stopped => return Ok(signalled.is_some()),
            State::Ready(file) => Some(file),
            State::Busy(file) => file,
            State::Leftovers => None,
        };
        // A server that starts during the check must be signaled too.
        if let Some(file) = file.filter(|file| signalled != Some(file.pid)) {
            let sent = home.account()?.signal(file.pid, Signal::SIGINT);
            if let Err(source) = sent
                && matches!(state()?, State::Ready(_) | State::Busy(Some(_)))
            {
                return Err(LocalServerError::Signal {
                    pid: file.pid,
                    source,
                });
            }
            signalled = Some(file.pid);
        }
        if Instant::now() >= deadline {
            return Err(match signalled {
                Some(pid) => LocalServerError::StillRunning {
                    pid,
                    seconds: STOP_LIMIT.as_secs(),
                    log,
                },
                None => LocalServerError::Leftovers {
                    data_dir,
                    seconds: STOP_LIMIT.as_secs(),
                },
            });
        }
        thread::sleep(POLL);
    }
}

/// The port of the last start. Invalid content counts as not recorded.
fn recorded_port(home: &Home) -> Result<Option<u16>, LocalServerError> {
    Ok(files::read(&home.port())?
        .and_then(|text| text.trim().parse().ok())
        .filter(|port| *port != 0))
}
