//! Restoring databases from backups. Floor 4.
//!
//! A backup goes into a new database beside the old one, is verified there, and takes its name in one transaction; the old
//! one is kept. So whatever happens on the way, a whole database stands under the name. Not responsible for taking backups
//! (`backup`), nor for words (`cli`).

mod check;
mod choice;
mod drop_old;
mod enter;
mod error;
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

pub(crate) use check::files as check_files;
pub use choice::{Restoration, Source, choose};
pub use drop_old::drop_old;
pub use leftovers::{KeptDatabase, dead_databases, is_restoring, kept_databases};
pub(crate) use program::{Poured, find as find_pg_restore, major, pour};
pub use run::{RestoreOptions, restore};
