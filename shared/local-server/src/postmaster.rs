//! Detects whether a server runs on a data folder.
//!
//! Responsible for: `postmaster.pid`, and the lock by which a running server is recognized: the server
//! inherits its log file with a lock on it as standard output, so the system holds that lock exactly
//! as long as any of its processes lives. Unlike a process number it cannot be stale after a crash of
//! the machine, nor be recycled, and it is seen from other containers.
//! Not for: starting and stopping.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use super::account::{self, Account};
use super::error::LocalServerError;
use super::files;
use pg_address::clean_command;

/// How long processes of a dead server may take to notice its death.
const DRAIN_LIMIT: Duration = Duration::from_secs(30);
/// How long recovery after a crash may take before we stop waiting for it.
pub(super) const START_LIMIT: Duration = Duration::from_secs(120);
/// A longer log is renamed at the next start.
const LOG_LIMIT: u64 = 16 * 1024 * 1024;

/// The content of `postmaster.pid` (PostgreSQL's `miscadmin.h`, `LOCK_FILE_LINE_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PidFile {
    /// The server's main process.
    pub(super) pid: u32,
    pub(super) port: u16,
    /// Whether it accepts connections.
    pub(super) ready: bool,
}

impl PidFile {
    /// Reads the file of a data folder. The server writes it in steps: an incomplete one counts as missing.
    pub(super) fn read(data_dir: &Path) -> Result<Option<Self>, LocalServerError> {
        Ok(files::read(&path(data_dir))?.and_then(|text| Self::parse(&text)))
    }

    fn parse(text: &str) -> Option<Self> {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        Some(Self {
            // A negative number belongs to a single-user backend.
            pid: lines.first()?.parse().ok()?,
            port: lines.get(3)?.parse().ok()?,
            ready: lines.get(7).is_some_and(|status| *status == "ready"),
        })
    }
}

/// The state of the server of one data folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// No process uses the data; a stale `postmaster.pid` may exist.
    Stopped,
    /// The main process is alive and not ready yet (or about to exit).
    Busy(Option<PidFile>),
    /// It accepts connections.
    Ready(PidFile),
    /// The main process is gone, others still use the data.
    Leftovers,
}

/// Determines the state from a data folder and the log of its server.
pub(super) fn state(data_dir: &Path, log: &Path) -> Result<State, LocalServerError> {
    let held = is_held(log)?;
    let file = PidFile::read(data_dir)?;
    Ok(match file {
        Some(file) if held && account::is_alive(file.pid) => by_readiness(file),
        Some(_) if held => State::Leftovers,
        // Before the server has written its file, and just before it exits.
        None if held => State::Busy(None),
        // It may have been started manually, without our log.
        Some(file) if is_postmaster_of(file.pid, data_dir) => by_readiness(file),
        _ => State::Stopped,
    })
}

fn by_readiness(file: PidFile) -> State {
    if file.ready {
        State::Ready(file)
    } else {
        State::Busy(Some(file))
    }
}

/// Opens the log of a server about to start, with the lock that the server will inherit.
///
/// Waits for processes of an earlier server: two servers on the same data would destroy them.
pub(super) fn lock_log(log: &Path, data_dir: &Path) -> Result<File, LocalServerError> {
    let file = open_log(log).map_err(LocalServerError::file("open", log))?;
    let deadline = Instant::now() + DRAIN_LIMIT;
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                thread::sleep(Duration::from_millis(20))
            }
            Err(TryLockError::WouldBlock) => {
                return Err(LocalServerError::Leftovers {
                    data_dir: data_dir.to_owned(),
                    seconds: DRAIN_LIMIT.as_secs(),
                });
            }
            // A file system without locks: PostgreSQL's own checks must suffice.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => break,
            Err(TryLockError::Error(source)) => {
                return Err(LocalServerError::File {
                    action: "lock",
                    path: log.to_owned(),
                    source,
                });
            }
        }
    }
    if file
        .metadata()
        .is_ok_and(|metadata| metadata.len() > LOG_LIMIT)
    {
        let aside = log.with_extension("log.old");
        fs::rename(log, &aside).map_err(LocalServerError::file("rename", log))?;
        return lock_log(log, data_dir);
    }
    Ok(file)
}

fn open_log(log: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(log)?;
    if let Some(folder) = log.parent() {
        account::give_to_owner_of(folder, log)?;
    }
    Ok(file)
}

/// Removes the leftovers of a killed server, and creates its socket folder. Only under the lock of its log.
///
/// PostgreSQL refuses to start when the number in `postmaster.pid` or beside the socket has become another
/// process's of the same user, or that of a zombie process.
pub(super) fn clear_traces(
    data_dir: &Path,
    socket_dir: &Path,
    account: &Account,
) -> Result<(), LocalServerError> {
    files::remove(&path(data_dir))?;
    files::remove(socket_dir)?;
    files::create_folder(socket_dir, 0o700)
        .and_then(|()| account.own(socket_dir))
        .map_err(LocalServerError::file("create", socket_dir))
}

/// The reason of a failed start from the log since `offset`: the decisive line, else the last one.
pub(super) fn failure_in(log: &Path, offset: u64) -> String {
    let mut text = Vec::new();
    let read = File::open(log).and_then(|mut file| {
        file.seek(SeekFrom::Start(offset))?;
        file.take(64 * 1024).read_to_end(&mut text)
    });
    if read.is_err() {
        return "its log cannot be read".to_owned();
    }
    let text = String::from_utf8_lossy(&text);
    decisive_lines(&text)
}

