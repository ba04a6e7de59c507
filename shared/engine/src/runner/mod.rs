//! Running one migration, in either direction, on a locked session.
//!
//! Handles transactions, retries, no-transaction files and their resumption, and the text of failures. Writes history and journal.
//! `dispatch` decides which steps run and when.

mod fault;
mod leftovers;
mod observer;
mod outcome_check;
mod reading;
mod remedy;
mod resumption;
mod rows_only;
mod script;
mod statements;
mod step;
mod transactional;
mod units;
mod watch;
mod within;

pub use leftovers::left_behind;
pub use observer::{Moment, ObservedStep, StepObserver};
pub use step::{StepContext, StepDone, execute};
pub use within::{Executed, FailedWithin, OpenTransaction, execute_within, record_rolled_back};
