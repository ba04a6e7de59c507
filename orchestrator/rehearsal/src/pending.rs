//! Selects which migrations of a service are rehearsed, and what the database contains before them.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::History;
use domain::{Migration, Service, ServiceName, Version};
use engine::inspect::{Target, inspect};
use engine::reconcile::reconcile;
use pg_address::DatabaseAddress;
use service_cli::command::{Context, Selected, select};

use super::archive::Archive;
use drift::{CohostedService, configured_neighbors};
use scratch::{ScratchError, ScratchServers};

/// Which migrations are rehearsed.
#[derive(Clone, Debug)]
pub enum Scope {
    /// Migrations that are not applied. A live database that does not exist has none applied.
    Pending(Origin),
    /// All migrations. The live database is not read.
    Every,
}

/// The database on which pending migrations are rehearsed.
#[derive(Clone, Debug)]
pub enum Origin {
    /// An empty database on which the applied migrations are replayed.
    Empty,
    /// The schema of the live database.
    Live,
    /// Backups, rows included. A service without a backup is omitted.
    Backups(BTreeMap<ServiceName, Arc<Archive>>),
}

/// The rehearsal work for one service.
#[derive(Clone, Debug)]
pub struct Work {
    /// The service to rehearse.
    pub service: Arc<Service>,
    /// The address of its database; that of the live database only if scratch databases are on the live server.
    pub address: DatabaseAddress,
    /// The history table of the service.
    pub history_table: String,
    /// Versions that are replayed first, oldest first.
    pub applied: Vec<Version>,
    /// Versions that are rehearsed, oldest first.
    pub pending: Vec<Version>,
    /// Services in the same database that it depends on, with their versions that are applied before it.
    pub below: Vec<CohostedService>,
    /// The other services in the same database, with their applied versions.
    pub beside: Vec<CohostedService>,
    /// The archive that fills the database; if set, applied migrations are not replayed.
    pub archive: Option<Arc<Archive>>,
}

impl Work {
    /// All migrations of a single service in memory.
    pub fn every(service: Arc<Service>, address: DatabaseAddress, history_table: String) -> Self {
        Self {
            pending: versions(&service),
            applied: Vec::new(),
            below: Vec::new(),
            beside: Vec::new(),
            archive: None,
            service,
            address,
            history_table,
        }
    }

    /// Determines what to rehearse of a service.
    ///
    /// # Errors
    /// When the live database is needed and unreachable, or in a state that a run would refuse.
    pub async fn of(
        scratch_servers: &ScratchServers<'_>,
        name: &ServiceName,
        selected: &Selected,
        scope: &Scope,
    ) -> Result<Option<Self>, ScratchError> {
        let context = scratch_servers.context();
        let Some(service) = context.fleet.service(name) else {
            return Ok(None);
        };
        match scope {
            Scope::Every => {
                let address = scratch_servers.address(service, selected).await?;
                let history_table = context.history_table(service).to_owned();
                let mut work = Self::every(Arc::new(service.clone()), address, history_table);
                for neighbor in NeighborService::all(context, &work.service) {
                    if neighbor.is_needed {
                        let versions = versions(&neighbor.service);
                        work.below.push(neighbor.with(versions));
                    }
                }
                Ok(Some(work))
            }
            Scope::Pending(origin) => Self::pending(scratch_servers, name, selected, origin).await,
        }
    }

