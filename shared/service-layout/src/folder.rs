//! The SQL folders of a service: `migrations/` and `reverts/`.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::files;
use crate::files::{FileError, Found};
use crate::{FileName, FileNameProblem};

/// One file of `migrations/` or `reverts/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlFile {
    /// The parsed file name.
    pub name: FileName,
    /// The file's path.
    pub path: PathBuf,
    /// Whether its folder lists it as a regular file, not as a link.
    pub is_regular: bool,
}

/// The SQL files of a service, each list sorted by version.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    /// The files of `migrations/`.
    pub migrations: Vec<SqlFile>,
    /// The files of `reverts/`; each has a migration with the same file name.
    pub reverts: Vec<SqlFile>,
}

impl Layout {
    /// Reads the folders in `service`. `reverts/` may be missing; `migrations/` must exist.
    pub fn read(service: &Path) -> Result<Self, LayoutError> {
        let migrations = read_folder(&service.join("migrations"), service)?;
        let reverts = service.join("reverts");
        let reverts = if files::is_folder(&reverts)? {
            read_folder(&reverts, service)?
        } else {
            Vec::new()
        };
        for revert in &reverts {
            match migrations.binary_search_by_key(&revert.name.version, |file| file.name.version) {
                Ok(index) if migrations[index].path.file_name() == revert.path.file_name() => {}
                Ok(index) => {
                    return Err(LayoutError::RevertNamedOtherwise {
                        path: revert.path.clone(),
                        migration: migrations[index].path.clone(),
                    });
                }
                Err(_) => {
                    return Err(LayoutError::RevertWithoutMigration {
                        path: revert.path.clone(),
                    });
                }
            }
        }
        Ok(Self {
            migrations,
            reverts,
        })
    }
}

fn read_folder(folder: &Path, service: &Path) -> Result<Vec<SqlFile>, LayoutError> {
    let mut files = Vec::new();
    files::check_within(folder, service)?;
    for (path, is_file) in files::typed_entries(folder)? {
        let misnamed = |problem| LayoutError::Misnamed {
            path: path.clone(),
            problem,
        };
        let file_name = path
            .file_name()
            .and_then(|name| name.to_str())
            .ok_or_else(|| misnamed(FileNameProblem::Form))?;
        if !is_file && files::look(&path)? == Some(Found::Folder) {
            return Err(LayoutError::Folder { path });
        }
        let name = FileName::parse(file_name).map_err(misnamed)?;
        // A file that is no link is where its folder is.
        if !is_file {
            files::check_within(&path, service)?;
        }
        files.push(SqlFile {
            name,
            path,
            is_regular: is_file,
        });
    }
    // Stable: files of one version stay in the order of their names.
    files.sort_by_key(|file| file.name.version);
    if let Some(pair) = files
        .windows(2)
        .find(|pair| pair[0].name.version == pair[1].name.version)
    {
        return Err(LayoutError::DuplicateVersion {
            version: pair[0].name.version,
            first: pair[0].path.clone(),
            second: pair[1].path.clone(),
        });
    }
    Ok(files)
}

/// Why a service's folders are invalid. Each error names the file.
#[derive(Debug)]
pub enum LayoutError {
    /// A file or folder cannot be read.
    File(FileError),
    /// A file does not have a valid migration name.
    Misnamed {
        /// The misnamed file.
        path: PathBuf,
        /// What is wrong with its name.
        problem: FileNameProblem,
    },
    /// A folder is in the place of a file.
    Folder {
        /// The folder.
        path: PathBuf,
    },
    /// Two files have the same version.
    DuplicateVersion {
        /// The version that they share.
        version: i64,
        /// The first file.
        first: PathBuf,
        /// The second file.
        second: PathBuf,
    },
    /// A revert file without a migration.
    RevertWithoutMigration {
        /// The revert file.
        path: PathBuf,
    },
    /// A revert file whose migration has a different name.
    RevertNamedOtherwise {
        /// The revert file.
        path: PathBuf,
        /// The migration with the same version.
        migration: PathBuf,
    },
}

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(error) => error.fmt(f),
            Self::Misnamed { path, problem } => write!(f, "{}: {problem}", path.display()),
            Self::Folder { path } => write!(
                f,
                "{}: subfolders are not read; move its files up",
                path.display()
            ),
            Self::DuplicateVersion {
                version,
                first,
                second,
            } => write!(
                f,
                "{}: duplicate version {version}, also used by {}; rename the newer file to a new version",
                second.display(),
                first.display()
            ),
            Self::RevertWithoutMigration { path } => write!(
                f,
                "{}: revert without a migration of the same file name; rename or remove it",
                path.display()
            ),
            Self::RevertNamedOtherwise { path, migration } => write!(
                f,
                "{}: the migration with this version is {}; both must have the same file name",
                path.display(),
                migration.display()
            ),
        }
    }
}

impl std::error::Error for LayoutError {}

impl From<FileError> for LayoutError {
    fn from(error: FileError) -> Self {
        Self::File(error)
    }
}
