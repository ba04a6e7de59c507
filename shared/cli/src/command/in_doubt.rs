//! Finishes interrupted atomic releases: carries out the recorded decision, or rolls back if none is recorded.
//!
//! Responsible for finding the decision through the configuration, and for carrying it out in every reachable database of the
//! release. It never guesses: without the record of the release, nothing is changed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;

use super::{Context, Selected};
use domain::{
    Decision, Diagnostic, Refusal, RefusalKind, Resolved, ServiceName, rerun, suggest, with_causes,
};
use engine::dispatch::finish_elsewhere;
use engine::inspect::{ServiceError, Target};
use pg_session::{Gid, LockedSession, read_in_doubt};
use store::{ReleaseRow, RunIdentity, decide, finish_release, read_release};

/// How long to try to finish one prepared transaction. A busy server may accept connections slowly, and the session of a dead
/// run may still be finishing the transaction.
const LONGEST_FINISH: Duration = Duration::from_secs(10);

/// The databases of a release by their number in it.
type Places = BTreeMap<usize, Arc<Target>>;

/// The context of finding a decision and carrying it out.
struct Search<'a> {
    context: &'a Context,
    selected: &'a Selected,
    /// How long to wait for an active run in one of the databases.
    wait: Duration,
    halted: watch::Receiver<u32>,
}

/// Finishes the releases that have prepared transactions in these databases.
pub async fn resolve_in_doubt(
    context: &Context,
    selected: &Selected,
    targets: impl IntoIterator<Item = &Arc<Target>>,
    wait: Duration,
    halted: watch::Receiver<u32>,
) -> Result<Vec<Resolved>, Diagnostic> {
    let mut search = Search {
        context,
        selected,
        wait,
        halted,
    };
    let mut releases: BTreeMap<(Uuid, ServiceName), Places> = BTreeMap::new();
    for target in targets {
        for gid in search.prepared_in(target).await? {
            releases
                .entry((gid.run_id, gid.coordinator))
                .or_default()
                .insert(gid.number, Arc::clone(target));
        }
    }
    let mut resolved = Vec::new();
    for ((run_id, coordinator), places) in releases {
        resolved.push(search.resolve(run_id, coordinator, places).await?);
    }
    Ok(resolved)
}

