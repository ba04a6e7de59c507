//! A service: its name, its database and its migrations.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Migration, Version};

/// The name of a service: the name of its folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServiceName(std::sync::Arc<str>);

impl ServiceName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for ServiceName {
    type Err = ServiceNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let starts_well = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        let reads_well = text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
        if starts_well && reads_well && text != "all" {
            Ok(Self(text.into()))
        } else {
            Err(ServiceNameError {
                name: text.to_owned(),
            })
        }
    }
}

impl TryFrom<String> for ServiceName {
    type Error = ServiceNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ServiceName> for String {
    fn from(name: ServiceName) -> Self {
        name.0.as_ref().to_owned()
    }
}

/// A text that cannot name a service.
#[derive(Debug, thiserror::Error)]
#[error("`{name}` cannot name a service: use letters, digits, - and _, and not the word `all`")]
pub struct ServiceNameError {
    /// The text.
    pub name: String,
}

/// One service as its folder describes it.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its name.
    pub name: ServiceName,
    /// The name of its database unless the configuration says otherwise.
    pub database: String,
    /// The services whose pending migrations come before any of its own.
    pub depends_on: Vec<ServiceName>,
    /// The table of its history where that is not refinery's `refinery_schema_history`.
    pub history_table: Option<String>,
    /// The table in which its application kept TypeORM's history.
    pub legacy_table: Option<String>,
    /// What it is, for people.
    pub description: Option<String>,
    /// Who answers for it, for people.
    pub owner: Option<String>,
    /// Its `service.toml`, for error messages.
    pub path: String,
    /// Its migrations, ascending by version, without duplicates.
    pub migrations: Vec<Migration>,
}

impl Service {
    /// The migration of a version.
    pub fn migration(&self, version: Version) -> Option<&Migration> {
        self.migrations
            .binary_search_by_key(&version, |migration| migration.version)
            .ok()
            .map(|index| &self.migrations[index])
    }

    /// The version of the newest migration.
    pub fn newest(&self) -> Option<Version> {
        self.migrations.last().map(|migration| migration.version)
    }
}
