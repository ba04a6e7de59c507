//! Taking a database over from the former tool. Floor 4.
//!
//! Responsible for the proof (the live schema is what our migrations make up to some version) and for what is written then.
//! Runs no migration on a live database and leaves the former tool's table alone.

mod candidates;
mod legacy;
mod prove;
mod record;
mod run;
mod undo;

pub use run::{Adoption, adopt, undo_adoption};
