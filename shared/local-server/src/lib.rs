//! The project's own PostgreSQL servers, run from installed server binaries.
//!
//! Responsible for: finding the binaries, the local server that a fresh clone uses when nothing is
//! configured ([`LocalServer`]), and throw-away servers for tests and scratch ([`TestCluster`]).
//! Not for: connecting (callers get a URL) and servers that other programs run.

mod account;
mod binaries;
mod cluster;
mod error;
mod files;
mod home;
mod lock;
mod place;
mod port;
mod postmaster;
mod running;
mod server;
mod settings;
mod throwaway;
mod version;

pub use account::Account;
pub use binaries::{Binaries, BinariesError, folders_with};
pub use error::LocalServerError;
pub use running::{Origin, Running, Status};
pub use server::LocalServer;
pub use settings::SUPERUSER;
pub use throwaway::{TestCluster, TestClusterOptions};
pub use version::Version;
