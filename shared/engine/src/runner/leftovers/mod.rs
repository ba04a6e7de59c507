//! What an earlier attempt at a statement that cannot be rolled back has left in the catalog, and what to do about it.
//!
//! Before such a statement runs, the state of the catalog is stored with the intent (`before`). After an interruption, the difference
//! shows what the attempt has left. An object that existed before, or that the statement would not create, belongs to another session
//! and is never dropped.
//!
//! Only checks the catalog: `statements` runs the statements and writes the records.

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
pub(super) use finding::{CatalogCheck, Finding};
pub use remains::left_behind;
pub(super) use remains::remains;
