//! The directory of one backup.
//!
//! Sets its permissions, syncs it to disk, and removes it if the backup fails. Blocks.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use service_layout::files::{self, FileError, Found};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use uuid::Uuid;

use super::{BackupError, DumpFile, MANIFEST, Manifest};
use domain::with_causes;

/// The lock file, locked by every process that writes or reads the backup.
const LOCK: &str = "lock";

const STAMP: &[BorrowedFormatItem<'static>] =
    format_description!("[year][month][day]T[hour][minute][second]Z");

/// The directory of a backup in progress. It is removed if it is dropped before [`Self::finish`].
///
/// Its file `lock` is locked by this process and by each `pg_dump`, which inherits it. A directory without a manifest whose lock is
/// free was abandoned.
pub(super) struct BackupFolder {
    path: PathBuf,
    lock: File,
    is_finished: bool,
}

impl BackupFolder {
    /// Creates a new directory below `root` that only this user can read.
    pub(super) fn create(
        root: &Path,
        started_at: OffsetDateTime,
        run_id: Uuid,
    ) -> Result<Self, BackupError> {
        let stamp = started_at.format(STAMP).unwrap_or_default();
        let number = run_id.simple().to_string();
        let path = root.join(format!("{stamp}-{}", &number[number.len() - 8..]));
        let failed = |source| BackupError::Folder {
            path: root.to_owned(),
            source,
        };
        private().recursive(true).create(root).map_err(failed)?;
        private().create(&path).map_err(failed)?;
        let lock = OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(path.join(LOCK))
            .and_then(|lock| match lock.try_lock() {
                Ok(()) => Ok(lock),
                Err(error) => Err(error.into()),
            });
        match lock {
            Ok(lock) => Ok(Self {
                path,
                lock,
                is_finished: false,
            }),
            Err(source) => {
                let _ = fs::remove_dir_all(&path);
                Err(failed(source))
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The name of the directory.
    pub(super) fn name(&self) -> String {
        self.path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default()
    }

    /// The lock, to be inherited by a process that writes to the directory.
    pub(super) fn lock(&self) -> io::Result<File> {
        self.lock.try_clone()
    }

    /// Writes the manifest, which completes the backup.
    pub(super) fn finish(&mut self, manifest: &Manifest) -> Result<PathBuf, BackupError> {
        let path = manifest.write(&self.path)?;
        self.is_finished = true;
        let sealed = fs::set_permissions(&path, Permissions::from_mode(0o600))
            .and_then(|()| File::open(self.path.parent().unwrap_or(Path::new(".")))?.sync_all());
        if let Err(error) = sealed {
            tracing::warn!(error = %with_causes(&error), path = %path.display(), "cannot sync the backup directory to disk");
        }
        Ok(path)
    }
}

impl Drop for BackupFolder {
    fn drop(&mut self) {
        if !self.is_finished
            && let Err(error) = fs::remove_dir_all(&self.path)
        {
            tracing::warn!(
                error = %with_causes(&error),
                path = %self.path.display(),
                "cannot remove the directory of the failed backup; it does not contain a backup"
            );
        }
    }
}

fn private() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    builder
}

/// Locks a directory for removal. Returns `None` if a process writes or reads it, or if it has no lock file and thus was not
/// created by this program.
pub(super) fn claim(folder: &Path) -> Option<File> {
    let path = folder.join(LOCK);
    // O_NONBLOCK: opening a FIFO in its place must not block.
    files::is_file(&path).ok().filter(|is_there| *is_there)?;
    let lock = File::open(path).ok()?;
    lock.try_lock().ok()?;
    Some(lock)
}

/// Makes a dump's files readable for this user only, syncs them to disk, and reads them back for their checksums. The paths are
/// relative to the directory.
pub(super) fn seal(folder: &Path, dump: &str) -> io::Result<Vec<DumpFile>> {
    let path = folder.join(dump);
    let mut names = Vec::new();
    if path.is_dir() {
        for entry in fs::read_dir(&path)? {
            let name = entry?.file_name();
            names.push(format!("{dump}/{}", name.to_string_lossy()));
        }
        names.sort();
    } else {
        names.push(dump.to_owned());
    }
    let mut files = Vec::new();
    for name in names {
        let path = folder.join(&name);
        fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        File::open(&path)?.sync_all()?;
        let (bytes, sha256) = digest(&path)?;
        files.push(DumpFile {
            path: name,
            bytes,
            sha256,
        });
    }
    if path.is_dir() {
        File::open(&path)?.sync_all()?;
    }
    File::open(folder)?.sync_all()?;
    Ok(files)
}

/// Size and SHA-256 of a file.
pub(super) fn digest(path: &Path) -> io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut bytes = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        hasher.update(&buffer[..read]);
        bytes += read as u64;
    }
    let digits: String = hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Ok((bytes, digits))
}

/// The current size of a dump on disk.
pub(super) fn written(dump: &Path) -> u64 {
    let Ok(about) = fs::metadata(dump) else {
        return 0;
    };
    if !about.is_dir() {
        return about.len();
    }
    fs::read_dir(dump)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.metadata().ok())
        .map(|about| about.len())
        .sum()
}

/// The directories below `root` that this program may have created, newest first by name. Includes unreadable entries.
pub(super) fn folders(root: &Path) -> Result<Vec<PathBuf>, FileError> {
    let mut found = Vec::new();
    if !files::is_folder(root)? {
        return Ok(found);
    }
    for path in files::entries(root)? {
        let is_folder = files::look(&path)? == Some(Found::Folder);
        if is_folder && (files::is_file(&path.join(LOCK))? || files::is_file(&path.join(MANIFEST))?)
        {
            found.push(path);
        }
    }
    found.reverse();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(root: &Path) -> BackupFolder {
        BackupFolder::create(root, OffsetDateTime::UNIX_EPOCH, Uuid::now_v7()).unwrap()
    }

    #[test]
    fn a_folder_that_is_not_finished_is_removed() {
        let root = tempfile::tempdir().unwrap();
        let made = folder(root.path());
        assert!(made.name().starts_with("19700101T000000Z-"));
        fs::write(made.path().join("auth.dump"), "half").unwrap();
        drop(made);
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }

    #[test]
    fn only_this_user_can_read_it() {
        let root = tempfile::tempdir().unwrap();
        let made = folder(&root.path().join("new/backups"));
        for path in [made.path(), &root.path().join("new/backups")] {
            let mode = fs::metadata(path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700, "{}", path.display());
        }
        let dump = made.path().join("auth.dump");
        fs::write(&dump, "abc").unwrap();
        let files = seal(made.path(), "auth.dump").unwrap();
        assert_eq!(
            fs::metadata(&dump).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(files[0].bytes, 3);
        assert!(
            files[0].sha256.starts_with("ba7816bf"),
            "{}",
            files[0].sha256
        );
    }

    #[test]
    fn a_folder_is_claimed_by_one_only_and_not_while_it_is_worked_on() {
        let root = tempfile::tempdir().unwrap();
        let made = folder(root.path());
        assert!(claim(made.path()).is_none());
        let inherited = made.lock().unwrap();
        let path = made.path().to_owned();
        std::mem::forget(made);
        assert!(
            claim(&path).is_none(),
            "a process that inherited it is at work"
        );
        drop(inherited);
    }
}
