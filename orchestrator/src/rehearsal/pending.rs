//! Which migrations of a service are rehearsed, and what stands in the database before them.

use std::sync::Arc;

use shared::command::{Selected, select};
use shared::config::DatabaseAddress;
use shared::domain::{Direction, Migration, Service, ServiceName, Version};
use shared::inspect::{Target, inspect};
use shared::planning;
use shared::reconcile::reconcile;

use crate::drift::{Resident, housemates};
use crate::scratch::{ScratchError, Workshop};

/// Which migrations are rehearsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those that the live database has not applied. A database that does not exist has applied none.
    Pending,
    /// All. The live database is not asked.
    Every,
}

/// What is rehearsed of one service.
#[derive(Clone, Debug)]
pub struct Work {
    /// The service.
    pub service: Arc<Service>,
    /// The address of its database; only that of the live one where scratch databases stand beside it.
    pub address: DatabaseAddress,
    /// Its history table.
    pub history_table: String,
    /// What is applied before, oldest first.
    pub applied: Vec<Version>,
    /// What is rehearsed, oldest first.
    pub pending: Vec<Version>,
    /// Services in the same database that it depends on, with what of theirs stands there before it.
    pub below: Vec<Resident>,
    /// The other services in the same database, with what they have applied.
    pub beside: Vec<Resident>,
}

impl Work {
    /// All migrations of a service on its own, as it stands in memory.
    pub fn every(service: Arc<Service>, address: DatabaseAddress, history_table: String) -> Self {
        Self {
            pending: versions(&service),
            applied: Vec::new(),
            below: Vec::new(),
            beside: Vec::new(),
            service,
            address,
            history_table,
        }
    }

    /// Finds out what is to be rehearsed of a service.
    ///
    /// # Errors
    /// When the live database is asked and cannot be reached, or has what a run would refuse; when a file is not one that the
    /// engine runs.
    pub async fn of(
        workshop: &Workshop<'_>,
        name: &ServiceName,
        selected: &Selected,
        scope: Scope,
    ) -> Result<Option<Self>, ScratchError> {
        let context = workshop.context();
        let Some(service) = context.fleet.service(name) else {
            return Ok(None);
        };
        let mut work = match scope {
            Scope::Every => Self::every(
                Arc::new(service.clone()),
                workshop.address(service, selected).await?,
                context.history_table(service).to_owned(),
            ),
            Scope::Pending => Self::pending(workshop, name, service, selected).await?,
        };
        (work.below, work.beside) = housemates_of(workshop, &work, scope).await?;
        work.refuse_unusable()?;
        Ok(Some(work))
    }

    async fn pending(
        workshop: &Workshop<'_>,
        name: &ServiceName,
        service: &Service,
        selected: &Selected,
    ) -> Result<Self, ScratchError> {
        let context = workshop.context();
        let targets = context.targets([name], selected, false).await?;
        let Some(target) = targets.get(name) else {
            return Ok(Self::every(
                Arc::new(service.clone()),
                workshop.address(service, selected).await?,
                context.history_table(service).to_owned(),
            ));
        };
        let history = inspect(&context.connections(), target).await?.history;
        let to_apply = reconcile(&target.service, &history).to_apply(None)?;
        let pending: Vec<Version> = to_apply.iter().map(|it| it.version).collect();
        let applied = Resident::of_target(target, &history)?.applied;
        Ok(Self {
            service: Arc::clone(&target.service),
            address: target.address.clone(),
            history_table: target.history_table.clone(),
            applied,
            pending,
            below: Vec::new(),
            beside: Vec::new(),
        })
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

    /// What stands before the one of this index in [`Self::pending`].
    pub(super) fn before(&self, index: usize) -> Vec<&Migration> {
        let rehearsed = self.pending.get(..index).unwrap_or(&self.pending);
        [self.pick(&self.applied), self.pick(rehearsed)].concat()
    }

    /// All migrations that are run on the scratch database.
    pub(super) fn all(&self) -> Vec<&Migration> {
        let others = self.below.iter().chain(&self.beside);
        others
            .flat_map(Resident::migrations)
            .chain(self.before(self.pending.len()))
            .collect()
    }

    fn pick(&self, versions: &[Version]) -> Vec<&Migration> {
        versions
            .iter()
            .filter_map(|version| self.service.migration(*version))
            .collect()
    }

    /// Refuses files that the engine does not run before anything is begun.
    fn refuse_unusable(&self) -> Result<(), ScratchError> {
        for migration in self.migrations() {
            planning::step(&self.service, migration, Direction::Up)
                .map_err(shared::command::CommandError::from)?;
            if migration.is_reversible() {
                planning::step(&self.service, migration, Direction::Down)
                    .map_err(shared::command::CommandError::from)?;
            }
        }
        Ok(())
    }
}

fn versions(service: &Service) -> Vec<Version> {
    service.migrations.iter().map(|it| it.version).collect()
}

/// The services in the same database: those that a service depends on, with all their migrations, as they are when the service's own
/// are run; and others with what they have applied.
async fn housemates_of(
    workshop: &Workshop<'_>,
    work: &Work,
    scope: Scope,
) -> Result<(Vec<Resident>, Vec<Resident>), ScratchError> {
    let context = workshop.context();
    let needed = |service: &Service| {
        select(&context.fleet, &[service.name.to_string()], true)
            .map(|selected| selected.names)
            .unwrap_or_default()
    };
    let own = needed(&work.service);
    let mut residents = Vec::new();
    for (service, history_table) in housemates(context, &work.service) {
        let applied = if own.contains(&service.name) {
            versions(&service)
        } else if scope == Scope::Every {
            continue;
        } else {
            let neighbour = Target {
                service: Arc::clone(&service),
                address: work.address.clone(),
                history_table: history_table.clone(),
                legacy_table: None,
                may_create: false,
            };
            let history = inspect(&context.connections(), &neighbour).await?.history;
            Resident::of_target(&neighbour, &history)?.applied
        };
        residents.push(Resident {
            service,
            history_table,
            applied,
        });
    }
    // Whoever is needed needs fewer itself.
    residents.sort_by_key(|resident| needed(&resident.service).len());
    Ok(residents
        .into_iter()
        .partition(|resident| own.contains(&resident.service.name)))
}
