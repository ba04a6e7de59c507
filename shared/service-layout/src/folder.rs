//! The two SQL folders of a service: `migrations/` and `reverts/`.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::{FileName, FileNameProblem};

/// One file of `migrations/` or `reverts/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlFile {
    /// Its parsed name.
    pub name: FileName,
    /// Where it lies.
    pub path: PathBuf,
}

/// The SQL files of one service, each list ascending by version.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    /// The files of `migrations/`.
    pub migrations: Vec<SqlFile>,
    /// The files of `reverts/`: each has a migration of the same file name.
    pub reverts: Vec<SqlFile>,
}

impl Layout {
    /// Reads the folders below `service`. A missing `reverts/` is an empty one; a missing `migrations/` is an error.
    pub fn read(service: &Path) -> Result<Self, LayoutError> {
        let migrations = read_folder(&service.join("migrations"))?;
        let reverts = service.join("reverts");
        let reverts = if reverts.exists() {
            read_folder(&reverts)?
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

fn read_folder(folder: &Path) -> Result<Vec<SqlFile>, LayoutError> {
    let unreadable = |source| LayoutError::Unreadable {
        path: folder.to_owned(),
        source,
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let path = entry.path();
        let file_name = entry.file_name();
        let Some(file_name) = file_name.to_str() else {
            return Err(LayoutError::Misnamed {
                path,
                problem: FileNameProblem::Form,
            });
        };
        // `.gitkeep`, `.DS_Store`: no tool and no reader takes them for a migration.
        if file_name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            return Err(LayoutError::Folder { path });
        }
        let name = FileName::parse(file_name).map_err(|problem| LayoutError::Misnamed {
            path: path.clone(),
            problem,
        })?;
        files.push(SqlFile { name, path });
    }
    files.sort_by(|a, b| (a.name.version, &a.path).cmp(&(b.name.version, &b.path)));
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

/// Why a service's folders are refused. Each names the file.
#[derive(Debug)]
pub enum LayoutError {
    /// A folder cannot be listed.
    Unreadable {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not named like a migration.
    Misnamed {
        /// The file.
        path: PathBuf,
        /// What is wrong with its name.
        problem: FileNameProblem,
    },
    /// A folder stands where files are expected.
    Folder {
        /// The folder.
        path: PathBuf,
    },
    /// Two files have one version.
    DuplicateVersion {
        /// The version.
        version: i64,
        /// One file.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// A revert file whose migration does not exist.
    RevertWithoutMigration {
        /// The revert file.
        path: PathBuf,
    },
    /// A revert file whose migration has another name.
    RevertNamedOtherwise {
        /// The revert file.
        path: PathBuf,
        /// The migration of the same version.
        migration: PathBuf,
    },
}

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, .. } => write!(f, "{}: cannot be read", path.display()),
            Self::Misnamed { path, problem } => write!(f, "{}: {problem}", path.display()),
            Self::Folder { path } => write!(
                f,
                "{}: a folder among the migrations would be passed over; move its files up",
                path.display()
            ),
            Self::DuplicateVersion {
                version,
                first,
                second,
            } => write!(
                f,
                "{}: version {version} is also that of {}; give the newer file a version of its own",
                second.display(),
                first.display()
            ),
            Self::RevertWithoutMigration { path } => write!(
                f,
                "{}: a revert without a migration of the same file name; rename or remove it",
                path.display()
            ),
            Self::RevertNamedOtherwise { path, migration } => write!(
                f,
                "{}: the migration of this version is {}; give both the same file name",
                path.display(),
                migration.display()
            ),
        }
    }
}

impl std::error::Error for LayoutError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable { source, .. } => Some(source),
            _ => None,
        }
    }
}
