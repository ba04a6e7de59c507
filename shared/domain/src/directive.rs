//! The directives in a file's leading comments, as data. `source::directives` parses them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::{ServiceName, Version};

/// `requires auth@1707500000000`: a migration of another service that must be applied first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
pub struct Requirement {
    /// The required service.
    pub service: ServiceName,
    /// The version of the required migration.
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

/// `allow <rule> "reason"`: one rule that is silenced for this file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allow {
    /// The slug of the rule.
    pub rule: String,
    /// The reason, for the reviewer.
    pub reason: String,
}

/// All directives of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directives {
    /// Migrations of other services that must be applied first.
    pub requires: Vec<Requirement>,
    /// Whether the file runs statement by statement, each recorded and resumable.
    pub no_transaction: bool,
    /// Why the migration cannot be undone.
    pub irreversible: Option<String>,
    /// `lock_timeout` for this file.
    pub lock_timeout: Option<Duration>,
    /// `statement_timeout` for this file.
    pub statement_timeout: Option<Duration>,
    /// Rules that are silenced, with the reason.
    pub allow: Vec<Allow>,
}
