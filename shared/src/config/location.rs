//! Where the database of a service is.
//!
//! Responsible for: the answer type of [`Configuration::locate`](super::Configuration::locate). Floor 1.

use super::{DatabaseAddress, Origin};

/// Which services a command is about; decides what `DATABASE_URL` means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection<'a> {
    /// This service alone; others are only looked at (gates).
    One(&'a str),
    /// Several services.
    Many,
}

/// Where the database of a service is.
#[derive(Debug, Clone)]
pub enum Location {
    /// On a configured server.
    Configured {
        /// The address, with the service's database.
        address: DatabaseAddress,
        /// Where the address came from.
        origin: Origin,
    },
    /// Nothing is configured: in the project's own local server, which may have to be started.
    Local {
        /// The name of the service's database.
        database: String,
    },
}

impl Location {
    /// The name of the database.
    #[must_use]
    pub fn database(&self) -> &str {
        match self {
            Self::Configured { address, .. } => address.database(),
            Self::Local { database } => database,
        }
    }

    /// The address, if a server is configured.
    #[must_use]
    pub fn address(&self) -> Option<&DatabaseAddress> {
        match self {
            Self::Configured { address, .. } => Some(address),
            Self::Local { .. } => None,
        }
    }
}