/// The error among many lines of output. The end of a log ("could not start server") is the least informative, and the
/// reason for a fatal error ("could not create any TCP/IP sockets") is often in an earlier message.
pub(super) fn decisive_lines(text: &str) -> String {
    let after = |line: &str, mark: &str| {
        let message = line.split_once(mark)?.1;
        Some(message.trim().to_owned())
    };
    let first = |mark: &str| text.lines().find_map(|line| after(line, mark));
    let fatal = ["PANIC:", "FATAL:", "error:", "initdb: "]
        .into_iter()
        .find_map(first);
    let reason = text.lines().find_map(|line| {
        let message = after(line, "LOG:  ")?;
        let causes = [
            "could not",
            "invalid",
            "unrecognized",
            "syntax error",
            "parameter",
        ];
        causes
            .iter()
            .any(|cause| message.starts_with(cause))
            .then_some(message)
    });
    match (fatal, reason) {
        (Some(fatal), Some(reason)) => format!("{fatal} ({reason})"),
        (Some(message), None) | (None, Some(message)) => message,
        (None, None) => {
            let last = text.lines().map(str::trim).rfind(|line| !line.is_empty());
            last.unwrap_or("it printed nothing").to_owned()
        }
    }
}

/// Whether any process of a server has the log open with its lock.
fn is_held(log: &Path) -> Result<bool, LocalServerError> {
    let opened = files::optional(File::open(log)).map_err(LocalServerError::file("open", log))?;
    // Shared, so that two concurrent checks do not mistake each other for a server.
    Ok(opened.is_some_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))))
}

/// Whether a process number from `postmaster.pid` is a server of this folder, not a recycled number.
fn is_postmaster_of(pid: u32, data_dir: &Path) -> bool {
    if !account::is_alive(pid) || program_name(pid).is_none_or(|name| name != "postgres") {
        return false;
    }
    // The main process works in its data folder. Root in a container may not read it: trust the name.
    match (
        fs::metadata(format!("/proc/{pid}/cwd")),
        fs::metadata(data_dir),
    ) {
        (Ok(cwd), Ok(data)) => (cwd.dev(), cwd.ino()) == (data.dev(), data.ino()),
        _ => true,
    }
}

fn program_name(pid: u32) -> Option<String> {
    if let Ok(name) = fs::read_to_string(format!("/proc/{pid}/comm")) {
        return Some(name.trim().to_owned());
    }
    let output = clean_command("ps")
        .args(["-o", "comm=", "-p", &pid.to_string()])
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let path = String::from_utf8(output.stdout).ok()?;
    Some(Path::new(path.trim()).file_name()?.to_str()?.to_owned())
}

fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("postmaster.pid")
}

#[cfg(test)]
mod tests {
    use super::*;

    const READY: &str =
        "4711\n/x/data\n1700000000\n15432\n/x/socket\n127.0.0.1\n  123 456\nready   \n";

    #[test]
    fn the_pid_file_is_read_as_the_server_writes_it() {
        let file = PidFile::parse(READY).unwrap();
        assert_eq!(
            file,
            PidFile {
                pid: 4711,
                port: 15_432,
                ready: true
            }
        );
        let starting = PidFile::parse(&READY.replace("ready   ", "starting")).unwrap();
        assert!(!starting.ready);
        assert_eq!(PidFile::parse("4711\n/x/data\n"), None);
        assert_eq!(PidFile::parse(""), None);
    }

    #[test]
    fn a_recycled_process_number_is_not_taken_for_a_server() {
        let folder = tempfile::tempdir().unwrap();
        let text = READY.replace("4711", &std::process::id().to_string());
        fs::write(path(folder.path()), text).unwrap();
        let log = folder.path().join("server.log");
        assert_eq!(state(folder.path(), &log).unwrap(), State::Stopped);
    }

    #[test]
    fn a_locked_log_means_that_processes_still_use_the_data() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("server.log");
        let held = lock_log(&log, folder.path()).unwrap();
        assert_eq!(state(folder.path(), &log).unwrap(), State::Busy(None));
        fs::write(path(folder.path()), READY.replace("4711", "2147483647")).unwrap();
        assert_eq!(state(folder.path(), &log).unwrap(), State::Leftovers);
        drop(held);
        assert_eq!(state(folder.path(), &log).unwrap(), State::Stopped);
    }

    #[test]
    fn a_failed_start_reports_its_cause() {
        let log = "2026 [1] LOG:  could not bind IPv4 address \"127.0.0.1\": Address already in use\n\
                   2026 [1] HINT:  Is another postmaster already running?\n\
                   2026 [1] FATAL:  could not create any TCP/IP sockets\n\
                   stopped waiting\npg_ctl: could not start server\n";
        assert_eq!(
            decisive_lines(log),
            "could not create any TCP/IP sockets (could not bind IPv4 address \"127.0.0.1\": Address already in use)"
        );
        assert_eq!(decisive_lines("\n one \n\n"), "one");
        assert_eq!(decisive_lines(""), "it printed nothing");
    }
}
