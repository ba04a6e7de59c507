//! The manifest of a backup: its contents, with checksums.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use domain::{ServiceName, Version};
use serde::{Deserialize, Serialize};
use service_layout::files::{self, FileError, Found};
use time::OffsetDateTime;

/// The file name of the manifest.
pub const MANIFEST: &str = "manifest.json";

/// The version of the manifest's format.
pub const SCHEMA: u32 = 1;

/// One backup: the databases of some services, each at one point in time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of the format.
    pub schema: u32,
    /// The name of the backup's directory.
    pub backup: String,
    /// The run that took the backup, if any.
    pub run_id: Option<String>,
    /// When the backup began.
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
    /// When the last dump was verified.
    #[serde(with = "time::serde::rfc3339")]
    pub finished_at: OffsetDateTime,
    /// The version of the orchestrator.
    pub program_version: String,
    /// The databases, sorted by service name.
    pub services: Vec<ServiceBackup>,
}

/// The dump of one database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceBackup {
    pub service: ServiceName,
    pub database: String,
    /// Host and port, or socket.
    pub server: String,
    /// The version of the server, such as `15.18`.
    pub server_version: String,
    pub pg_dump_version: String,
    pub format: DumpFormat,
    /// The path of the dump, relative to the manifest: a file or a directory.
    pub path: String,
    pub files: Vec<DumpFile>,
    /// The time of the dump's snapshot by the server's clock, which orders the backups of a database regardless of the machine.
    /// Absent in older manifests.
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
    pub history_table: String,
    /// The newest applied migration, if any.
    pub head: Option<Head>,
    /// The number of applied migrations.
    pub applied: usize,
    /// The properties of the database that are not in the dump.
    pub properties: DatabaseProperties,
    /// The row count of each table at the time of the dump, by quoted name; only with `--verify restore`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<BTreeMap<String, u64>>,
}

/// The newest applied migration of a history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    pub version: Version,
    pub name: String,
}

/// A file of a dump.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DumpFile {
    /// The path relative to the manifest.
    pub path: String,
    /// The size in bytes.
    pub bytes: u64,
    /// The SHA-256 in hexadecimal digits.
    pub sha256: String,
}

/// The output format of `pg_dump`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum DumpFormat {
    /// A single file.
    #[default]
    Custom,
    /// A directory, written by several jobs at a time.
    Directory,
}

/// The properties of a database that `pg_dump` does not include.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseProperties {
    pub owner: String,
    pub encoding: String,
    /// `LC_COLLATE`.
    pub collate: String,
    /// `LC_CTYPE`.
    pub ctype: String,
    /// The locale provider: `c` (libc), `i` (ICU) or `b` (builtin).
    pub locale_provider: String,
    /// The locale of ICU or the builtin provider.
    pub locale: Option<String>,
    pub icu_rules: Option<String>,
    pub tablespace: String,
    /// `CONNECTION LIMIT`; -1 is unlimited.
    pub connection_limit: i32,
    pub comment: Option<String>,
    /// The privileges, as `aclitem` text; `None` is the default.
    pub privileges: Option<Vec<String>>,
    /// `ALTER DATABASE … SET`, and `ALTER ROLE … IN DATABASE … SET`.
    pub settings: Vec<RoleSetting>,
}

/// A setting of a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleSetting {
    /// The role, for a setting of one role.
    pub role: Option<String>,
    pub name: String,
    pub value: String,
}

/// Why a manifest is unusable.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    #[error("cannot read or write {}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: not a backup manifest", path.display())]
    Malformed {
        path: PathBuf,
        source: serde_json::Error,
    },
    #[error("{}: unsupported manifest version {found}; supported: {SCHEMA}", path.display())]
    OtherForm {
        path: PathBuf,
        /// The version of its format.
        found: u32,
    },
}

impl Manifest {
    /// Reads a manifest from its path or from its directory.
    ///
    /// # Errors
    /// When it does not exist or is not supported.
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

    /// Resolves the path of a manifest or of its directory. A symbolic link must not lead out of the directory.
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

    /// Writes the manifest atomically: to a temporary file, which is synced and then renamed.
    ///
    /// # Errors
    /// When it cannot be written; no manifest exists then.
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
                // A partially written file must not remain.
                let _ = std::fs::remove_file(&unfinished);
                Err(ManifestError::Io { path, source })
            }
        }
    }

    /// The point in time that a restore of this dump returns to.
    pub fn moment(&self, dump: &ServiceBackup) -> OffsetDateTime {
        dump.taken_at.unwrap_or(self.finished_at)
    }

    /// The time of its newest dump.
    pub fn newest_moment(&self) -> OffsetDateTime {
        let moments = self.services.iter().map(|dump| self.moment(dump));
        moments.max().unwrap_or(self.finished_at)
    }

    /// The dump of a service.
    pub fn service(&self, name: &ServiceName) -> Option<&ServiceBackup> {
        self.services.iter().find(|it| it.service == *name)
    }
}
