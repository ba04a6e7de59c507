//! What a migration locks, rewrites and reads while it runs, as the server itself shows it. Floor 4.
//!
//! Responsible for looking: at `pg_locks`, at the files of relations, at the counters of scans; and for what is a hazard among that.
//! Not for the text of statements (`lint`), nor for running them (`runner`).
//!
//! What stood before the migration counts; what it makes itself nobody else knows yet.

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
