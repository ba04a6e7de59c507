//! Looking at the databases of services, many at a time, before anything is changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::task::JoinSet;

use super::{CommandError, Context, Selected, resolve_in_doubt};
use crate::dispatch::Stops;
use crate::domain::{Resolved, ServiceName, suggest};
use crate::inspect::{Inspection, ServiceError, Target, inspect};
use crate::postgres::{Connections, Session};
use crate::reconcile::History;

/// What the databases of some services say.
#[derive(Default)]
pub struct Gathered {
    /// Their histories; an absent database has an empty one.
    pub histories: BTreeMap<ServiceName, History>,
    /// Databases that do not exist.
    pub absent: BTreeSet<ServiceName>,
    /// Sessions that are open, for going on with.
    pub sessions: BTreeMap<ServiceName, Session>,
    /// Services in whose databases something of an atomic release is prepared.
    pub in_doubt: BTreeSet<ServiceName>,
    /// Databases that cannot be looked at.
    pub stopped: Vec<(ServiceName, ServiceError)>,
}

/// Looks at databases, many at a time, and keeps the sessions where there are connections enough.
pub async fn gather(
    connections: &Arc<Connections>,
    targets: &BTreeMap<ServiceName, Arc<Target>>,
) -> Result<Gathered, CommandError> {
    // A session that is kept holds one of the connections: somebody else may wait for it.
    look(connections, targets, targets.len() < connections.limit()).await
}

/// Looks at databases, and first finishes the interrupted atomic releases that are found in them.
pub(super) async fn gather_resolved(
    context: &Context,
    selected: &Selected,
    targets: &BTreeMap<ServiceName, Arc<Target>>,
    stops: &Stops,
) -> Result<(Gathered, Vec<Resolved>), CommandError> {
    let gathered = gather(&context.connections(), targets).await?;
    if gathered.in_doubt.is_empty() {
        return Ok((gathered, Vec::new()));
    }
    let in_doubt = gathered.in_doubt.clone();
    // Their sessions occupy connections.
    drop(gathered);
    let resolved = resolve_in_doubt(
        context,
        selected,
        in_doubt.iter().filter_map(|name| targets.get(name)),
        context.configuration.engine().advisory_lock_wait,
        stops.times.clone(),
    )
    .await?;
    Ok((gather(&context.connections(), targets).await?, resolved))
}

/// Says where an interrupted atomic release is in doubt, for those who only look.
pub fn warn_in_doubt(gathered: &Gathered) {
    for service in &gathered.in_doubt {
        tracing::warn!(
            %service,
            "an interrupted atomic release is prepared in its database; finish it: {}",
            suggest(["doctor", "--fix"])
        );
    }
}

/// Looks at more databases, while sessions of others are kept.
pub(super) async fn gather_histories(
    connections: &Arc<Connections>,
    targets: &BTreeMap<ServiceName, Arc<Target>>,
) -> Result<Gathered, CommandError> {
    look(connections, targets, false).await
}

async fn look(
    connections: &Arc<Connections>,
    targets: &BTreeMap<ServiceName, Arc<Target>>,
    keep: bool,
) -> Result<Gathered, CommandError> {
    let mut tasks: JoinSet<(ServiceName, Result<Inspection, ServiceError>)> = JoinSet::new();
    for (name, target) in targets {
        let (name, target, connections) =
            (name.clone(), Arc::clone(target), Arc::clone(connections));
        tasks.spawn(async move {
            let inspection = inspect(&connections, &target).await.map(|mut inspection| {
                inspection.session = inspection.session.filter(|_| keep);
                inspection
            });
            (name, inspection)
        });
    }
    let mut gathered = Gathered::default();
    while let Some(joined) = tasks.join_next().await {
        let (name, inspection) = joined.map_err(|error| CommandError::Program {
            message: format!("looking at a database was interrupted: {error}"),
        })?;
        match inspection {
            Ok(inspection) => {
                if !inspection.exists {
                    gathered.absent.insert(name.clone());
                }
                gathered.histories.insert(name.clone(), inspection.history);
                if inspection.in_doubt {
                    gathered.in_doubt.insert(name.clone());
                }
                if let Some(session) = inspection.session {
                    gathered.sessions.insert(name, session);
                }
            }
            Err(error) => gathered.stopped.push((name, error)),
        }
    }
    gathered.stopped.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(gathered)
}
