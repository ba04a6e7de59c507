//! The migration engine: from services and histories to plans, and from plans to applied migrations.
//!
//! Sends events to a reporter and prints nothing. Does not know the command line.

pub mod dispatch;
pub mod gates;
pub mod inspect;
pub mod planning;
pub mod reconcile;
pub mod revert;
pub mod runner;
pub mod source;
pub mod succession;
