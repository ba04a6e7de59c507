//! Looking at the databases of services, many at a time, before anything is changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::task::JoinSet;

use super::CommandError;
use crate::domain::ServiceName;
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
