//! What the end-to-end tests stand on: servers, services on disk, and the real binaries.
//!
//! A test starts a PostgreSQL of its own (a tenth of a second), writes services into a folder of its own, and runs the
//! programs as a user would. Nothing is shared between tests, so they run in parallel and in any order.

mod binaries;
mod client_programs;
mod facts;
mod legacy;
mod page;
mod pooler;
mod programs;
mod proxy;
mod rows;
mod running;
mod sample;
mod schema;
mod server;
mod services;
mod session;
mod suggestions;
mod terminal;
mod wait;

pub use binaries::binaries;
pub use client_programs::ClientPrograms;
pub use facts::{Facts, LegacyFacts, legacy_facts, synchronised_facts};
pub use legacy::database_of;
pub use page::{Page, PageUser};
pub use pooler::Pooler;
pub use programs::{Outcome, Program};
pub use proxy::{Place, Proxy, Reached, Request, Side};
pub use running::Running;
pub use sample::{Points, RequestKind, by_depth, part, random, rounds, seed, some_of_each};
pub use schema::JsonSchema;
pub use server::Server;
pub use services::{SERVICES, ServiceFolder, Services};
pub use session::Session;
pub use suggestions::suggestions;
pub use terminal::{CTRL_C, CTRL_Z, Terminal, TerminalMode};
pub use wait::wait_until;
