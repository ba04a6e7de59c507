//! Atomic releases: all pending migrations of all services commit, or none do, by two-phase commit.
//!
//! Each database runs its files in one transaction and prepares it. Then the decision is recorded in the database of the first
//! service, the coordinator. Then every database commits. A run that later finds a prepared transaction follows that record; if none
//! exists, it decides to roll back. This module owns the release from its first lock to its last commit. `runner` runs the files, and
//! `command::in_doubt` finishes interrupted releases. ADR 0020 gives the reasons.

mod end;
mod enter;
mod finish;
mod participant;
mod release;
mod settle;

pub use finish::finish_elsewhere;

pub(super) use enter::enter;
pub(super) use release::Release;
