//! What is done before the first step where a run may only begin with all of its databases in hand.
//!
//! The advisory locks of several databases are held at once here, and only here. They are obtained in one order, that of the
//! databases' addresses, so that two such runs cannot wait for each other; every other run waits for no database while it
//! holds a lock.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, watch};

use super::entrance::Entrance;
use super::held::Held;
use super::{Recorder, Run, Stops};
use crate::domain::{EventKind, ServiceName};
use crate::inspect::{ServiceError, Target};
use crate::reconcile::History;

/// Something to be done once all databases that will change are locked, and before any of them does.
pub trait Precaution: Send + Sync {
    /// Does it. May be dropped half way, when the user cancels. An error, with the service that it is about, keeps the run
    /// from beginning.
    fn take<'a>(
        &'a self,
        secured: Vec<Secured>,
        say: &'a (dyn Fn(&ServiceName, EventKind) + Send + Sync),
    ) -> BoxFuture<'a, Result<(), (ServiceName, ServiceError)>>;
}

/// A database that is locked for this run.
pub struct Secured {
    /// The service and its database.
    pub target: Arc<Target>,
    /// What was read under the lock.
    pub history: History,
}

/// Locks every database of a run, and takes its precaution. Where that fails, nothing has been begun and no lock is held.
pub(super) async fn secure(
    run: &mut Run<'_>,
    recorder: &mut Recorder<'_>,
    stops: &Stops,
) -> Result<(), (ServiceName, ServiceError)> {
    let (sender, mut events) = mpsc::unbounded_channel();
    let say = move |service: &ServiceName, kind: EventKind| {
        // Heard until this function ends.
        let _ = sender.send((service.clone(), kind));
    };
    let ended = {
        let securing = lock_and_take(run, stops, &say);
        tokio::pin!(securing);
        loop {
            tokio::select! {
                biased;
                Some((service, kind)) = events.recv() => recorder.service(&service, kind),
                ended = &mut securing => break ended,
            }
        }
    };
    while let Ok((service, kind)) = events.try_recv() {
        recorder.service(&service, kind);
    }
    if ended.is_err() {
        run.lanes.values_mut().for_each(|lane| lane.held = None);
    }
    ended
}

async fn lock_and_take(
    run: &mut Run<'_>,
    stops: &Stops,
    say: &(dyn Fn(&ServiceName, EventKind) + Send + Sync),
) -> Result<(), (ServiceName, ServiceError)> {
    let mut halted = stops.times.clone();
    lock(run, &mut halted, say).await?;
    let Some(precaution) = run.precaution.take() else {
        return Ok(());
    };
    let secured: Vec<Secured> = run
        .lanes
        .values()
        .filter_map(|lane| {
            Some(Secured {
                target: Arc::clone(&lane.target),
                history: lane.held.as_ref()?.history().clone(),
            })
        })
        .collect();
    let Some(name) = secured.first().map(|it| it.target.service.name.clone()) else {
        return Ok(());
    };
    match stops.unless_asked(precaution.take(secured, say)).await {
        Some(taken) => taken,
        None => Err((name, ServiceError::Cancelled)),
    }
}

async fn lock(
    run: &mut Run<'_>,
    halted: &mut watch::Receiver<u32>,
    say: &(dyn Fn(&ServiceName, EventKind) + Send + Sync),
) -> Result<(), (ServiceName, ServiceError)> {
    // Services that share a database share its lock: the one with the first step holds it.
    let mut holders: BTreeMap<String, ServiceName> = BTreeMap::new();
    for name in run.plan.services() {
        if let Some(lane) = run.lanes.get(name) {
            let database = lane.target.address.database_key();
            holders.entry(database).or_insert_with(|| name.clone());
        }
    }
    for name in holders.into_values() {
        let Some(lane) = run.lanes.get_mut(&name) else {
            continue;
        };
        let session = lane.session.take().map(|mut session| {
            session.release_permit();
            session
        });
        let entrance = Entrance {
            target: &lane.target,
            connections: &run.connections,
            engine: &run.engine,
            beyond_the_bound: true,
            say: &|kind| say(&name, kind),
        };
        match entrance.enter(session, halted).await {
            Ok((locked, history)) => lane.held = Some(Held::keep(locked, history)),
            Err(error) => return Err((name, error)),
        }
    }
    Ok(())
}
