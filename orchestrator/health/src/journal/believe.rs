//! Resolves a disagreement of history and journal in favor of the given one. Does not change the schema.

use std::sync::Arc;
use std::time::Duration;

use domain::History;
use domain::{Checksum, Direction, Refusal, RefusalKind, rerun};
use engine::inspect::{ServiceError, Target};
use engine::reconcile::{Disagreement, JournalState, disagreements};
use pg_session::{LockedSession, SessionSettings};
use service_cli::command::Context;
use store::{
    Attempt, AttemptOutcome, LockCheck, Recorded, RunIdentity, install, read_history,
    read_recorded, record_done, record_failed,
};
use tokio::sync::watch;

/// Which of the two is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Believed {
    /// The history: the journal gets rows for what the history has and lacks.
    History,
    /// The journal: missing rows are added to the history, and extra rows are removed.
    Journal,
}

/// Makes them agree in one database, under the lock of a run. Returns the resolved disagreements.
///
/// # Errors
/// When the database cannot be reached, is locked, or cannot be written to.
pub async fn believe(
    context: &Context,
    target: &Arc<Target>,
    believed: Believed,
    cancelled: &mut watch::Receiver<u32>,
) -> Result<Vec<Disagreement>, ServiceError> {
    let connections = context.connections();
    let (address, table) = (&target.address, &target.history_table);
    let session = connections.session(address, table).await?;
    let engine = context.configuration.engine();
    let wait = engine.advisory_lock_wait;
    let locked = LockedSession::acquire(session, wait, cancelled, |_| {}).await;
    let mut locked = locked.map_err(|source| ServiceError::lock(target, source))?;
    let failed = |error| ServiceError::query(address, error);
    let settings = SessionSettings {
        lock_timeout: engine.lock_timeout,
        statement_timeout: Duration::ZERO,
    };
    let reading = async {
        let session = locked.session_mut();
        session.prepare(&settings).await?;
        session.refresh(table).await?;
        read_history(session, &target.service.name, table).await
    };
    let history = reading.await.map_err(failed)?;
    locked.session().refuse_unwritable()?;
    let found = disagreements(&target.service, &history);
    if !found.is_empty()
        && !locked.session().is_installed(false)
        && let Err(error) = install(locked.session_mut(), table, false).await
    {
        return Err(ServiceError::installing(locked.session(), address, error).await);
    }
    let run = RunIdentity::of_this_process();
    for disagreement in &found {
        let recalling = read_recorded(locked.session(), &target.service.name, disagreement.version);
        let recorded = recalling.await.map_err(failed)?;
        let facts = facts(target, &history, disagreement, recorded)?;
        let writing = record(&locked, target, (&run, &facts), disagreement, believed);
        writing.await.map_err(failed)?;
    }
    drop(locked.release().await);
    Ok(found)
}

/// The facts that are written about a migration.
struct Facts {
    name: String,
    checksum: Checksum,
    applied_on: String,
}

/// Taken from the history row or the journal, because the file may have been edited since; from the file only if neither has them.
fn facts(
    target: &Target,
    history: &History,
    disagreement: &Disagreement,
    recorded: Option<Recorded>,
) -> Result<Facts, ServiceError> {
    let version = disagreement.version;
    let row = history.applied.iter().find(|row| row.version == version);
    let migration = target.service.migration(version);
    let checksum = row
        .and_then(|row| row.checksum)
        .or(recorded.as_ref().and_then(|it| it.checksum))
        .or(migration.map(|migration| migration.checksum))
        .ok_or_else(|| Refusal {
            kind: RefusalKind::JournalDisagrees,
            service: Some(target.service.name.clone()),
            message: format!(
                "the checksum of {version} is unknown: neither history, journal nor a file has it"
            ),
            next: rerun("with a version of this program or a --services-dir that has the file"),
        })?;
    let (name, applied_on) = match (row, recorded) {
        (Some(row), _) => (row.name.clone(), row.applied_on.clone()),
        (None, Some(recorded)) => (recorded.name, recorded.started_at),
        (None, None) => (disagreement.name.clone(), String::new()),
    };
    Ok(Facts {
        name,
        checksum,
        applied_on,
    })
}

async fn record(
    locked: &LockedSession,
    target: &Target,
    (run, facts): (&RunIdentity, &Facts),
    disagreement: &Disagreement,
    believed: Believed,
) -> Result<(), tokio_postgres::Error> {
    let is_in_history = disagreement.journal != JournalState::Applied;
    let is_applied = match believed {
        Believed::History => is_in_history,
        Believed::Journal => !is_in_history,
    };
    let sentence = disagreement.sentence();
    let message = match believed {
        Believed::History => format!("{sentence}: the history is right"),
        Believed::Journal => format!("{sentence}: the journal is right"),
    };
    let attempt = Attempt {
        run,
        service: &target.service.name,
        version: disagreement.version,
        name: &facts.name,
        direction: if is_applied {
            Direction::Up
        } else {
            Direction::Down
        },
        checksum: facts.checksum,
        outcome: if is_applied {
            AttemptOutcome::RecordedApplied
        } else {
            AttemptOutcome::RecordedReverted
        },
        duration: Duration::ZERO,
        attempts: 1,
        statements: None,
        sqlstate: None,
        message: Some(&message),
    };
    let session = locked.session();
    if believed == Believed::History {
        return record_failed(session, &attempt).await;
    }
    let client = session.client();
    client.batch_execute("BEGIN").await?;
    let written = record_done(
        session,
        &target.history_table,
        &facts.applied_on,
        &attempt,
        false,
        LockCheck::List,
    );
    match written.await {
        Ok(_) => client.batch_execute("COMMIT").await,
        Err(error) => {
            drop(client.batch_execute("ROLLBACK").await);
            Err(error)
        }
    }
}
