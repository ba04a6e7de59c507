//! Reads the changes of each statement from its syntax tree.
//!
//! Responsible for mapping squawk's tree to `Change`. Not for the resulting schema (`model`).

mod block;
mod constraint;
mod rows;
mod statement;
mod steps;
mod table;

pub(super) use block::{errors, is_statement_of_block, quoted_text};
pub use steps::steps;
