//! Scratch databases: throw-away databases on which migrations are replayed, to see what they make. Floor 4.
//!
//! Responsible for where they are, that they are dropped whatever happens, and for the replay itself. Not for what anybody
//! compares with them.
//!
//! Each command that needs some takes an advisory lock of its own on the server, and its databases bear the number of
//! that lock: one whose lock is free belongs to nobody any more, and the next command drops it.

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
