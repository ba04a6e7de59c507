//! Scratch databases: temporary databases on which migrations are replayed to see what they produce.
//!
//! Creates them, drops them whatever happens, and replays migrations on them. The callers compare the
//! results.
//!
//! Each command that needs scratch databases takes its own advisory lock on the server, and the names of its databases
//! contain the lock's number. A database whose lock is free has no owner, and the next command drops it.

mod choice;
mod cluster_wide;
mod error;
mod leftovers;
mod name;
mod replay;
mod roles;
mod scratch_server;
mod scratch_servers;

pub use choice::ScratchServerChoice;
pub use error::ScratchError;
pub use leftovers::dead_databases;
pub use replay::Replay;
pub use scratch_server::ScratchServer;
pub use scratch_servers::ScratchServers;
