//! Queries git about the services' files.
//!
//! Runs the program `git` and parses its output. `check` decides what a change means.

mod changes;
mod error;
mod hunks;
mod program;

pub use changes::{Change, Changes};
pub use error::GitError;
