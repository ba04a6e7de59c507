//! Services compiled into the binary by `refinery::embed_migrations!`.

use std::collections::BTreeMap;
use std::sync::Arc;

use refinery::Runner;
use service_layout::{FileName, LayoutError};

use super::assemble::{SourceError, Text, assemble};
use super::definition::Definition;
use domain::{Fleet, Service, Version};

/// A service as its crate embeds it. The build script has checked names and folders.
#[derive(Debug)]
pub struct EmbeddedService {
    /// The folder's name.
    pub folder: &'static str,
    /// The text of `service.toml`.
    pub definition: &'static str,
    /// `embed_migrations!("migrations")`.
    pub migrations: fn() -> Runner,
    /// `embed_migrations!("reverts")`.
    pub reverts: fn() -> Runner,
    /// The services whose versions its gates query: `depends_on` and those that it `requires`.
    pub dependencies: &'static [&'static Self],
    /// The migrations of other services that require one of its migrations.
    pub dependents: &'static [EmbeddedDependent],
}

/// The migrations of another service that require one of ours, as the build script found them.
#[derive(Debug)]
pub struct EmbeddedDependent {
    /// The folder's name.
    pub folder: &'static str,
    /// The text of its `service.toml`.
    pub definition: &'static str,
    /// File names without `.sql`, and contents.
    pub migrations: &'static [(&'static str, &'static str)],
}

impl EmbeddedDependent {
    /// The other service with only those migrations: enough to determine whether they are applied.
    pub fn load(&self) -> Result<Service, SourceError> {
        let path = format!("services/{}/service.toml", self.folder);
        let definition = Definition::parse(&path, self.definition)?;
        let mut texts = Vec::new();
        for (stem, sql) in self.migrations {
            let file_path = format!("services/{}/migrations/{stem}.sql", self.folder);
            let name = FileName::parse(&format!("{stem}.sql")).map_err(|problem| {
                LayoutError::Misnamed {
                    path: file_path.clone().into(),
                    problem,
                }
            })?;
            texts.push(Text {
                version: Version::new(name.version),
                name: name.name,
                path: file_path,
                sql: Arc::from(*sql),
            });
        }
        texts.sort_by_key(|text| text.version);
        assemble(&path, definition, texts, Vec::new())
    }
}

impl EmbeddedService {
    /// The fleet of these services and all that they depend on, each once.
    pub fn fleet(services: &[&'static Self]) -> Result<Fleet, SourceError> {
        let mut found = BTreeMap::new();
        let mut open: Vec<&'static Self> = services.to_vec();
        while let Some(service) = open.pop() {
            if found.insert(service.folder, service).is_none() {
                open.extend(service.dependencies);
            }
        }
        let services = found
            .into_values()
            .map(Self::load)
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Fleet::new(services)?)
    }

    fn load(&self) -> Result<Service, SourceError> {
        let path = format!("services/{}/service.toml", self.folder);
        let definition = Definition::parse(&path, self.definition)?;
        assemble(
            &path,
            definition,
            self.texts("migrations", self.migrations),
            self.texts("reverts", self.reverts),
        )
    }

    fn texts(&self, kind: &str, runner: fn() -> Runner) -> Vec<Text> {
        let mut texts: Vec<Text> = runner()
            .get_migrations()
            .iter()
            .map(|migration| Text {
                version: Version::new(migration.version()),
                name: migration.name().to_owned(),
                path: format!(
                    "services/{}/{kind}/V{}__{}.sql",
                    self.folder,
                    migration.version(),
                    migration.name()
                ),
                sql: Arc::from(migration.sql().unwrap_or_default()),
            })
            .collect();
        texts.sort_by_key(|text| text.version);
        texts
    }
}
