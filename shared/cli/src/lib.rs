//! The command line of one service: arguments, context, and the commands `run`, `status` and `revert`.

pub mod command;
pub mod logging;
mod service_main;

pub use service_main::{accepts, service_command, service_main};
