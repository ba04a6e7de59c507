//! Selects migrations: all, or those that differ from the merged state.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use domain::{Finding, Service, ServiceName, Version};

use super::Paths;
use crate::git::{Change, Changes, GitError};

/// The selected migrations.
#[derive(Debug, Default)]
pub struct Scope {
    changed: Option<Changed>,
}

#[derive(Debug)]
struct Changed {
    migrations: BTreeSet<(ServiceName, Version)>,
    /// The services whose `schema.sql` differs.
    schemas: BTreeSet<ServiceName>,
    /// The new lines of changed files, by their paths in findings.
    lines: BTreeMap<String, Vec<RangeInclusive<u32>>>,
}

impl Scope {
    /// Selects all migrations.
    pub fn everything() -> Self {
        Self::default()
    }

    /// Selects the migrations with an added or edited file.
    ///
    /// # Errors
    /// When git fails.
    pub fn changed(
        services: &[&Service],
        changes: &Changes,
        paths: &Paths,
    ) -> Result<Self, GitError> {
        let mut migrations = BTreeSet::new();
        let (mut schemas, mut lines) = (BTreeSet::new(), BTreeMap::new());
        for service in services {
            let schema = service.path.replace("service.toml", "schema.sql");
            if changes.of(&paths.relative(&schema)).is_some() {
                schemas.insert(service.name.clone());
            }
            for migration in &service.migrations {
                for script in [Some(&migration.script), migration.revert.as_ref()]
                    .into_iter()
                    .flatten()
                {
                    let path = paths.relative(&script.path);
                    if matches!(changes.of(&path), Some(Change::Added | Change::Edited)) {
                        migrations.insert((service.name.clone(), migration.version));
                        lines.insert(script.path.clone(), changes.lines(&path)?);
                    }
                }
            }
        }
        Ok(Self {
            changed: Some(Changed {
                migrations,
                schemas,
                lines,
            }),
        })
    }

    /// Whether a migration is selected.
    pub fn has(&self, service: &ServiceName, version: Version) -> bool {
        self.changed
            .as_ref()
            .is_none_or(|changed| changed.migrations.contains(&(service.clone(), version)))
    }

    /// Whether the schema of a service is selected: that of its migrations, or `schema.sql`.
    pub fn has_schema_of(&self, service: &Service) -> bool {
        let changed = self.changed.as_ref();
        changed.is_none_or(|changed| changed.schemas.contains(&service.name))
            || self.count(service) > 0
    }

    /// Whether a migration is known not to be merged.
    pub fn is_new(&self, service: &ServiceName, version: Version) -> bool {
        self.changed.is_some() && self.has(service, version)
    }

    /// The number of selected migrations of a service.
    pub fn count(&self, service: &Service) -> usize {
        let migrations = service.migrations.iter();
        migrations
            .filter(|migration| self.has(&service.name, migration.version))
            .count()
    }

    /// Whether a finding is about a selected migration.
    pub fn has_finding(&self, finding: &Finding) -> bool {
        finding
            .version
            .is_none_or(|version| self.has(&finding.service, version))
    }

    /// Whether a finding is on new lines. A finding about a file as a whole counts if the file differs.
    pub fn is_on_new_lines(&self, finding: &Finding) -> bool {
        let Some(changed) = &self.changed else {
            return true;
        };
        let Some(place) = finding.place else {
            return true;
        };
        changed.lines.get(&finding.file).is_some_and(|ranges| {
            ranges
                .iter()
                .any(|lines| *lines.start() <= place.end_line && place.line <= *lines.end())
        })
    }
}
