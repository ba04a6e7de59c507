//! The effects of a file on live traffic and running programs: finds violations in the syntax of its statements.
//!
//! Responsible for which objects are not in use yet, and for squawk's linter. Not for the decisions (`rules`), nor for what only
//! a database can show (`rehearsal`).

mod adopted;
mod judge;
mod made;
mod names;
mod place;
#[cfg(test)]
mod properties;

pub(super) use adopted::{Adopted, Advice, Case, Scope};
pub(super) use judge::{At, Judge, findings};
pub use made::ExistingRelations;
pub(super) use names::{first_made, is_same, used};
pub(super) use place::{action, around};
