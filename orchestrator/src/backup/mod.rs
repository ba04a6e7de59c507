//! Backups of the databases that a run is about to change, and of any that is asked for. Floor 4.
//!
//! A backup is a folder with a dump of each database and a manifest. The manifest is written last: a folder without one is
//! no backup, whatever else lies in it.

mod dump;
mod error;
mod facts;
mod folder;
mod manifest;
mod precaution;
mod properties;
mod proving_ground;
mod retention;
mod take;
mod verify;

pub use error::BackupError;
pub(crate) use facts::{Facts, moment};
pub use manifest::{
    DatabaseProperties, DumpFile, DumpFormat, Head, MANIFEST, Manifest, ManifestError, RoleSetting,
    SCHEMA, ServiceBackup,
};
pub use proving_ground::ProvingGround;
pub use take::Backup;
pub use verify::Verification;
