//! Rewrites migrations to their safe form, with a proof.
//!
//! Responsible for the files of pending migrations: which statements have a form that blocks less, how they are split into files,
//! and the proof that both reach the same schema, the new files with weaker or shorter locks. Not for detecting hazards (`lint`,
//! `rehearsal`), nor for the output (`cli`).

mod files;
mod prove;
mod rewrite;
mod run;
mod slices;

pub use files::{FileChange, WriteError, write};
pub use prove::Gain;
pub use rewrite::Left;
pub use run::{Fixed, Outcome, Request, fix};
