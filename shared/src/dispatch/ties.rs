//! What ties a step to the databases of other services while it runs.
//!
//! A migration that requires another service's holds the gate of that database, shared, until it is committed. A revert of a migration
//! that others require takes the gate of its own database alone, and then looks whether any of them is applied. Whichever comes first, the
//! other sees what it did: between separate processes, too. Whoever holds a gate waits for no other run (ADR 0026).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::domain::{
    EventKind, Gate, Migration, Refusal, RefusalKind, ServiceName, Version, commented, suggest,
};
use crate::gates;
use crate::inspect::{ServiceError, Target};
use crate::postgres::{
    ConnectError, Connections, GateHold, LockedSession, Permit, Session, is_in_doubt, read_history,
};
use crate::reconcile::History;

/// The command that applies what a service lacks.
pub type MeetGate = Box<dyn Fn(&ServiceName) -> String + Send + Sync>;

/// The services that a run is tied to, and where their databases are.
pub struct Ties {
    /// Those that its steps require something of, and those that require something of its steps.
    pub targets: BTreeMap<ServiceName, Arc<Target>>,
    /// The command that meets a gate on a service.
    pub meet: MeetGate,
}

/// What it takes to wait for a gate.
pub(super) struct Patience<'a> {
    pub(super) connections: &'a Connections,
    pub(super) wait: Duration,
    pub(super) halted: watch::Receiver<u32>,
    pub(super) say: &'a (dyn Fn(EventKind) + Send + Sync),
}

/// What a step holds of other databases; given back when dropped.
#[derive(Default)]
pub(super) struct HeldGates {
    pub(super) gates: Vec<GateHold>,
    /// The right to connections beyond the bound, where none were free.
    beyond: Option<Permit>,
}

impl Ties {
    /// Holds the gates of what a migration requires, but for those in databases that are locked anyway.
    pub(super) async fn hold(
        &self,
        service: &ServiceName,
        migrations: &[&Migration],
        is_locked: impl Fn(&Target) -> bool,
        patience: &Patience<'_>,
    ) -> Result<HeldGates, ServiceError> {
        let mut required: BTreeMap<&ServiceName, BTreeSet<Version>> = BTreeMap::new();
        for requirement in migrations
            .iter()
            .flat_map(|migration| &migration.script.directives.requires)
        {
            let versions = required.entry(&requirement.service).or_default();
            versions.insert(requirement.version);
        }
        let mut held = HeldGates::default();
        for (name, versions) in required {
            let Some(target) = self.targets.get(name).filter(|target| !is_locked(target)) else {
                continue;
            };
            let gate = Gate {
                service: name.clone(),
                versions: versions.into_iter().collect(),
            };
            let refusal =
                |missing: &Gate| gates::refusal(service, missing, &(self.meet)(name), None);
            let opened = open(patience.connections, target, &mut held.beyond).await?;
            let Some(session) = opened else {
                return Err(refusal(&gate).into());
            };
            let mut halted = patience.halted.clone();
            let hold = GateHold::acquire(
                session,
                &target.history_table,
                patience.wait,
                &mut halted,
                |holder| (patience.say)(EventKind::LockWaiting { holder }),
            );
            let hold = hold
                .await
                .map_err(|source| ServiceError::lock(target, source))?;
            // Only now does it hold what is read.
            let reading = read_history(hold.session(), name, &target.history_table);
            let history = reading
                .await
                .map_err(|error| ServiceError::query(&target.address, error))?;
            if let Some(missing) = gates::unmet_in(&history, &gate) {
                return Err(refusal(&missing).into());
            }
            held.gates.push(hold);
        }
        Ok(held)
    }