    async fn pending(
        scratch_servers: &ScratchServers<'_>,
        name: &ServiceName,
        selected: &Selected,
        origin: &Origin,
    ) -> Result<Option<Self>, ScratchError> {
        let context = scratch_servers.context();
        let targets = context.targets([name], selected, false).await?;
        let Some(target) = targets.get(name) else {
            return Ok(None);
        };
        let Some((history, exists)) = history_of(context, target, target, origin).await? else {
            return Ok(None);
        };
        let is_archived = match origin {
            Origin::Empty => false,
            Origin::Live => exists,
            Origin::Backups(_) => true,
        };
        let replayed = |applied: Vec<Version>| if is_archived { Vec::new() } else { applied };
        let to_apply = reconcile(&target.service, &history).to_apply(None)?;
        let mut work = Self {
            pending: to_apply.iter().map(|it| it.version).collect(),
            applied: replayed(CohostedService::of_target(target, &history)?.applied),
            service: Arc::clone(&target.service),
            address: target.address.clone(),
            history_table: target.history_table.clone(),
            below: Vec::new(),
            beside: Vec::new(),
            archive: None,
        };
        for neighbor in NeighborService::all(context, &target.service) {
            let other = Target {
                service: Arc::clone(&neighbor.service),
                address: target.address.clone(),
                history_table: neighbor.history_table.clone(),
                legacy_table: None,
                may_create: false,
            };
            let found = history_of(context, &other, target, origin).await?;
            let (history, _) = found.unwrap_or_default();
            let applied = CohostedService::of_target(&other, &history)?.applied;
            if neighbor.is_needed {
                let mut versions = versions(&neighbor.service);
                versions.retain(|version| !(is_archived && applied.contains(version)));
                work.below.push(neighbor.with(versions));
            } else {
                work.beside.push(neighbor.with(replayed(applied)));
            }
        }
        work.archive = match origin {
            Origin::Live if exists && !work.pending.is_empty() => {
                let tables = work.history_tables();
                Some(Arc::new(Archive::of_live(context, target, &tables).await?))
            }
            Origin::Backups(archives) => archives.get(name).cloned(),
            Origin::Empty | Origin::Live => None,
        };
        Ok(Some(work))
    }

    /// The migrations that are rehearsed, oldest first.
    pub fn migrations(&self) -> Vec<&Migration> {
        self.pick(&self.pending)
    }

    /// The history tables of all services in the database.
    pub fn history_tables(&self) -> Vec<&str> {
        let others = self.below.iter().chain(&self.beside);
        std::iter::once(self.history_table.as_str())
            .chain(others.map(|it| it.history_table.as_str()))
            .collect()
    }

    /// The migrations before the one at this index in [`Self::pending`].
    pub(super) fn before(&self, index: usize) -> Vec<&Migration> {
        let rehearsed = self.pending.get(..index).unwrap_or(&self.pending);
        [self.pick(&self.applied), self.pick(rehearsed)].concat()
    }

    /// All migrations that are run on the scratch database.
    pub(super) fn all(&self) -> Vec<&Migration> {
        let others = self.below.iter().chain(&self.beside);
        others
            .flat_map(CohostedService::migrations)
            .chain(self.before(self.pending.len()))
            .collect()
    }

    fn pick(&self, versions: &[Version]) -> Vec<&Migration> {
        versions
            .iter()
            .filter_map(|version| self.service.migration(*version))
            .collect()
    }
}

fn versions(service: &Service) -> Vec<Version> {
    service.migrations.iter().map(|it| it.version).collect()
}

/// The history of a service, and whether its database exists; `None` if the rehearsed service has no backup.
async fn history_of(
    context: &Context,
    target: &Target,
    rehearsed: &Target,
    origin: &Origin,
) -> Result<Option<(History, bool)>, ScratchError> {
    if let Origin::Backups(archives) = origin {
        return match archives.get(&rehearsed.service.name) {
            Some(archive) => Ok(Some((archive.history(&target.history_table).await?, true))),
            None => Ok(None),
        };
    }
    let inspection = inspect(&context.connections(), target).await?;
    Ok(Some((inspection.history, inspection.exists)))
}

/// Another service in the same database.
struct NeighborService {
    service: Arc<Service>,
    history_table: String,
    /// Whether the rehearsed service depends on it: then all its migrations are applied first, as in a run.
    is_needed: bool,
}

impl NeighborService {
    /// The services beside `service`, dependencies first.
    fn all(context: &Context, service: &Service) -> Vec<Self> {
        let needed = |service: &Service| {
            select(&context.fleet, &[service.name.to_string()], true)
                .map(|selected| selected.names)
                .unwrap_or_default()
        };
        let own = needed(service);
        let mut neighbors = configured_neighbors(context, service);
        // A dependency has fewer dependencies than the services that depend on it.
        neighbors.sort_by_key(|(neighbor, _)| needed(neighbor).len());
        neighbors
            .into_iter()
            .map(|(service, history_table)| Self {
                is_needed: own.contains(&service.name),
                service,
                history_table,
            })
            .collect()
    }

    fn with(self, applied: Vec<Version>) -> CohostedService {
        CohostedService {
            service: self.service,
            history_table: self.history_table,
            applied,
        }
    }
}
