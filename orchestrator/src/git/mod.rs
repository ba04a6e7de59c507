//! What git knows of the services' files. Floor 3.
//!
//! Responsible for asking the program `git`, and for reading its answers. Not for what an edited file means (`check`).

mod changes;
mod error;
mod hunks;
mod program;

pub use changes::{Change, Changes};
pub use error::GitError;
