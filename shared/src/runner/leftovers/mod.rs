//! What an earlier attempt at a statement that cannot be rolled back has left in the catalog, and what to do about it.
//!
//! Before such a statement runs, what the catalog shows is noted with the intent (`before`). After an interruption the
//! difference tells what is ours: what was there before, or is not what the statement would have made, belongs to
//! somebody else and is never dropped.
//!
//! Responsible for looking. Not for running statements, nor for the records (`statements`). Floor 3.

mod before;
mod busy;
mod definition;
mod finding;
mod indexes;
mod objects;
mod partitions;
mod reindex;
mod remains;

pub(super) use before::Before;
pub(super) use finding::{Finding, Look};
pub use remains::left_behind;
pub(super) use remains::remains;
