//! Allows only one process at a time to work on a server.
//!
//! Responsible for: a file lock with a time limit that names its holder. The system releases it when
//! the holder dies. Not for: the lock by which a running server is recognized (`postmaster`).

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::account;
use super::error::LocalServerError;

const POLL: Duration = Duration::from_millis(20);

/// A held lock; dropping it releases it. The file stays: removing it would let two processes hold two
/// files of the same name.
#[derive(Debug)]
pub(super) struct FileLock {
    _file: File,
}

impl FileLock {
    /// Waits for the lock of a file in an existing folder, at most for `limit`.
    pub(super) fn acquire(path: &Path, limit: Duration) -> Result<Self, LocalServerError> {
        let mut file = open(path).map_err(LocalServerError::file("open the lock file", path))?;
        let started = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if started.elapsed() < limit => thread::sleep(POLL),
                Err(TryLockError::WouldBlock) => {
                    let mut holder = String::new();
                    let known = file.read_to_string(&mut holder).is_ok() && !holder.is_empty();
                    return Err(LocalServerError::Busy {
                        holder: if known {
                            format!("process {}", holder.trim())
                        } else {
                            "a process".to_owned()
                        },
                        seconds: limit.as_secs(),
                        lock: path.to_owned(),
                    });
                }
                Err(TryLockError::Error(source)) => {
                    return Err(LocalServerError::File {
                        action: "lock",
                        path: path.to_owned(),
                        source,
                    });
                }
            }
        }
        // Only for the message above: a full disk must not prevent stopping a server.
        let _ = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Self { _file: file })
    }

    /// Acquires the lock if it is free.
    pub(super) fn try_acquire(path: &Path) -> Option<Self> {
        let file = open(path).ok()?;
        file.try_lock().ok()?;
        Some(Self { _file: file })
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    if let Some(folder) = path.parent() {
        account::give_to_owner_of(folder, path)?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_lock_is_waited_for_and_its_holder_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = FileLock::acquire(&path, Duration::from_secs(1)).unwrap();
        let error = FileLock::acquire(&path, Duration::from_millis(50)).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with(&format!("process {} ", std::process::id())),
            "{error}"
        );
        assert!(FileLock::try_acquire(&path).is_none());
        drop(held);
        FileLock::acquire(&path, Duration::from_secs(1)).unwrap();
        assert!(FileLock::try_acquire(&path).is_some());
    }
}
