//! Restores databases from backups.
//!
//! A backup is restored into a new database beside the old one and verified there. Then both are renamed in one transaction, and the
//! old one is kept. A complete database has the name at any time, even after a failure. Human output is in `cli`.

mod check;
mod choice;
mod drop_old;
mod enter;
mod error;
mod event;
mod examine;
mod leftovers;
mod name;
mod prepare;
mod program;
mod properties;
mod reporter;
mod run;
mod surroundings;
mod swap;
mod verify;

pub use check::files as check_files;
pub use choice::{Restoration, Source, choose};
pub use drop_old::drop_old;
pub use event::{PlannedRestore, RestoreEvent};
pub use leftovers::{KeptDatabase, dead_databases, is_restoring, kept_databases};
pub use program::{Poured, find as find_pg_restore, pour};
pub use run::{RestoreOptions, restore};
