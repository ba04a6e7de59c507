//! Adopting a database that another migration tool has managed.
//!
//! Proves that the live schema matches our migrations up to some version, then writes history and journal rows.
//! Runs no migration on a live database and does not change the legacy tool's table.

mod candidates;
mod event;
mod legacy;
mod prove;
mod record;
mod run;
mod undo;

pub use event::{AdoptEvent, Drift, Proof};
pub use run::{Adoption, adopt, undo_adoption};
