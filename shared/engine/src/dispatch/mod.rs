//! The run: one dispatcher owns its state, starts steps and calls the reporter. One task per database does the work.
//!
//! Decides what starts when, handles cancellation, and computes the verdict. `runner` runs a step, and `report` shows the events.
//! `docs/design/run-engine.md` has the state diagram.

mod atomic;
mod board;
mod compensation;
mod dispatcher;
mod entrance;
mod gate_watch;
mod lane;
mod locked_database;
mod operation;
mod run;
mod secure;
mod ties;

pub use atomic::finish_elsewhere;
pub use compensation::{Compensation, Migrations, PlanReverts, Reverts};
pub use dispatcher::dispatch;
pub use locked_database::LockedDatabase;
pub use operation::{Events, Operation, Start};
pub use run::{LaneInput, OnFailure, Run, Stops};
pub use secure::{PreRunCheck, Secured, Stopped, under_locks};
pub use ties::{MeetGate, Ties};
