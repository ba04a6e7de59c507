//! Migrations rewritten to their safe form, with a proof. Floor 4.
//!
//! Responsible for the files of pending migrations: which statements have a form that blocks less, into which files they are split,
//! and that both reach the same schema, the new ones with weaker or shorter locks. Not for finding what is unsafe (`lint`,
//! `rehearsal`), nor for how it is told (`cli`).

mod between;
mod files;
mod forms;
mod prove;
mod rewrite;
mod run;
mod slices;
mod undo;

pub use files::{FileChange, WriteError, write};
pub use prove::Gain;
pub use rewrite::Left;
pub use run::{Fixed, Outcome, Request, fix};
