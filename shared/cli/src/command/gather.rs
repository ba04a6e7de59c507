//! Inspects the databases of services concurrently, before anything is changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::task::JoinSet;

use super::{Context, Selected, resolve_in_doubt};
use domain::History;
use domain::{Diagnostic, Resolved, ServiceName, suggest};
use engine::dispatch::Stops;
use engine::inspect::{Inspection, ServiceError, Target, inspect};
use pg_session::{Connections, Session};

/// The state of the databases of some services.
#[derive(Default)]
pub struct Gathered {
    /// The histories; that of an absent database is empty.
    pub histories: BTreeMap<ServiceName, History>,
    /// Databases that do not exist.
    pub absent: BTreeSet<ServiceName>,
    /// The open sessions, to be reused by the run.
    pub sessions: BTreeMap<ServiceName, Session>,
    /// Services whose databases have a prepared transaction of an atomic release.
    pub in_doubt: BTreeSet<ServiceName>,
    /// Services whose databases cannot be inspected, with the reason.
    pub stopped: Vec<(ServiceName, ServiceError)>,
}

/// Inspects databases concurrently. Keeps the sessions if there are more connections than databases.
pub async fn gather(
    connections: &Arc<Connections>,
    targets: &BTreeMap<ServiceName, Arc<Target>>,
) -> Result<Gathered, Diagnostic> {
    // A kept session occupies one of the connections, which another task may be waiting for.
    inspect_all(connections, targets, targets.len() < connections.limit()).await
}

/// Inspects databases, and first finishes the interrupted atomic releases that it finds in them.
pub(super) async fn gather_resolved(
    context: &Context,
    selected: &Selected,
    targets: &BTreeMap<ServiceName, Arc<Target>>,
    stops: &Stops,
) -> Result<(Gathered, Vec<Resolved>), Diagnostic> {
    let gathered = gather(&context.connections(), targets).await?;
    if gathered.in_doubt.is_empty() {
        return Ok((gathered, Vec::new()));
    }
    let in_doubt = gathered.in_doubt.clone();
    // The kept sessions occupy connections that resolving needs.
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

/// Warns about interrupted atomic releases, in commands that only read.
pub fn warn_in_doubt(gathered: &Gathered) {
    for service in &gathered.in_doubt {
        tracing::warn!(
            %service,
            "an interrupted atomic release is prepared in the database; finish it: {}",
            suggest(["doctor", "--fix"])
        );
    }
}

/// Inspects databases without keeping their sessions.
pub(super) async fn gather_histories(
    connections: &Arc<Connections>,
    targets: &BTreeMap<ServiceName, Arc<Target>>,
) -> Result<Gathered, Diagnostic> {
    inspect_all(connections, targets, false).await
}

async fn inspect_all(
    connections: &Arc<Connections>,
    targets: &BTreeMap<ServiceName, Arc<Target>>,
    keep: bool,
) -> Result<Gathered, Diagnostic> {
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
        let (name, inspection) = joined
            .map_err(|error| Diagnostic::failed("inspecting a database was interrupted", &error))?;
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
