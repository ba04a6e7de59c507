//! Entering a release: waits for gates, locks all databases, and finds the steps that other runs have done since planning.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use super::super::dependency_gates::{GateWait, HeldGates};
use super::super::lock_all::lock_all;
use super::super::locked_database::LockedDatabase;
use super::super::{Events, Operation, Run};
use crate::gates;
use crate::gates::GateEnd;
use crate::inspect::{ServiceError, Target};
use crate::succession::{Due, Succession};
use domain::History;
use domain::{EventKind, ServiceName, millis};
use pg_session::LockedSession;
use store::{install, read_history};

/// A locked database and the services that live in it.
pub(in crate::dispatch) struct Entered {
    pub(super) locked: LockedSession,
    pub(super) targets: BTreeMap<ServiceName, (Arc<Target>, History)>,
    /// In plan order.
    pub(super) services: Vec<ServiceName>,
}

/// The state with which a release begins.
pub(in crate::dispatch) struct Entry {
    /// By database key.
    pub(super) databases: BTreeMap<String, Entered>,
    /// Steps that another run has done since they were planned.
    pub(super) unchanged: BTreeSet<usize>,
    /// The gates that keep what the files require from being reverted, by service.
    pub(super) gates: BTreeMap<ServiceName, HeldGates>,
    /// The backup taken under the locks, if any.
    pub(super) backup: Option<String>,
}

/// Locks every database. On an error nothing has begun and no lock is held.
pub(in crate::dispatch) async fn enter(
    run: &mut Run<'_>,
    operation: &mut Operation<'_>,
) -> Result<Entry, (ServiceName, ServiceError)> {
    // While this waits for other runs, no transaction is open and no lock is held.
    wait_for_gates(run, operation).await?;
    let backup = lock_all(run, operation).await?;
    let mut databases = BTreeMap::new();
    for (key, services) in services_by_database(run) {
        let first = services.first().cloned();
        let held = first.as_ref().and_then(|name| take_locked(run, name));
        let (Some(name), Some(held)) = (first, held) else {
            continue;
        };
        let entered = enter_one(run, services, held).await;
        databases.insert(key, entered.map_err(|error| (name, error))?);
    }
    let unchanged = done_meanwhile(run, &databases)?;
    let gates = hold_gates(run, &databases, operation).await?;
    Ok(Entry {
        databases,
        unchanged,
        gates,
        backup,
    })
}

/// The steps that other runs have done since the release was planned. The result stays true until the release ends, because all locks are held.
fn done_meanwhile(
    run: &Run<'_>,
    databases: &BTreeMap<String, Entered>,
) -> Result<BTreeSet<usize>, (ServiceName, ServiceError)> {
    let mut successions: BTreeMap<&ServiceName, Succession<'_>> = databases
        .values()
        .flat_map(|entered| &entered.targets)
        .map(|(name, (target, history))| (name, Succession::of(&target.service, history)))
        .collect();
    let mut unchanged = BTreeSet::new();
    for (index, step) in run.plan.steps.iter().enumerate() {
        let Some(succession) = successions.get_mut(&step.service) else {
            continue;
        };
        let due = succession.due(step.version, step.direction);
        if due.map_err(|refusal| (step.service.clone(), refusal.into()))? == Due::Done {
            unchanged.insert(index);
        } else {
            succession.took(step.version, step.direction);
        }
    }
    Ok(unchanged)
}

/// Holds the gates of required migrations in databases outside the release. Databases of the release are locked already.
async fn hold_gates(
    run: &Run<'_>,
    databases: &BTreeMap<String, Entered>,
    operation: &mut Operation<'_>,
) -> Result<BTreeMap<ServiceName, HeldGates>, (ServiceName, ServiceError)> {
    let mut gates = BTreeMap::new();
    let Some(dependency_gates) = &run.dependency_gates else {
        return Ok(gates);
    };
    for name in run.plan.services() {
        let Some(lane) = run.lanes.get(name) else {
            continue;
        };
        let steps = run.plan.steps.iter().filter(|step| step.service == *name);
        let migrations: Vec<_> = steps
            .filter_map(|step| lane.target.service.migration(step.version))
            .collect();
        let is_locked = |target: &Target| databases.contains_key(&target.address.database_key());
        let halted = operation.stops().times.clone();
        let holding = |events: Events| {
            let (dependency_gates, migrations) = (Arc::clone(dependency_gates), &migrations);
            async move {
                let gate_wait = GateWait {
                    connections: &run.connections,
                    wait: run.engine.advisory_lock_wait,
                    halted,
                    say: &|kind| events.service(name, kind),
                };
                dependency_gates
                    .hold(name, migrations, is_locked, &gate_wait)
                    .await
            }
        };
        let held = operation.during(holding).await;
        gates.insert(name.clone(), held.map_err(|error| (name.clone(), error))?);
    }
    Ok(gates)
}

