//! Rehearsing migrations on a scratch database: up, down, up. Floor 4.
//!
//! Responsible for what only a database can tell of a migration: whether its revert undoes it, what becomes of rows, what it locks,
//! whether functions and triggers work. Not for the text of files (`lint`), nor for how findings are shown (`cli`).

mod archive;
pub mod code;
mod layout;
mod locks;
mod migration;
mod pending;
mod reporter;
mod row_probe;
pub mod rows;
mod run;
mod scratch_database;
mod service;
mod trouble;
mod verdict;

pub use archive::Archive;
pub use locks::{Blocks, Burden, LockMode, LockObserver, ObservedLocks};
pub use pending::{Origin, Scope, Work};
pub use run::rehearse;
pub use service::{Rehearsal, rehearse_service};
