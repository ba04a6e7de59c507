//! `service.toml`: name, database and dependencies of a service.

use serde::Deserialize;

use domain::ServiceName;

/// The content of a `service.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Definition {
    pub(super) name: ServiceName,
    pub(super) database: String,
    #[serde(default)]
    pub(super) depends_on: Vec<ServiceName>,
    pub(super) history_table: Option<String>,
    pub(super) legacy_table: Option<String>,
    pub(super) description: Option<String>,
    pub(super) owner: Option<String>,
}

impl Definition {
    pub(super) fn parse(path: &str, text: &str) -> Result<Self, DefinitionError> {
        let definition: Self = toml::from_str(text).map_err(|error| DefinitionError::Toml {
            path: path.to_owned(),
            line: error.span().map_or(1, |span| {
                text[..span.start.min(text.len())].matches('\n').count() + 1
            }),
            problem: error.message().to_owned(),
        })?;
        if definition.database.is_empty() || definition.database.len() > 63 {
            return Err(DefinitionError::Database {
                path: path.to_owned(),
                database: definition.database,
            });
        }
        Ok(definition)
    }
}

/// An error in a `service.toml`.
#[derive(Debug, thiserror::Error)]
pub enum DefinitionError {
    #[error("{path}:{line}: {problem}")]
    Toml {
        /// The file.
        path: String,
        line: usize,
        /// What is wrong.
        problem: String,
    },
    #[error("{path}: invalid database name `{database}`: use 1 to 63 bytes")]
    Database {
        /// The file.
        path: String,
        database: String,
    },
}
