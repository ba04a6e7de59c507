//! One database of a release, from its first file to its commit or rollback.
//!
//! Sends all commands to this database. `release` and `settle` decide when.

mod commit;
mod database;
mod decide;
mod prepare;
mod roll_back;
mod scope;

pub(super) use database::Participant;
pub(super) use decide::Decided;
pub(super) use scope::{Due, Happened, Outage, Scope};
