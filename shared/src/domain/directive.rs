//! What a file's leading comments ask of the engine, as data. Reading them is the business of `source::directives`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;

use super::{ServiceName, Version};

/// `requires auth@1707500000000`: a migration of another service that must be applied first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Requirement {
    /// The other service.
    pub service: ServiceName,
    /// Its migration.
    pub version: Version,
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.service, self.version)
    }
}

impl FromStr for Requirement {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (service, version) = text
            .split_once('@')
            .ok_or_else(|| format!("`{text}` is not of the form service@version"))?;
        Ok(Self {
            service: service.parse().map_err(|error| format!("{error}"))?,
            version: version.parse()?,
        })
    }
}

/// `allow <rule> "why"`: one check that is silenced for this file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allow {
    /// The check.
    pub rule: String,
    /// The reason, for the reviewer.
    pub reason: String,
}

/// Everything that one file's directives say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directives {
    /// Other services' migrations that come first.
    pub requires: Vec<Requirement>,
    /// Run statement by statement, each recorded, resumable.
    pub no_transaction: bool,
    /// Why the migration cannot be undone.
    pub irreversible: Option<String>,
    /// `lock_timeout` for this file.
    pub lock_timeout: Option<Duration>,
    /// `statement_timeout` for this file.
    pub statement_timeout: Option<Duration>,
    /// Checks silenced with a reason.
    pub allow: Vec<Allow>,
}
