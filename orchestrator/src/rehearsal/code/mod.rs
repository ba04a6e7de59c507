//! Functions and triggers: whether they work in the state that a migration leaves.
//!
//! Responsible for trying them in a transaction that is rolled back, and for naming those that cannot work. Not for rows of their
//! own (`rows`), nor for telling anybody.

mod broken;
mod examine;
mod exercise;
mod state;

pub use broken::{Broken, BrokenCode, Event};
pub use examine::{Examined, Examiner};
