//! The migration engine, as used by one service.
//!
//! Modules depend only on lower layers (a test enforces this):
//!
//! | level | modules |
//! |---|---|
//! | 5 | `service_main`, `logging` |
//! | 4 | `command`, `dispatch`, `report` |
//! | 3 | `runner`, `revert`, `gates`, `inspect` |
//! | 2 | `postgres` |
//! | 1 | `source`, `reconcile`, `succession`, `planning`, `config` |
//! | 0 | `domain`, `output`, `sql` |

pub mod command;
pub mod config;
pub mod dispatch;
pub mod domain;
pub mod gates;
pub mod inspect;
pub mod logging;
pub mod output;
pub mod planning;
pub mod postgres;
pub mod reconcile;
pub mod report;
pub mod revert;
pub mod runner;
mod service_main;
pub mod source;
pub mod sql;
pub mod succession;

pub use service_main::{accepts, service_main};
