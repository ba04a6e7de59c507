//! Rehearses migrations on a scratch database: up, down, up.
//!
//! Checks what only a database can show: whether the revert undoes the migration, what happens to rows, what it locks, and
//! whether functions and triggers work. `lint` checks the text of files; `cli` prints the findings.

mod archive;
pub mod code;
mod event;
mod layout;
mod locks;
mod migration;
mod pending;
mod reporter;
mod row_probe;
mod run;
mod scratch_database;
mod service;
mod trouble;
mod verdict;

pub use archive::Archive;
pub use event::{Rehearsed, Reversibility, SeenLock};
pub use locks::{Blocks, Burden, LockMode, LockObserver, ObservedLocks};
pub use pending::{Origin, Scope, Work};
pub use run::rehearse;
pub use service::{Rehearsal, rehearse_service};
