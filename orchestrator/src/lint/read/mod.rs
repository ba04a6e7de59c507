//! What each statement of a file changes, read from its syntax tree.
//!
//! Responsible for the way from squawk's tree to `Change`. Not for what the changes add up to (`model`).

mod block;
mod constraint;
mod rows;
mod statement;
mod steps;
mod table;

pub(super) use block::{errors, is_statement_of_block, quoted_text};
pub use steps::steps;
