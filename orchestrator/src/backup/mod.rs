//! Backups of the databases that a run is about to change, and of any that is asked for. Floor 4.
//!
//! A backup is a folder with a dump of each database and a manifest. The manifest is written last: a folder without one is
//! no backup, whatever else lies in it.

mod manifest;

pub use manifest::{
    DatabaseProperties, DumpFile, DumpFormat, Head, MANIFEST, Manifest, ManifestError, RoleSetting,
    SCHEMA, ServiceBackup,
};