    /// Before a migration is reverted: closes the gate of its database, where others require it, and refuses where one of those is
    /// applied. Gives whether the gate was closed.
    pub(super) async fn close(
        &self,
        locked: &LockedSession,
        reverted: &Target,
        version: Version,
        patience: &Patience<'_>,
    ) -> Result<bool, ServiceError> {
        let service = &reverted.service.name;
        let requiring: Vec<(&Arc<Target>, BTreeSet<Version>)> = self
            .targets
            .values()
            .map(|target| (target, requiring(target, service, version)))
            .filter(|(_, versions)| !versions.is_empty())
            .collect();
        if requiring.is_empty() {
            return Ok(false);
        }
        let mut halted = patience.halted.clone();
        let closing = locked.close_gate(patience.wait, &mut halted, |holder| {
            (patience.say)(EventKind::LockWaiting { holder })
        });
        closing
            .await
            .map_err(|source| ServiceError::lock(reverted, source))?;
        let mut beyond = None;
        for (target, versions) in requiring {
            let opened = open(patience.connections, target, &mut beyond).await;
            let looked = match opened {
                Ok(None) => continue,
                Ok(Some(mut session)) => look(&mut session, target).await,
                Err(error) => Err(error),
            };
            let (history, in_doubt) =
                looked.map_err(|error| unsure(service, version, target, &error))?;
            let standing = versions.iter().find(|it| stands(&history, **it));
            if standing.is_none() && !in_doubt {
                continue;
            }
            let name = &target.service.name;
            let (kind, message, next) = match standing {
                Some(standing) => (
                    RefusalKind::Required,
                    format!(
                        "{version} cannot be reverted: {name} {standing} requires it, and was applied after this revert was planned"
                    ),
                    commented(suggest(["revert", name.as_str()]), "revert that first"),
                ),
                None => (
                    RefusalKind::ReleaseInDoubt,
                    format!(
                        "{version} cannot be reverted: an atomic release that may have applied what requires it is in doubt in {}",
                        target.address
                    ),
                    commented(
                        suggest(["doctor", name.as_str(), "--fix"]),
                        "finish that first",
                    ),
                ),
            };
            return Err(Refusal {
                kind,
                service: Some(service.clone()),
                message,
                next,
            }
            .into());
        }
        Ok(true)
    }
}

/// The migrations of a service that require this one.
fn requiring(target: &Target, service: &ServiceName, version: Version) -> BTreeSet<Version> {
    let migrations = target.service.migrations.iter();
    migrations
        .filter(|migration| {
            let mut requires = migration.script.directives.requires.iter();
            requires.any(|it| it.service == *service && it.version == version)
        })
        .map(|migration| migration.version)
        .collect()
}

/// Whether a migration is applied, or half-done in either direction.
fn stands(history: &History, version: Version) -> bool {
    history.applied.iter().any(|row| row.version == version)
        || history.interrupted.iter().any(|it| it.version == version)
}

/// It may be reverted once that database can be looked at.
fn unsure(
    service: &ServiceName,
    version: Version,
    target: &Target,
    error: &ServiceError,
) -> ServiceError {
    let name = &target.service.name;
    ServiceError::Unsure {
        message: format!(
            "{service} {version} cannot be reverted: whether {name} requires it cannot be looked up: {}",
            error.chain()
        ),
        next: commented(
            suggest(["status", name.as_str()]),
            "see to that database first",
        ),
    }
}

/// `None`: there is no such database.
async fn open(
    connections: &Connections,
    target: &Target,
    beyond: &mut Option<Permit>,
) -> Result<Option<Session>, ServiceError> {
    let opening = connections.session_beside(&target.address, &target.history_table, beyond);
    match opening.await {
        Ok(session) => Ok(Some(session)),
        Err(ConnectError::DatabaseMissing { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn look(session: &mut Session, target: &Target) -> Result<(History, bool), ServiceError> {
    let looking = async {
        if !session.knows_all_tables() {
            session.refresh(&target.history_table).await?;
        }
        tokio::try_join!(
            biased;
            read_history(session, &target.service.name, &target.history_table),
            is_in_doubt(session.client()),
        )
    };
    looking
        .await
        .map_err(|error| ServiceError::query(&target.address, error))
}
