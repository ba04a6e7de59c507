//! Atomic releases: all pending migrations of all services commit, or none, by two-phase commit.
//!
//! Each database runs its files in one transaction and prepares it; then the decision is recorded in the database of the first
//! service, the coordinator's; then every database commits. Whoever finds something prepared later follows that record, and where
//! nothing was decided, decides to roll back. Responsible for the release from its first lock to its last commit. Not for how a file is run
//! (`runner`), nor for what an interrupted one has left (`command::in_doubt`). Floor 4. ADR 0020 says why so.

mod enter;
mod finish;
mod participant;
mod release;
mod settle;
mod tell;

pub use finish::finish_elsewhere;

pub(super) use enter::enter;
pub(super) use release::Release;
