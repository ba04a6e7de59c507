//! Builds a [`Service`] from file contents, for embedded and on-disk services alike.

use std::collections::BTreeMap;
use std::sync::Arc;

use service_layout::LayoutError;
use service_layout::files::FileError;

use super::definition::{Definition, DefinitionError};
use super::directives::{self, DirectiveError, FileKind};
use domain::{Diagnostic, FleetError, Migration, Script, Service, ServiceNameError, Version};
use store::checksum;

/// One SQL file as text.
pub(super) struct Text {
    pub(super) version: Version,
    pub(super) name: String,
    pub(super) path: String,
    pub(super) sql: Arc<str>,
}

/// Builds a service from its files. `path` is that of `service.toml`.
pub(super) fn assemble(
    path: &str,
    definition: Definition,
    migrations: Vec<Text>,
    reverts: Vec<Text>,
) -> Result<Service, SourceError> {
    let mut reverts: BTreeMap<Version, Text> = reverts
        .into_iter()
        .map(|text| (text.version, text))
        .collect();
    let migrations = migrations
        .into_iter()
        .map(|text| {
            let revert = reverts.remove(&text.version);
            migration(text, revert)
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Service {
        name: definition.name,
        database: definition.database,
        depends_on: definition.depends_on,
        history_table: definition.history_table,
        legacy_table: definition.legacy_table,
        description: definition.description,
        owner: definition.owner,
        path: path.to_owned(),
        migrations,
    })
}

/// Builds a migration from texts that are not written to files yet, each with its intended path.
///
/// # Errors
/// When a directive is wrong, or PostgreSQL or refinery does not accept the text or name.
pub fn migration_of(
    version: Version,
    name: &str,
    script: (String, String),
    revert: Option<(String, String)>,
) -> Result<Migration, SourceError> {
    let text = |(path, sql): (String, String)| Text {
        version,
        name: name.to_owned(),
        path,
        sql: sql.into(),
    };
    migration(text(script), revert.map(text))
}

fn migration(text: Text, revert: Option<Text>) -> Result<Migration, SourceError> {
    let checksum =
        checksum(text.version, &text.name, &text.sql).ok_or_else(|| SourceError::Unnamed {
            path: text.path.clone(),
        })?;
    let (version, name) = (text.version, text.name.clone());
    let script = script(text, FileKind::Migration)?;
    let revert = revert
        .map(|text| self::script(text, FileKind::Revert))
        .transpose()?
        .filter(has_statement);
    match &revert {
        Some(revert) if script.directives.irreversible.is_some() => {
            Err(SourceError::RevertOfIrreversible {
                path: revert.path.clone(),
                migration: script.path,
            })
        }
        _ => Ok(Migration {
            version,
            name,
            checksum,
            script,
            revert,
        }),
    }
}

/// Whether a revert undoes anything. Without a statement it is the skeleton that `generate` writes: running it would delete the
/// history row and change nothing else. A file that cannot be split is refused later, with its place.
fn has_statement(revert: &Script) -> bool {
    pg_sql::split(&revert.text).map_or(true, |statements| !statements.is_empty())
}

fn script(text: Text, kind: FileKind) -> Result<Script, SourceError> {
    if let Some(offset) = text.sql.find('\0') {
        return Err(SourceError::NulByte {
            path: text.path,
            line: text.sql[..offset].matches('\n').count() + 1,
        });
    }
    let directives = directives::parse(&text.path, &text.sql, kind)?;
    Ok(Script {
        path: text.path,
        text: text.sql,
        directives,
    })
}

/// Why services cannot be read. Each names the file.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A file or folder is missing, misplaced or of the wrong type.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// A `service.toml` is invalid.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// A directive is invalid.
    #[error(transparent)]
    Directive(#[from] DirectiveError),
    /// The services are inconsistent.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// A folder's name is not a valid service name.
    #[error("{path}: {source}")]
    FolderName {
        /// The folder.
        path: String,
        /// What is wrong with its name.
        source: ServiceNameError,
    },
    /// `name` in `service.toml` is not the folder's name.
    #[error("{path}: the name is {name}, but the folder is {folder}; rename one of them")]
    NameMismatch {
        /// The `service.toml`.
        path: String,
        name: String,
        folder: String,
    },
    #[error("cannot read the services folder: {0}")]
    Folder(FileError),
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    #[error(
        "{path}: no services found; name a folder that contains a folder with a service.toml for each service"
    )]
    NoService {
        /// The folder.
        path: String,
    },
    #[error("{path}:{line}: NUL byte, which PostgreSQL does not accept; remove it")]
    NulByte {
        /// The file.
        path: String,
        /// The line, 1-based.
        line: usize,
    },
    #[error("{path}: refinery does not accept this file name; rename it to V<version>__<name>.sql")]
    Unnamed {
        /// The file.
        path: String,
    },
    #[error("{path}: {migration} is marked irreversible; remove the directive or this file")]
    RevertOfIrreversible {
        /// The revert.
        path: String,
        migration: String,
    },
}

impl From<SourceError> for Diagnostic {
    fn from(error: SourceError) -> Self {
        Self::invalid(&error)
    }
}
