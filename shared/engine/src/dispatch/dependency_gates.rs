//! The dependencies of a step on the databases of other services while it runs.
//!
//! A migration that requires one of another service holds the gate of that database, shared, until it is committed. A revert of a
//! migration that others require takes the gate of its own database exclusively, and then checks whether any of them is applied.
//! Whichever comes first, the other one sees its effect, also between separate processes. A run that holds a gate waits for no other
//! run (ADR 0026).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::gates;
use crate::inspect::{ServiceError, Target};
use domain::History;
use domain::{
    EventKind, Gate, Migration, Refusal, RefusalKind, ServiceName, Version, commented, suggest,
};
use pg_session::{
    ConnectError, Connections, GateHold, LockedSession, Permit, Session, is_in_doubt,
};
use store::read_history;

/// The command that applies what a service lacks.
pub type MeetGate = Box<dyn Fn(&ServiceName) -> String + Send + Sync>;

/// The services that a run depends on or that depend on it, with their databases.
pub struct DependencyGates {
    /// The services that its steps require, and those that require its steps.
    pub targets: BTreeMap<ServiceName, Arc<Target>>,
    /// The command that meets a gate on a service.
    pub meet: MeetGate,
}

/// What is needed to wait for a gate.
pub(super) struct GateWait<'a> {
    pub(super) connections: &'a Connections,
    pub(super) wait: Duration,
    pub(super) halted: watch::Receiver<u32>,
    pub(super) say: &'a (dyn Fn(EventKind) + Send + Sync),
}

/// The gates that a step holds in other databases; released when dropped.
#[derive(Default)]
pub(super) struct HeldGates {
    pub(super) gates: Vec<GateHold>,
    /// The permit for connections beyond the limit, if none was free.
    beyond: Option<Permit>,
}

impl DependencyGates {
    /// Holds the gates of what a migration requires, except in databases that are locked already.
    pub(super) async fn hold(
        &self,
        service: &ServiceName,
        migrations: &[&Migration],
        is_locked: impl Fn(&Target) -> bool,
        gate_wait: &GateWait<'_>,
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
            let opened = open(gate_wait.connections, target, &mut held.beyond).await?;
            let Some(session) = opened else {
                return Err(refusal(&gate).into());
            };
            let mut halted = gate_wait.halted.clone();
            let hold = GateHold::acquire(
                session,
                &target.history_table,
                gate_wait.wait,
                &mut halted,
                |holder| (gate_wait.say)(EventKind::LockWaiting { holder }),
            );
            let hold = hold
                .await
                .map_err(|source| ServiceError::lock(target, source))?;
            // Only now: the gate keeps what is read here from being reverted.
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

    /// Before a migration is reverted: closes the gate of its database if others require it, and refuses if one of those is applied.
    /// Returns whether the gate was closed.
    pub(super) async fn close(
        &self,
        locked: &LockedSession,
        reverted: &Target,
        version: Version,
        gate_wait: &GateWait<'_>,
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
        let mut halted = gate_wait.halted.clone();
        let closing = locked.close_gate(gate_wait.wait, &mut halted, |holder| {
            (gate_wait.say)(EventKind::LockWaiting { holder })
        });
        closing
            .await
            .map_err(|source| ServiceError::lock(reverted, source))?;
        let mut beyond = None;
        for (target, versions) in requiring {
            let opened = open(gate_wait.connections, target, &mut beyond).await;
            let looked = match opened {
                Ok(None) => continue,
                Ok(Some(mut session)) => history_and_doubt(&mut session, target).await,
                Err(error) => Err(error),
            };
            let (history, in_doubt) =
                looked.map_err(|error| cannot_check(service, version, target, &error))?;
            let standing = versions
                .iter()
                .find(|it| is_applied_or_half_done(&history, **it));
            if standing.is_none() && !in_doubt {
                continue;
            }
            let name = &target.service.name;
            let (kind, message, next) = match standing {
                Some(standing) => (
                    RefusalKind::Required,
                    format!(
                        "cannot revert {version}: {name} {standing} requires it and was applied after this revert was planned"
                    ),
                    commented(suggest(["revert", name.as_str()]), "revert that first"),
                ),
                None => (
                    RefusalKind::ReleaseInDoubt,
                    format!(
                        "cannot revert {version}: {} has an atomic release in doubt that may have applied a migration that requires it",
                        target.address
                    ),
                    commented(
                        suggest(["doctor", name.as_str(), "--fix"]),
                        "finish the release first",
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
fn is_applied_or_half_done(history: &History, version: Version) -> bool {
    history.applied.iter().any(|row| row.version == version)
        || history.interrupted.iter().any(|it| it.version == version)
}

/// The error if that database cannot be checked.
fn cannot_check(
    service: &ServiceName,
    version: Version,
    target: &Target,
    error: &ServiceError,
) -> ServiceError {
    let name = &target.service.name;
    let cause = error.diagnostic().within(format!(
        "cannot revert {service} {version}: cannot check whether {name} requires it"
    ));
    let next = commented(
        suggest(["status", name.as_str()]),
        "make that database reachable first",
    );
    cause.with_next(next).into()
}

/// `None`: the database does not exist.
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

async fn history_and_doubt(
    session: &mut Session,
    target: &Target,
) -> Result<(History, bool), ServiceError> {
    let reading = async {
        if !session.knows_all_tables() {
            session.refresh(&target.history_table).await?;
        }
        // One round trip: the client pipelines the queries that are polled together.
        tokio::try_join!(
            biased;
            read_history(session, &target.service.name, &target.history_table),
            is_in_doubt(session.client()),
        )
    };
    reading
        .await
        .map_err(|error| ServiceError::query(&target.address, error))
}
