//! Observes what a migration locks, rewrites and reads while it runs, as the server itself reports it.
//!
//! Reads `pg_locks`, the files of relations and the scan counters, and decides what is a hazard.
//! `lint` checks the text of statements; `runner` runs them.
//!
//! Only relations that existed before the migration count: no other session uses a relation that the migration creates.

mod concurrent_sessions;
mod hazards;
mod mode;
mod observed;
mod observer;
mod relations;

pub use hazards::Burden;
pub use mode::{Blocks, LockMode};
pub use observed::ObservedLocks;
pub use observer::LockObserver;
