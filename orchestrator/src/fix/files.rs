//! Writes the files of a service, all or none.
//!
//! Responsible for never leaving half a rewrite in the folder: new files come first, so that at worst a migration exists twice, which
//! fails loudly, and is never lost. Not for the content of the files.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use domain::with_causes;
use service_layout::files;

/// A change of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChange {
    pub path: PathBuf,
    /// The current content; `None` for a new file.
    pub before: Option<String>,
    /// The new content.
    pub after: String,
}

/// Why files were not written. No file is changed then.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error("{path}: the file changed after it was read; rerun the command", path = path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    #[error("{path}: the file already exists; move it away", path = path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    #[error("{path}: cannot write the file", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        source: io::Error,
    },
}

/// Writes all files or none.
///
/// # Errors
/// When a file changed after it was read, or cannot be written.
pub fn write(changes: &[FileChange]) -> Result<(), WriteError> {
    for change in changes {
        is_unchanged(change)?;
    }
    let mut ready = Vec::new();
    for change in changes {
        match prepare(change) {
            Ok(path) => ready.push(path),
            Err(error) => {
                remove_prepared(&ready);
                return Err(error);
            }
        }
    }
    let mut order: Vec<(&FileChange, &PathBuf)> = changes.iter().zip(&ready).collect();
    order.sort_by_key(|(change, _)| change.before.is_some());
    for (index, (change, prepared)) in order.iter().enumerate() {
        if let Err(source) = fs::rename(prepared, &change.path) {
            undo_writes(&order[..index]);
            remove_prepared(&ready);
            return Err(WriteError::Io {
                path: change.path.clone(),
                source,
            });
        }
    }
    Ok(())
}

fn is_unchanged(change: &FileChange) -> Result<(), WriteError> {
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

/// Writes the content to a temporary file in the folder of the service, under a name that is not a migration's.
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
        remove_prepared(std::slice::from_ref(&prepared));
        failed(source)
    })?;
    Ok(prepared)
}

fn undo_writes(done: &[(&FileChange, &PathBuf)]) {
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

fn remove_prepared(prepared: &[PathBuf]) {
    for path in prepared {
        // Files that were renamed no longer exist under this name.
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
    fn a_failed_rename_undoes_all_others() {
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
