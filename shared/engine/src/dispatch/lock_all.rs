//! What is done before the first step of a run that may begin only after all of its databases are locked.
//!
//! Only here are the advisory locks of several databases held at once. They are obtained in the order of the database addresses, so
//! that two such runs cannot deadlock. Every other run waits for no database while it holds a lock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::BoxFuture;
use tokio::sync::watch;
use uuid::Uuid;

use super::database_entry::DatabaseEntry;
use super::locked_database::LockedDatabase;
use super::{Events, LaneInput, Operation, Run, Stops};
use crate::inspect::{ServiceError, Target, inspect};
use crate::reconcile::{State, reconcile};
use domain::History;
use domain::{Direction, EventKind, Plan, ServiceName};
use pg_session::Connections;
use settings::EngineSettings;

/// The error that stopped a check, and its service.
pub type Stopped = (ServiceName, ServiceError);

/// A check or other work that is done once all databases that will change are locked, before any of them changes.
pub trait PreRunCheck: Send + Sync {
    /// Does the work. Returns the name of what it made, for later use. An error keeps the run from beginning. The implementation itself
    /// handles a cancellation, and leaves nothing behind in that case.
    fn take<'a>(
        &'a self,
        run_id: Uuid,
        databases: Vec<DatabaseUnderLock>,
        events: &'a Events,
        stops: &'a Stops,
    ) -> BoxFuture<'a, Result<Option<String>, Stopped>>;

    /// What it would do about these databases, in one line: for a dry run.
    fn announce(&self, databases: &[&str]) -> String;
}

/// A locked database.
pub struct DatabaseUnderLock {
    /// The service and its database.
    pub target: Arc<Target>,
    /// The history that was read under the lock.
    pub history: History,
    /// Whether this run has just created it.
    pub is_new: bool,
    /// Whether nothing is left to do in it: another run has done it since this one was planned.
    pub is_done: bool,
}

/// What is needed to lock databases.
struct LockContext<'a> {
    run_id: Uuid,
    connections: &'a Arc<Connections>,
    engine: EngineSettings,
    /// The plan, if this is a run.
    plan: Option<&'a Plan>,
}

/// Locks every database of a run, and takes its check, if it has one. On an error nothing has begun and no lock is held.
pub(super) async fn lock_all(
    run: &mut Run<'_>,
    operation: &mut Operation<'_>,
) -> Result<Option<String>, Stopped> {
    let nothing_can_be_done = run.plan.steps.is_empty() && !run.stopped.is_empty();
    let pre_run_check = run.pre_run_check.take();
    if nothing_can_be_done {
        return Ok(None);
    }
    let context = LockContext {
        run_id: operation.run_id(),
        connections: &run.connections,
        engine: run.engine,
        plan: Some(&run.plan),
    };
    let names: Vec<ServiceName> = run.plan.services().into_iter().cloned().collect();
    let (lanes, stops) = (&mut run.lanes, operation.stops().clone());
    let pre_run_check = pre_run_check.as_deref();
    let (context, names, stops) = (&context, &names, &stops);
    let ended = operation
        .during(|events| async move {
            context
                .lock_and_take(lanes, names, pre_run_check, &events, stops)
                .await
        })
        .await;
    if ended.is_err() {
        run.lanes.values_mut().for_each(|lane| lane.held = None);
    }
    ended
}

/// Does something under the locks of existing databases, and releases the locks afterwards.
pub async fn under_locks(
    targets: &BTreeMap<ServiceName, Arc<Target>>,
    connections: &Arc<Connections>,
    engine: EngineSettings,
    work: &dyn PreRunCheck,
    operation: &mut Operation<'_>,
) -> Result<Option<String>, Stopped> {
    let context = LockContext {
        run_id: operation.run_id(),
        connections,
        engine,
        plan: None,
    };
    let names: Vec<ServiceName> = targets.keys().cloned().collect();
    let mut lanes: BTreeMap<ServiceName, LaneInput> = targets
        .iter()
        .map(|(name, target)| {
            let lane = LaneInput {
                is_absent: false,
                target: Arc::clone(target),
                session: None,
                rerun_command: String::new(),
                held: None,
            };
            (name.clone(), lane)
        })
        .collect();
    let stops = operation.stops().clone();
    let (context, names, stops, lanes) = (&context, &names, &stops, &mut lanes);
    operation
        .during(|events| async move {
            context
                .lock_and_take(lanes, names, Some(work), &events, stops)
                .await
        })
        .await
}

