//! Backups of databases, before a run or on request.
//!
//! A backup is a directory with a dump of each database and a manifest. The manifest is written last: a directory without one is
//! not a backup.

mod dump;
mod error;
mod event;
mod facts;
mod folder;
mod manifest;
mod pre_run_check;
mod properties;
pub mod restore;
mod retention;
mod take;
mod test_restore_servers;
mod verify;

pub use error::BackupError;
pub use event::BackupEvent;
pub use facts::{Facts, moment};
pub use manifest::{
    DatabaseProperties, DumpFile, DumpFormat, Head, MANIFEST, Manifest, ManifestError, RoleSetting,
    SCHEMA, ServiceBackup,
};
pub use take::Backup;
pub use test_restore_servers::TestRestoreServers;
pub use verify::Verification;
