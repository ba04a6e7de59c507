//! The location of a service's database, as returned by [`Configuration::locate`](super::Configuration::locate).

use super::Origin;
use pg_address::DatabaseAddress;

/// The services that a command selects, which determines the meaning of `DATABASE_URL`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection<'a> {
    /// This service alone; others are only queried (gates).
    One(&'a str),
    /// Several services.
    Many,
}

/// The location of a service's database.
#[derive(Debug, Clone)]
pub enum Location {
    /// On a configured server.
    Configured {
        /// The address, with the service's database.
        address: DatabaseAddress,
        /// The origin of the address.
        origin: Origin,
    },
    /// Not configured: on the project's local server, which may have to be started.
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
