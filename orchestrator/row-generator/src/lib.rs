//! Generates rows for empty tables, reads rows before and after a migration, and compares them.
//!
//! Generated rows satisfy a table's types, keys and checks. The comparison lists what a migration and its revert
//! lose.

mod candidates;

mod digest;
mod error;
mod fill;
mod fulfil;
mod insert;
mod later;
mod losses;
mod order;
mod pattern;
mod search;
mod tables;
mod types;
mod values;

pub use digest::{Digests, digest};
pub use error::RowsError;
pub use fill::{Filled, Filler, Unfilled};
pub use later::later_losses;
pub use losses::{Culprit, Loss, LossKind, losses};

pub use fill::fill_in;
pub use insert::{AS_APPLICATION, attempt};
pub use tables::{USERS_TABLES, read_rows, shown};
