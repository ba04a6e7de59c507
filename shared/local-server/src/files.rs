//! Small files and folders with the right owner and mode.
//!
//! Responsible for: atomic writes, random names, reading optional files.
//! Not for: which files exist.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use service_layout::files::{self as looked, FileError};

use super::account;
use super::error::LocalServerError;

/// Random bytes as hexadecimal digits.
pub(super) fn random_hex<const BYTES: usize>() -> Result<String, LocalServerError> {
    let mut bytes = [0_u8; BYTES];
    getrandom::fill(&mut bytes).map_err(LocalServerError::Random)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Writes a file atomically, owned by the owner of its folder.
pub(super) fn write(
    folder: &Path,
    name: &str,
    contents: &str,
    mode: u32,
) -> Result<(), LocalServerError> {
    let temporary = folder.join(format!(".{name}-{}", random_hex::<8>()?));
    let path = folder.join(name);
    let written = (|| {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&temporary)?;
        file.write_all(contents.as_bytes())?;
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        account::give_to_owner_of(folder, &temporary)?;
        file.sync_all()?;
        fs::rename(&temporary, &path)
    })();
    written.map_err(|source| {
        let _ = fs::remove_file(&temporary);
        LocalServerError::File {
            action: "write",
            path,
            source,
        }
    })
}

/// Reads a small file; `None` if it does not exist.
pub(super) fn read(path: &Path) -> Result<Option<String>, LocalServerError> {
    looked::read_optional_text(path).map_err(unlooked("read", path))
}

/// Whether a folder exists. An unreadable path is an error.
pub(super) fn is_folder(path: &Path) -> Result<bool, LocalServerError> {
    looked::is_folder(path).map_err(unlooked("read", path))
}

/// Whether a file exists. An unreadable path is an error.
pub(super) fn is_file(path: &Path) -> Result<bool, LocalServerError> {
    looked::is_file(path).map_err(unlooked("read", path))
}

fn unlooked(action: &'static str, path: &Path) -> impl FnOnce(FileError) -> LocalServerError {
    let failed = LocalServerError::file(action, path);
    move |error| failed(error.into())
}

/// Creates a folder with exactly this mode, whatever the umask. Fails if it exists.
pub(super) fn create_folder(path: &Path, mode: u32) -> io::Result<()> {
    DirBuilder::new().mode(mode).create(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// Creates a folder and those above it; an existing one is not changed.
pub(super) fn ensure_folder(path: &Path, mode: u32) -> Result<(), LocalServerError> {
    let created = match create_folder(path, mode) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => path
            .parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| create_folder(path, mode)),
        other => other,
    };
    match created {
        // One of several processes creates it.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        other => other.map_err(LocalServerError::file("create", path)),
    }
}

/// Removes a file or a whole folder; a missing path is not an error.
pub(super) fn remove(path: &Path) -> Result<(), LocalServerError> {
    let removed = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    optional(removed).map_err(LocalServerError::file("remove", path))?;
    Ok(())
}

/// Maps "not found" to `None`.
pub(super) fn optional<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_file_is_whole_private_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "password", "secret", 0o600).unwrap();
        write(folder.path(), "password", "other", 0o600).unwrap();
        let path = folder.path().join("password");
        assert_eq!(read(&path).unwrap().as_deref(), Some("other"));
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_absent_reads_as_none_and_is_removed_already() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(&folder.path().join("none")).unwrap(), None);
        remove(&folder.path().join("none")).unwrap();
    }

    #[test]
    fn a_file_in_the_place_of_a_folder_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "").unwrap();
        assert!(ensure_folder(&path, 0o700).is_err());
        assert!(ensure_folder(&path.join("below"), 0o700).is_err());
        assert!(is_folder(&path).is_err());
        assert!(!is_folder(&path.join("below")).unwrap());
        std::os::unix::fs::symlink("nowhere", folder.path().join("link")).unwrap();
        assert!(is_folder(&folder.path().join("link")).is_err());
    }

    #[test]
    fn random_names_differ() {
        assert_eq!(random_hex::<16>().unwrap().len(), 32);
        assert_ne!(random_hex::<16>().unwrap(), random_hex::<16>().unwrap());
    }
}
