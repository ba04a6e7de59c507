//! A service: its name, its database and its migrations.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Migration, Version};

/// The name of a service: the name of its folder.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
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
        let has_valid_start = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        let has_valid_characters = text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
        if has_valid_start && has_valid_characters && text != "all" {
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

/// An invalid service name.
#[derive(Debug, thiserror::Error)]
#[error("invalid service name `{name}`: use letters, digits, - and _; `all` is reserved")]
pub struct ServiceNameError {
    /// The invalid name.
    pub name: String,
}

/// One service as its folder describes it.
#[derive(Clone, Debug)]
pub struct Service {
    /// The name, which is the name of its folder.
    pub name: ServiceName,
    /// The name of its database, which the configuration can override.
    pub database: String,
    /// The services whose pending migrations are applied before any of its own.
    pub depends_on: Vec<ServiceName>,
    /// Its history table, if it is not refinery's default `refinery_schema_history`.
    pub history_table: Option<String>,
    /// The table with TypeORM's history.
    pub legacy_table: Option<String>,
    /// A description, for display only.
    pub description: Option<String>,
    /// The responsible team, for display only.
    pub owner: Option<String>,
    /// The path of its `service.toml`, for error messages.
    pub path: String,
    /// Its migrations, ascending by version, without duplicates.
    pub migrations: Vec<Migration>,
}

impl Service {
    /// The migration with a version.
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
