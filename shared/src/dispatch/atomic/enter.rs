//! Before a release begins: gates are waited for, all databases are locked, and what others did meanwhile is looked up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use super::super::held::Held;
use super::super::lane::is_done_already;
use super::super::secure::secure;
use super::super::{Recorder, Run, Stops};
use crate::domain::{EventKind, ServiceName, millis};
use crate::gates::{self, GateEnd};
use crate::inspect::{ServiceError, Target};
use crate::postgres::{Connections, LockedSession, install, read_history};
use crate::reconcile::History;

/// A locked database, with the services that live in it.
pub(in crate::dispatch) struct Entered {
    pub(super) locked: LockedSession,
    pub(super) targets: BTreeMap<ServiceName, (Arc<Target>, History)>,
    /// In the order of the plan.
    pub(super) services: Vec<ServiceName>,
}

/// Everything that a release begins with.
pub(in crate::dispatch) struct Entry {
    /// By the identity of the database.
    pub(super) databases: BTreeMap<String, Entered>,
    /// The steps that another run did since they were planned.
    pub(super) unchanged: BTreeSet<usize>,
    /// What was made under the locks, such as a backup.
    pub(super) backup: Option<String>,
}

/// Locks every database. Where that fails, nothing has been begun and no lock is held.
pub(in crate::dispatch) async fn enter(
    run: &mut Run<'_>,
    recorder: &mut Recorder<'_>,
    stops: &Stops,
) -> Result<Entry, (ServiceName, ServiceError)> {
    // No transaction is open and no lock held while other runs are waited for.
    wait_for_gates(run, recorder, stops).await?;
    let backup = secure(run, recorder, stops).await?;
    let mut databases = BTreeMap::new();
    for (key, services) in services_by_database(run) {
        let first = services.first().cloned();
        let held = first.as_ref().and_then(|name| take_held(run, name));
        let (Some(name), Some(held)) = (first, held) else {
            continue;
        };
        let entered = enter_one(run, services, held).await;
        databases.insert(key, entered.map_err(|error| (name, error))?);
    }
    let mut unchanged = BTreeSet::new();
    for (index, step) in run.plan.steps.iter().enumerate() {
        let entered = databases
            .values()
            .find_map(|entered| entered.targets.get(&step.service));
        if let Some((target, history)) = entered
            && is_done_already(target, history, step.version, step.direction)
                .map_err(|error| (step.service.clone(), error))?
        {
            unchanged.insert(index);
        }
    }
    Ok(Entry {
        databases,
        unchanged,
        backup,
    })
}

async fn wait_for_gates(
    run: &mut Run<'_>,
    recorder: &mut Recorder<'_>,
    stops: &Stops,
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
        let (Some(first), Some(target)) = (waiting.first(), run.gate_targets.get(&gate.service))
        else {
            continue;
        };
        for service in &waiting {
            recorder.service(service, EventKind::GateWaiting { gate: gate.clone() });
        }
        let times = stops.times.clone();
        let error = match gates::wait(&run.connections, target, &gate, deadline, times).await {
            GateEnd::Met(waited) => {
                let waited_ms = millis(waited);
                for service in &waiting {
                    let gate = gate.clone();
                    recorder.service(service, EventKind::GateMet { gate, waited_ms });
                }
                continue;
            }
            GateEnd::TimedOut(missing) => {
                let command = (run.meet_gate)(&missing.service);
                gates::refusal(first, &missing, &command, Some(run.wait)).into()
            }
            GateEnd::Failed(error) => error,
            GateEnd::Cancelled => ServiceError::Cancelled,
        };
        return Err((first.clone(), error));
    }
    run.gate_targets.clear();
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

fn take_held(run: &mut Run<'_>, name: &ServiceName) -> Option<Held> {
    run.lanes.get_mut(name)?.held.take()
}

/// Makes history and journal of each service where they are missing, and reads the histories of those that share the database.
async fn enter_one(
    run: &Run<'_>,
    services: Vec<ServiceName>,
    held: Held,
) -> Result<Entered, ServiceError> {
    let (mut locked, mut read) = held.take().await?;
    let mut targets = BTreeMap::new();
    for (index, name) in services.iter().enumerate() {
        let Some(lane) = run.lanes.get(name) else {
            continue;
        };
        let target = Arc::clone(&lane.target);
        let known = (index == 0).then(|| std::mem::take(&mut read));
        let history = look(&run.connections, &mut locked, &target, known).await?;
        targets.insert(name.clone(), (target, history));
    }
    Ok(Entered {
        locked,
        targets,
        services,
    })
}

async fn look(
    connections: &Connections,
    locked: &mut LockedSession,
    target: &Target,
    known: Option<History>,
) -> Result<History, ServiceError> {
    let pulse = locked.session().pulse();
    let (session, table) = (locked.session_mut(), &target.history_table);
    let looking = async {
        let history = match known {
            Some(history) => history,
            None => {
                session.refresh(table).await?;
                read_history(session, &target.service.name, table).await?
            }
        };
        if !session.is_installed(false) {
            install(session, table, false).await?;
        }
        Ok(history)
    };
    let looked = connections.watch(&pulse, looking).await;
    looked.map_err(|error| ServiceError::query(&target.address, error))
}