impl LockContext<'_> {
    async fn lock_and_take(
        &self,
        lanes: &mut BTreeMap<ServiceName, LaneInput>,
        names: &[ServiceName],
        pre_run_check: Option<&dyn PreRunCheck>,
        events: &Events,
        stops: &Stops,
    ) -> Result<Option<String>, Stopped> {
        let mut halted = stops.times.clone();
        let new = self.lock(lanes, names, &mut halted, events).await?;
        let Some(pre_run_check) = pre_run_check else {
            return Ok(None);
        };
        let mut databases = Vec::new();
        for name in names {
            let Some(lane) = lanes.get(name) else {
                continue;
            };
            let target = &lane.target;
            let history = match &lane.held {
                Some(held) => held.history().clone(),
                // The lock of its database is held for another service.
                None => inspect(self.connections, target)
                    .await
                    .map(|inspection| inspection.history)
                    .map_err(|error| (name.clone(), error))?,
            };
            databases.push(DatabaseUnderLock {
                is_new: new.contains(&target.address.database_key()),
                is_done: self
                    .plan
                    .is_some_and(|plan| is_done(plan, target, &history)),
                target: Arc::clone(target),
                history,
            });
        }
        pre_run_check
            .take(self.run_id, databases, events, stops)
            .await
    }

    /// Locks the databases. Returns those that were created.
    async fn lock(
        &self,
        lanes: &mut BTreeMap<ServiceName, LaneInput>,
        names: &[ServiceName],
        halted: &mut watch::Receiver<u32>,
        events: &Events,
    ) -> Result<Vec<String>, Stopped> {
        // Services that share a database share its lock: the one with the first step holds it.
        let mut holders: BTreeMap<String, &ServiceName> = BTreeMap::new();
        for name in names {
            if let Some(lane) = lanes.get(name) {
                let database = lane.target.address.database_key();
                holders.entry(database).or_insert(name);
            }
        }
        let mut new = Vec::new();
        for (database, name) in holders {
            let Some(lane) = lanes.get_mut(name) else {
                continue;
            };
            let session = lane.session.take().map(|mut session| {
                session.release_permit();
                session
            });
            let created = AtomicBool::new(false);
            let database_entry = DatabaseEntry {
                target: &lane.target,
                connections: self.connections,
                engine: &self.engine,
                exceeds_limit: true,
                say: &|kind| {
                    if matches!(kind, EventKind::DatabaseCreated { .. }) {
                        created.store(true, Ordering::Relaxed);
                    }
                    events.service(name, kind);
                },
            };
            match database_entry.enter(session, halted).await {
                Ok((locked, history)) => lane.held = Some(LockedDatabase::keep(locked, history)),
                Err(error) => return Err((name.clone(), error)),
            }
            if created.into_inner() {
                new.push(database);
            }
        }
        Ok(new)
    }
}

/// Whether all steps that were planned for a service are done.
fn is_done(plan: &Plan, target: &Target, history: &History) -> bool {
    let reconciliation = reconcile(&target.service, history);
    let is_applied = |version| {
        reconciliation
            .standings()
            .iter()
            .any(|standing| standing.version == version && standing.state == State::Applied)
    };
    plan.steps
        .iter()
        .filter(|step| step.service == target.service.name)
        .all(|step| (step.direction == Direction::Up) == is_applied(step.version))
}
