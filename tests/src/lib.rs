//! What the end-to-end tests stand on: servers, services on disk, and the real binaries.
//!
//! A test starts a PostgreSQL of its own (a tenth of a second), writes services into a folder of its own, and runs the
//! programs as a user would. Nothing is shared between tests, so they run in parallel and in any order.

mod programs;
mod server;
mod services;

pub use programs::{Outcome, Program};
pub use server::Server;
pub use services::{ServiceFolder, Services};