async fn wait_for_gates(
    run: &mut Run<'_>,
    operation: &mut Operation<'_>,
) -> Result<(), (ServiceName, ServiceError)> {
    let deadline = Instant::now() + run.wait;
    for (index, gate) in std::mem::take(&mut run.plan.gates).into_iter().enumerate() {
        let mut waiting: Vec<ServiceName> = run
            .plan
            .steps
            .iter()
            .filter(|step| step.gates.contains(&index))
            .map(|step| step.service.clone())
            .collect();
        waiting.dedup();
        let Some((first, dependency_gates)) = waiting.first().zip(run.dependency_gates.as_ref())
        else {
            continue;
        };
        let Some(target) = dependency_gates.targets.get(&gate.service) else {
            continue;
        };
        for service in &waiting {
            operation.service(service, EventKind::GateWaiting { gate: gate.clone() });
        }
        let times = operation.stops().times.clone();
        let error = match gates::wait(&run.connections, target, &gate, deadline, times).await {
            GateEnd::Met(waited) => {
                let waited_ms = millis(waited);
                for service in &waiting {
                    let gate = gate.clone();
                    operation.service(service, EventKind::GateMet { gate, waited_ms });
                }
                continue;
            }
            GateEnd::TimedOut(missing) => {
                let command = (dependency_gates.meet)(&missing.service);
                gates::refusal(first, &missing, &command, Some(run.wait)).into()
            }
            GateEnd::Failed(error) => error,
            GateEnd::Cancelled => ServiceError::Cancelled,
        };
        return Err((first.clone(), error));
    }
    for step in &mut run.plan.steps {
        step.gates.clear();
    }
    Ok(())
}

fn services_by_database(run: &Run<'_>) -> BTreeMap<String, Vec<ServiceName>> {
    let mut databases: BTreeMap<String, Vec<ServiceName>> = BTreeMap::new();
    for name in run.plan.services() {
        if let Some(lane) = run.lanes.get(name) {
            let key = lane.target.address.database_key();
            databases.entry(key).or_default().push(name.clone());
        }
    }
    databases
}

fn take_locked(run: &mut Run<'_>, name: &ServiceName) -> Option<LockedDatabase> {
    run.lanes.get_mut(name)?.held.take()
}

/// Creates missing history and journal tables, and reads the history of each service that shares the database.
async fn enter_one(
    run: &Run<'_>,
    services: Vec<ServiceName>,
    held: LockedDatabase,
) -> Result<Entered, ServiceError> {
    let (mut locked, mut read) = held.take().await?;
    let mut targets = BTreeMap::new();
    for (index, name) in services.iter().enumerate() {
        let Some(lane) = run.lanes.get(name) else {
            continue;
        };
        let target = Arc::clone(&lane.target);
        let known = (index == 0).then(|| std::mem::take(&mut read));
        let history = history_of(&mut locked, &target, known).await?;
        targets.insert(name.clone(), (target, history));
    }
    Ok(Entered {
        locked,
        targets,
        services,
    })
}

async fn history_of(
    locked: &mut LockedSession,
    target: &Target,
    known: Option<History>,
) -> Result<History, ServiceError> {
    let (session, table) = (locked.session_mut(), &target.history_table);
    let reading = async {
        let history = match known {
            Some(history) => history,
            None => {
                session.refresh(table).await?;
                read_history(session, &target.service.name, table).await?
            }
        };
        if session.refuse_unusable().is_ok() && !session.is_installed(false) {
            install(session, table, false).await?;
        }
        Ok(history)
    };
    match reading.await {
        Ok(history) => {
            locked.session().refuse_unwritable()?;
            Ok(history)
        }
        Err(error) => Err(ServiceError::installing(locked.session(), &target.address, error).await),
    }
}
