//! The services that are migrated together.

use std::collections::BTreeMap;

use super::{Requirement, Service, ServiceName};

/// A set of services. The constructor checks that every reference between them resolves.
#[derive(Clone, Debug, Default)]
pub struct Fleet {
    services: BTreeMap<ServiceName, Service>,
}

impl Fleet {
    /// Builds a fleet, and checks its references and databases.
    pub fn new(services: impl IntoIterator<Item = Service>) -> Result<Self, FleetError> {
        let mut fleet = Self::default();
        for service in services {
            if let Some(earlier) = fleet.services.get(&service.name) {
                return Err(FleetError::NamedTwice {
                    path: service.path,
                    name: service.name.clone(),
                    earlier: earlier.path.clone(),
                });
            }
            fleet.services.insert(service.name.clone(), service);
        }
        fleet.check_references()?;
        fleet.check_databases()?;
        Ok(fleet)
    }

    /// The service with a name.
    pub fn service(&self, name: &ServiceName) -> Option<&Service> {
        self.services.get(name)
    }

    /// All services, by name.
    pub fn services(&self) -> impl ExactSizeIterator<Item = &Service> {
        self.services.values()
    }

    /// All names, in order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &ServiceName> {
        self.services.keys()
    }

    fn check_references(&self) -> Result<(), FleetError> {
        for service in self.services.values() {
            for dependency in &service.depends_on {
                if !self.services.contains_key(dependency) {
                    return Err(FleetError::UnknownDependency {
                        path: service.path.clone(),
                        dependency: dependency.clone(),
                        known: self.known(),
                    });
                }
            }
            for migration in &service.migrations {
                for requirement in &migration.script.directives.requires {
                    self.check_requirement(&migration.script.path, requirement)?;
                }
            }
        }
        Ok(())
    }

    fn check_requirement(&self, path: &str, requirement: &Requirement) -> Result<(), FleetError> {
        match self.services.get(&requirement.service) {
            None => Err(FleetError::UnknownRequiredService {
                path: path.to_owned(),
                requirement: requirement.clone(),
                known: self.known(),
            }),
            Some(required) if required.migration(requirement.version).is_none() => {
                Err(FleetError::UnknownRequiredVersion {
                    path: path.to_owned(),
                    requirement: requirement.clone(),
                })
            }
            Some(_) => Ok(()),
        }
    }

    fn check_databases(&self) -> Result<(), FleetError> {
        let mut histories: BTreeMap<(&str, Option<&str>), &Service> = BTreeMap::new();
        for service in self.services.values() {
            let key = (service.database.as_str(), service.history_table.as_deref());
            if let Some(other) = histories.insert(key, service) {
                return Err(FleetError::SharedHistory {
                    path: service.path.clone(),
                    database: service.database.clone(),
                    other: other.name.clone(),
                });
            }
        }
        Ok(())
    }

    fn known(&self) -> String {
        let names: Vec<_> = self.names().map(ServiceName::as_str).collect();
        names.join(", ")
    }
}

/// Why services are not a valid fleet. Each error names the file.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    #[error("{path}: service {name} is already described in {earlier}; rename one of them")]
    NamedTwice {
        /// The second `service.toml`.
        path: String,
        name: ServiceName,
        /// The first `service.toml`.
        earlier: String,
    },
    /// `depends_on` names an unknown service.
    #[error("{path}: unknown service {dependency} in depends_on; known services: {known}")]
    UnknownDependency {
        /// The `service.toml`.
        path: String,
        /// The unknown name.
        dependency: ServiceName,
        known: String,
    },
    /// A `requires` directive names an unknown service.
    #[error("{path}: unknown service {} in `requires {requirement}`; known services: {known}", requirement.service)]
    UnknownRequiredService {
        /// The migration.
        path: String,
        requirement: Requirement,
        known: String,
    },
    /// A `requires` directive names a version that the other service does not have.
    #[error("{path}: unknown version in `requires {requirement}`: {} has no such migration", requirement.service)]
    UnknownRequiredVersion {
        /// The migration.
        path: String,
        requirement: Requirement,
    },
    #[error(
        "{path}: service {other} also uses the database {database}; give each its own history_table in service.toml"
    )]
    SharedHistory {
        /// The second `service.toml`.
        path: String,
        database: String,
        /// The first service.
        other: ServiceName,
    },
}
