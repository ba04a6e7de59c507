//! The manifest of a backup: what it holds, and by what it can be told to be whole.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use service_layout::files::{self, FileError, Found};
use shared::domain::{ServiceName, Version};
use time::OffsetDateTime;

/// The name of the file.
pub const MANIFEST: &str = "manifest.json";

/// The version of its form.
pub const SCHEMA: u32 = 1;

/// One backup: the databases of some services, each at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of this form.
    pub schema: u32,
    /// The name of its folder.
    pub backup: String,
    /// The run before which it was taken, where it was taken by one.
    pub run_id: Option<String>,
    /// When it was begun.
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
    /// When its last dump was verified.
    #[serde(with = "time::serde::rfc3339")]
    pub finished_at: OffsetDateTime,
    /// The version of the program that took it.
    pub program_version: String,
    /// The databases, in the order of the services' names.
    pub services: Vec<ServiceBackup>,
}

/// The dump of one database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceBackup {
    /// The service.
    pub service: ServiceName,
    /// The name of its database.
    pub database: String,
    /// Host and port, or socket.
    pub server: String,
    /// The version of the server, as in `15.18`.
    pub server_version: String,
    /// The version of the `pg_dump` that was used.
    pub pg_dump_version: String,
    /// What it was written as.
    pub format: DumpFormat,
    /// The dump, below the manifest's folder: a file, or a folder of files.
    pub path: String,
    /// Every file of the dump.
    pub files: Vec<DumpFile>,
    /// The moment of the dump's snapshot, by the clock of the server: what orders the backups of a database, wherever they were
    /// taken. Older manifests do not have it.
    #[serde(
        default,
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub taken_at: Option<OffsetDateTime>,
    /// How long the dump took, in milliseconds.
    pub duration_ms: u64,
    /// The size of the database, in bytes.
    pub database_bytes: u64,
    /// Its history table.
    pub history_table: String,
    /// The newest applied migration; `None` where none is.
    pub head: Option<Head>,
    /// How many migrations are applied.
    pub applied: usize,
    /// What a dump does not hold of a database.
    pub properties: DatabaseProperties,
    /// The rows of each table at the moment of the dump, by its quoted name; only of a backup that was verified by restoring it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<BTreeMap<String, u64>>,
}

/// The newest applied migration of a history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Its version.
    pub version: Version,
    /// Its name.
    pub name: String,
}

/// A file of a dump.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DumpFile {
    /// Below the manifest's folder.
    pub path: String,
    /// In bytes.
    pub bytes: u64,
    /// In hexadecimal digits.
    pub sha256: String,
}

/// What `pg_dump` writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum DumpFormat {
    /// One file.
    #[default]
    Custom,
    /// A folder, written by several jobs at a time.
    Directory,
}

/// What belongs to a database and stands in no dump of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseProperties {
    /// Its owner.
    pub owner: String,
    /// Its encoding.
    pub encoding: String,
    /// `LC_COLLATE`.
    pub collate: String,
    /// `LC_CTYPE`.
    pub ctype: String,
    /// `c` (libc), `i` (ICU) or `b` (built in).
    pub locale_provider: String,
    /// The locale of the other providers.
    pub locale: Option<String>,
    /// The ICU rules.
    pub icu_rules: Option<String>,
    /// Its tablespace.
    pub tablespace: String,
    /// `CONNECTION LIMIT`; -1 is none.
    pub connection_limit: i32,
    /// Its comment.
    pub comment: Option<String>,
    /// The rights on it, as `aclitem` writes them; `None` is the default.
    pub privileges: Option<Vec<String>>,
    /// `ALTER DATABASE … SET`, and `ALTER ROLE … IN DATABASE … SET`.
    pub settings: Vec<RoleSetting>,
}

/// A setting of a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleSetting {
    /// For one role only.
    pub role: Option<String>,
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// Why a manifest cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It cannot be read or written.
    #[error("{} cannot be read or written", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no manifest.
    #[error("{}: this is no manifest of a backup", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// Another program wrote it.
    #[error("{}: a manifest of form {found}, and this program knows {SCHEMA}", path.display())]
    OtherForm {
        /// The file.
        path: PathBuf,
        /// Its form.
        found: u32,
    },
}

impl Manifest {
    /// Reads a manifest: the file itself, or the one in a folder.
    ///
    /// # Errors
    /// When there is none, or one that this program does not understand.
    pub fn read(path: &Path) -> Result<Self, ManifestError> {
        #[derive(Deserialize)]
        struct Form {
            schema: u32,
        }
        let (path, text) = Self::text(path).map_err(|error| ManifestError::Io {
            path: error.path.clone(),
            source: error.into(),
        })?;
        let parsed = serde_json::from_slice::<Form>(&text).and_then(|form| {
            if form.schema == SCHEMA {
                serde_json::from_slice(&text).map(Ok)
            } else {
                Ok(Err(form.schema))
            }
        });
        match parsed {
            Ok(Ok(manifest)) => Ok(manifest),
            Ok(Err(found)) => Err(ManifestError::OtherForm { path, found }),
            Err(source) => Err(ManifestError::Malformed { path, source }),
        }
    }

    /// The manifest itself, also where its folder is given. A link must not lead out of that folder.
    fn text(path: &Path) -> Result<(PathBuf, Vec<u8>), FileError> {
        let path = match files::look(path)? {
            Some(Found::Folder) => path.join(MANIFEST),
            _ => path.to_owned(),
        };
        let text = files::read(&path)?;
        let folder = path.parent().filter(|folder| *folder != Path::new(""));
        files::check_within(&path, folder.unwrap_or(Path::new(".")))?;
        Ok((path, text))
    }

    /// Writes it into its folder: under another name first, on the disk before it gets its own.
    ///
    /// # Errors
    /// When it cannot be written; then there is none.
    pub fn write(&self, folder: &Path) -> Result<PathBuf, ManifestError> {
        let path = folder.join(MANIFEST);
        let unfinished = folder.join(format!("{MANIFEST}.unfinished"));
        let written = (|| {
            let mut file = File::create(&unfinished)?;
            serde_json::to_writer_pretty(&mut file, self)?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            std::fs::rename(&unfinished, &path)?;
            File::open(folder)?.sync_all()
        })();
        match written {
            Ok(()) => Ok(path),
            Err(source) => {
                // What is half-written must not be taken for more than it is.
                let _ = std::fs::remove_file(&unfinished);
                Err(ManifestError::Io { path, source })
            }
        }
    }

    /// The moment that a dump of it goes back to.
    pub fn moment(&self, dump: &ServiceBackup) -> OffsetDateTime {
        dump.taken_at.unwrap_or(self.finished_at)
    }

    /// The moment of its newest dump.
    pub fn newest_moment(&self) -> OffsetDateTime {
        let moments = self.services.iter().map(|dump| self.moment(dump));
        moments.max().unwrap_or(self.finished_at)
    }

    /// The dump of a service.
    pub fn service(&self, name: &ServiceName) -> Option<&ServiceBackup> {
        self.services.iter().find(|it| it.service == *name)
    }
}
