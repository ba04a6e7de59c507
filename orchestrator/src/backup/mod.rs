//! Backups of the databases that a run is about to change, and of any that is asked for. Floor 4.
//!
//! A backup is a folder with a dump of each database and a manifest. The manifest is written last: a folder without one is
//! no backup, whatever else lies in it.

mod dump;
mod error;
mod facts;
mod folder;
mod manifest;
mod pre_run_check;
mod properties;
mod retention;
mod take;
mod test_restore_servers;
mod verify;

pub use error::BackupError;
pub(crate) use facts::{Facts, moment};
pub use manifest::{
    DatabaseProperties, DumpFile, DumpFormat, Head, MANIFEST, Manifest, ManifestError, RoleSetting,
    SCHEMA, ServiceBackup,
};
pub use take::Backup;
pub use test_restore_servers::TestRestoreServers;
pub use verify::Verification;
