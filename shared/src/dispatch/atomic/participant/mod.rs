//! One database of a release, from its first file to its commit or rollback.
//!
//! Responsible for what is sent to this database. Not for when (`release`, `settle`). Floor 4.

mod commit;
mod database;
mod decide;
mod prepare;
mod roll_back;
mod scope;

pub(super) use database::Participant;
pub(super) use decide::Decided;
pub(super) use scope::{Due, Happened, Outage, Scope};
