//! The forms of statements that block no traffic for long, for `check --fix` and `generate`.
//!
//! Responsible for the safe form of one statement, for what undoes it, and for the guarantees that must hold between the files of a
//! migration. Not for files, nor for the proof.

mod forms;
mod guarantees;
mod undo;

pub use forms::{Form, Later, NoForm, Stage, StatementContext, Text, is_partitioned, safe_form};
pub use guarantees::Guarantees;
pub use undo::{Edited, Undo, edit};
