//! Checks whether functions and triggers work in the state that a migration leaves.
//!
//! Runs them in a transaction that is rolled back and lists those that cannot work. The rows come from
//! `rows`.

mod broken;
mod examine;
mod exercise;
mod state;

pub use broken::{Broken, BrokenCode, Event};
pub use examine::{Examined, Examiner};
