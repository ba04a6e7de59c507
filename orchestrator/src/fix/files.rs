//! Files of a service that are written or rewritten, all or none.
//!
//! Responsible for the folder never being half a rewrite: new files come first, so that at worst a migration is there twice, which
//! fails loudly, and never lost. Not for what is in them.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use service_layout::files;
use shared::domain::with_causes;

/// What becomes of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChange {
    /// Where it is.
    pub path: PathBuf,
    /// What stands in it now; `None` for a new one.
    pub before: Option<String>,
    /// What is to stand in it.
    pub after: String,
}

/// Why files were not written. Nothing is changed then, unless it says so.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Somebody changed a file meanwhile.
    #[error("{path}: the file changed after it was read; rerun the command", path = path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// A file is there that would be new.
    #[error("{path}: the file already exists; move it away", path = path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A file cannot be read or written.
    #[error("{path}: cannot write the file", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Writes files, all or none.
///
/// # Errors
/// When one is not as it was, or cannot be written.
pub fn write(changes: &[FileChange]) -> Result<(), WriteError> {
    for change in changes {
        as_it_was(change)?;
    }
    let mut ready = Vec::new();
    for change in changes {
        match prepare(change) {
            Ok(path) => ready.push(path),
            Err(error) => {
                forget(&ready);
                return Err(error);
            }
        }
    }
    let mut order: Vec<(&FileChange, &PathBuf)> = changes.iter().zip(&ready).collect();
    order.sort_by_key(|(change, _)| change.before.is_some());
    for (index, (change, prepared)) in order.iter().enumerate() {
        if let Err(source) = fs::rename(prepared, &change.path) {
            take_back(&order[..index]);
            forget(&ready);
            return Err(WriteError::Io {
                path: change.path.clone(),
                source,
            });
        }
    }
    Ok(())
}

fn as_it_was(change: &FileChange) -> Result<(), WriteError> {
    let path = change.path.clone();
    match (&change.before, files::read_optional_text(&path)) {
        (Some(before), Ok(Some(now))) if *before == now => Ok(()),
        (Some(_), Ok(_)) => Err(WriteError::Changed { path }),
        (None, Ok(Some(_))) => Err(WriteError::Exists { path }),
        (None, Ok(None)) => Ok(()),
        (_, Err(error)) => Err(WriteError::Io {
            path,
            source: error.into(),
        }),
    }
}

/// Writes a file beside its place, under a name that is no migration's, in the folder of the service.
fn prepare(change: &FileChange) -> Result<PathBuf, WriteError> {
    let failed = |source| WriteError::Io {
        path: change.path.clone(),
        source,
    };
    let kind = change.path.parent();
    let folder = kind.and_then(Path::parent).unwrap_or(Path::new("."));
    if let Some(kind) = kind {
        fs::create_dir_all(kind).map_err(failed)?;
    }
    let name = |path: Option<&Path>| {
        path.and_then(Path::file_name)
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default()
    };
    let prepared = folder.join(format!(
        ".fix-{}-{}-{}",
        std::process::id(),
        name(kind),
        name(Some(&change.path))
    ));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&prepared)
        .map_err(failed)?;
    let written = file
        .write_all(change.after.as_bytes())
        .and_then(|()| file.sync_all());
    written.map_err(|source| {
        forget(std::slice::from_ref(&prepared));
        failed(source)
    })?;
    Ok(prepared)
}

fn take_back(done: &[(&FileChange, &PathBuf)]) {
    for (change, _) in done {
        let undone = match &change.before {
            Some(before) => fs::write(&change.path, before),
            None => fs::remove_file(&change.path),
        };
        if let Err(error) = undone {
            tracing::error!(error = %with_causes(&error), path = %change.path.display(), "cannot undo the write of the file");
        }
    }
}

fn forget(prepared: &[PathBuf]) {
    for path in prepared {
        // Those that were renamed are gone from here.
        let _ = fs::remove_file(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(path: &Path, before: Option<&str>, after: &str) -> FileChange {
        FileChange {
            path: path.to_owned(),
            before: before.map(str::to_owned),
            after: after.to_owned(),
        }
    }

    fn listed(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn all_files_are_written_or_none() {
        let root = tempfile::tempdir().unwrap();
        let migrations = root.path().join("migrations");
        fs::create_dir(&migrations).unwrap();
        let (old, new) = (
            migrations.join("V1__a.sql"),
            migrations.join("V2__a_indexes.sql"),
        );
        fs::write(&old, "one").unwrap();
        let other = change(&old, Some("other"), "two");
        let error = write(&[change(&new, None, "three"), other]).unwrap_err();
        assert!(matches!(error, WriteError::Changed { .. }), "{error}");
        assert_eq!(listed(&migrations), ["V1__a.sql"]);
        write(&[
            change(&old, Some("one"), "two"),
            change(&new, None, "three"),
        ])
        .unwrap();
        assert_eq!(fs::read_to_string(&old).unwrap(), "two");
        assert_eq!(fs::read_to_string(&new).unwrap(), "three");
        assert_eq!(listed(root.path()), ["migrations"]);
        let error = write(&[change(&new, None, "four")]).unwrap_err();
        assert!(matches!(error, WriteError::Exists { .. }), "{error}");
    }

    #[test]
    fn a_file_that_cannot_be_put_in_its_place_takes_all_others_back() {
        let root = tempfile::tempdir().unwrap();
        let migrations = root.path().join("migrations");
        fs::create_dir_all(migrations.join("V2__b.sql/x")).unwrap();
        let old = migrations.join("V1__a.sql");
        fs::write(&old, "one").unwrap();
        let blocked = FileChange {
            path: migrations.join("V2__b.sql/x"),
            before: None,
            after: "two".to_owned(),
        };
        assert!(write(&[change(&old, Some("one"), "two"), blocked]).is_err());
        assert_eq!(fs::read_to_string(&old).unwrap(), "one");
    }
}
