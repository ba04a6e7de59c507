//! The effects of a file on live traffic and running programs: squawk's rules, with information that squawk does not have.
//!
//! Responsible for which tables are not in use yet, what a revert merely undoes, and our texts. Not for what only a database
//! can show (`rehearsal`), nor for the migration guide.

mod adopted;
mod defaults;
mod judge;
mod made;
mod names;
#[cfg(test)]
mod properties;
mod refine;
mod types;
mod understood;

pub(super) use judge::findings;
pub(super) use made::ExistingRelations;
pub use understood::runnable;
pub(super) use understood::too_deep_within;