impl Search<'_> {
    async fn prepared_in(&self, target: &Target) -> Result<Vec<Gid>, ServiceError> {
        let connections = self.context.connections();
        let session = connections
            .session(&target.address, &target.history_table)
            .await?;
        let read = read_in_doubt(session.client()).await;
        read.map_err(|error| ServiceError::query(&target.address, error))
    }

    async fn resolve(
        &mut self,
        run_id: Uuid,
        coordinator: ServiceName,
        found: Places,
    ) -> Result<Resolved, Diagnostic> {
        let Some(home) = self.target_of(&coordinator).await else {
            return Err(unknown_coordinator(&coordinator, &found).into());
        };
        let row = self.read(&home, run_id).await?;
        let Some(row) = row else {
            return Err(without_record(run_id, &coordinator, &home, &found).into());
        };
        let places = self.places(&row, found).await;
        let decision = match row.decision {
            Some(decision) => decision,
            None => {
                for target in places.values() {
                    self.wait_for_active_run(target).await?;
                }
                let decided = self.decide(&home, run_id).await?;
                decided.ok_or_else(|| without_record(run_id, &coordinator, &home, &places))?
            }
        };
        let mut resolved = Resolved {
            release: run_id,
            coordinator: coordinator.clone(),
            decision,
            finished: Vec::new(),
            left: Vec::new(),
        };
        for participant in &row.participants {
            let gid = Gid {
                run_id,
                number: participant.number,
                coordinator: coordinator.clone(),
            };
            let finished = match places.get(&participant.number) {
                Some(target) => self.finish(target, &gid, decision).await,
                // The next run of that service finds it.
                None => Ok(false),
            };
            let services = participant.services.iter().cloned();
            match finished {
                Ok(true) => resolved.finished.extend(services),
                Ok(false) => {}
                Err(error) if error.is_of_the_server() => return Err(error.into()),
                Err(error) => {
                    tracing::warn!(database = participant.database, error = %error.diagnostic(), "the transaction is still prepared");
                    resolved.left.extend(services);
                }
            }
        }
        if resolved.left.is_empty() && places.len() == row.participants.len() {
            self.record_end(&home, run_id).await;
        }
        Ok(resolved)
    }

    /// A service's database, if one is configured.
    async fn target_of(&self, name: &ServiceName) -> Option<Arc<Target>> {
        let targets = self.context.targets([name], self.selected, false).await;
        targets.ok()?.remove(name)
    }

    /// All known databases of a release: those with a prepared transaction, and the others by their services.
    async fn places(&self, row: &ReleaseRow, mut places: Places) -> Places {
        for participant in &row.participants {
            if places.contains_key(&participant.number) {
                continue;
            }
            for service in &participant.services {
                if let Some(target) = self.target_of(service).await {
                    places.insert(participant.number, target);
                    break;
                }
            }
        }
        places
    }

    async fn read(&self, home: &Target, run_id: Uuid) -> Result<Option<ReleaseRow>, ServiceError> {
        let connections = self.context.connections();
        let session = connections
            .session(&home.address, &home.history_table)
            .await?;
        let read = read_release(session.client(), run_id).await;
        read.map_err(|error| ServiceError::query(&home.address, error))
    }

    /// Waits until no run holds the lock of the database. The run may be alive and about to decide, or dead while its server
    /// process is still working; both hold the lock until they end. An unreachable database is skipped: a run there cannot decide
    /// either.
    async fn wait_for_active_run(&mut self, target: &Target) -> Result<(), ServiceError> {
        let connections = self.context.connections();
        let opened = connections
            .session(&target.address, &target.history_table)
            .await;
        let session = match opened {
            Ok(session) => session,
            Err(error) => {
                let error = ServiceError::from(error);
                tracing::warn!(service = %target.service.name, error = %error.diagnostic(), "skipped");
                return Ok(());
            }
        };
        let service = &target.service.name;
        let locked = LockedSession::acquire(
            session,
            self.wait,
            &mut self.halted,
            |holder| {
                let pid = holder.map_or(0, |holder| holder.pid);
                tracing::warn!(%service, pid, "an atomic release is prepared in this database and another run is active: waiting for it");
            },
        )
        .await
        .map_err(|source| ServiceError::lock(target, source))?;
        drop(locked.release().await);
        Ok(())
    }

    /// Records a rollback if no decision is recorded. A run that is still alive finds this decision and cannot commit.
    async fn decide(&self, home: &Target, run_id: Uuid) -> Result<Option<Decision>, ServiceError> {
        let connections = self.context.connections();
        let session = connections
            .session(&home.address, &home.history_table)
            .await?;
        let by = RunIdentity::of_this_process().client_host;
        let decided = decide(session.client(), run_id, Decision::Rollback, &by).await;
        decided.map_err(|error| ServiceError::query(&home.address, error))
    }

    async fn finish(
        &self,
        target: &Target,
        gid: &Gid,
        decision: Decision,
    ) -> Result<bool, ServiceError> {
        let connections = self.context.connections();
        let until = Instant::now() + LONGEST_FINISH;
        finish_elsewhere(&connections, target, gid, decision, until).await
    }

    /// Records the end of the release, which is for information only.
    async fn record_end(&self, home: &Target, run_id: Uuid) {
        let connections = self.context.connections();
        let opened = connections
            .session(&home.address, &home.history_table)
            .await;
        let Ok(session) = opened else { return };
        if let Err(error) = finish_release(session.client(), run_id).await {
            tracing::debug!(error = %with_causes(&error), "cannot record the end of the release");
        }
    }
}

fn place(found: &Places) -> String {
    let first = found.values().next();
    first.map_or_else(String::new, |target| target.address.to_string())
}

fn unknown_coordinator(coordinator: &ServiceName, found: &Places) -> Refusal {
    Refusal {
        kind: RefusalKind::ReleaseInDoubt,
        service: found.values().next().map(|it| it.service.name.clone()),
        message: format!(
            "{}: an atomic release was interrupted; its decision is recorded in the database of {coordinator}, which is not configured here",
            place(found)
        ),
        next: suggest(["doctor", "--fix"]),
    }
}

/// The record is written before anything is prepared, so this is another database, or an older state of it. A rollback here could
/// contradict the recorded decision and split the release.
fn without_record(
    run_id: Uuid,
    coordinator: &ServiceName,
    home: &Target,
    found: &Places,
) -> Refusal {
    Refusal {
        kind: RefusalKind::ReleaseInDoubt,
        service: found.values().next().map(|it| it.service.name.clone()),
        message: format!(
            "{}: the atomic release {run_id} was interrupted, but {}, the database of {coordinator}, has no record of it",
            place(found),
            home.address
        ),
        next: rerun(format!(
            "with the configuration of that release; if the database of {coordinator} was restored from a backup, list pg_prepared_xacts in all databases, and either COMMIT PREPARED or ROLLBACK PREPARED all of them"
        )),
    }
}
