//! The run: one dispatcher owns its state, starts steps and calls the reporter. One task per database does the work.
//!
//! Decides what starts when, handles cancellation, and computes the verdict. `runner` runs a step, and `report` shows the events.
//! `docs/design/run-engine.md` has the state diagram.

mod atomic;
mod board;
mod compensation;
mod database_entry;
mod dependency_gates;
mod dispatcher;
mod gate_watch;
mod lane;
mod lock_all;
mod locked_database;
mod operation;
mod run;

pub use atomic::finish_elsewhere;
pub use compensation::{Compensation, Migrations, PlanReverts, Reverts};
pub use dependency_gates::{DependencyGates, MeetGate};
pub use dispatcher::dispatch;
pub use lock_all::{DatabaseUnderLock, PreRunCheck, Stopped, under_locks};
pub use locked_database::LockedDatabase;
pub use operation::{Events, Operation, Start};
pub use run::{LaneInput, OnFailure, Run, Stops};
