//! Files one after another in a transaction that stays open, as an atomic release has one in each database.
//!
//! Begins the transaction, keeps one file from leaking into the next, and runs all files again after a lock timeout.
//! `dispatch::atomic` ends the transaction.

use std::time::{Duration, Instant};

use super::fault::Fault;
use super::reading::{CheckTime, check_reading};
use super::step::{StepContext, fail, retry_backoff, step_back};
use super::transactional::{Ending, inside};
use super::watch::Watch;
use domain::{Blocker, EventKind, Failure, ServiceName, Version, millis, with_causes};
use pg_session::{KnownRelations, LockedSession, Session, SessionSettings, read_relations};
use store::{Attempt, AttemptOutcome, record_failed};

/// The transaction of one database.
#[derive(Debug, Default)]
pub struct OpenTransaction {
    /// The time of its BEGIN; `None` while it is not open.
    pub began: Option<tokio::time::Instant>,
    /// The relations that other sessions knew before it.
    pub relations: KnownRelations,
}

/// A file that was executed.
#[derive(Clone, Copy, Debug)]
pub struct Executed {
    /// The duration, retries included.
    pub duration: Duration,
    pub attempts: u32,
}

/// A file that failed. Nothing is left of the transaction.
#[derive(Debug)]
pub struct FailedWithin {
    pub service: ServiceName,
    /// The migration; it may have been executed earlier and have failed when it was rerun.
    pub version: Version,
    pub failure: Box<Failure>,
}

/// A failed attempt: the file and the blockers.
struct Failed {
    index: usize,
    fault: Fault,
    blockers: Vec<Blocker>,
}

/// Runs the last of `files` in the transaction, which begins here if it is not open. After a lock timeout, everything is rolled back
/// and all files are rerun. Reports the start and the end of the last one.
pub async fn execute_within(
    locked: &mut LockedSession,
    transaction: &mut OpenTransaction,
    files: &[StepContext<'_>],
    history_tables: &[&str],
) -> Result<Option<Executed>, FailedWithin> {
    let Some((context, before)) = files.split_last() else {
        return Ok(None);
    };
    let started = Instant::now();
    context.report(EventKind::MigrationStarted {
        name: context.migration.name.clone(),
        direction: context.direction,
        step: context.step,
        statements: None,
        resumed_after: None,
    });
    let most = context.engine.lock_retries.saturating_add(1);
    let mut backoff = retry_backoff();
    let mut attempts = 1;
    loop {
        let due = if transaction.began.is_some() {
            before.len()
        } else {
            0
        };
        let tried = run_from(locked, transaction, files, due, history_tables, attempts).await;
        let failed = match tried {
            Ok(()) => {
                let duration = started.elapsed();
                context.report(EventKind::MigrationExecuted {
                    name: context.migration.name.clone(),
                    duration_ms: millis(duration),
                });
                return Ok(Some(Executed { duration, attempts }));
            }
            Err(failed) => failed,
        };
        let at = &files[failed.index];
        transaction.began = None;
        if !matches!(failed.fault, Fault::Lost { .. })
            && let Err(error) = locked.session().client().batch_execute("ROLLBACK").await
        {
            tracing::debug!(error = %with_causes(&error), "the connection was lost during ROLLBACK");
        }
        let again = failed.fault.is_retryable() && attempts < most && !at.is_cancelled();
        if again
            && step_back(
                at,
                &failed.fault,
                (attempts, most),
                failed.blockers.clone(),
                &mut backoff,
            )
            .await
        {
            attempts += 1;
            continue;
        }
        let ended = fail(
            locked,
            at,
            started,
            &failed.fault,
            attempts,
            failed.blockers,
        )
        .await;
        return match ended {
            // Nothing of it can be done without its commit.
            Ok(_) => Ok(None),
            Err(failure) => Err(FailedWithin {
                service: at.service.name.clone(),
                version: at.migration.version,
                failure,
            }),
        };
    }
}

async fn run_from(
    locked: &mut LockedSession,
    transaction: &mut OpenTransaction,
    files: &[StepContext<'_>],
    due: usize,
    history_tables: &[&str],
    attempt: u32,
) -> Result<(), Failed> {
    for (index, context) in files.iter().enumerate().skip(due) {
        let settings = context.settings();
        let watch = Watch::new(context, locked.session(), settings.lock_timeout);
        let started = Instant::now();
        let running = async {
            match transaction.began {
                Some(_) => locked
                    .session_mut()
                    .prepare_within(&settings)
                    .await
                    .map_err(Fault::of)?,
                None => begin(locked, transaction, &settings, history_tables).await?,
            }
            // Services that share the database have a history table each, possibly in different schemas.
            if history_tables.len() > 1 {
                let refreshing = locked.session_mut().refresh(context.history_table);
                refreshing.await.map_err(Fault::of)?;
            }
            locked.session().enter_file().await.map_err(Fault::of)?;
            check_reading(locked.session(), context, CheckTime::BeforeFile).await?;
            let attempt = || context.done(started, attempt, None);
            inside(locked, context, attempt, Ending::Continues).await
        };
        let ran = watch.over(running).await;
        context.report_notices(locked.session_mut());
        ran.map_err(|fault| Failed {
            index,
            fault,
            blockers: watch.blockers(),
        })?;
    }
    Ok(())
}

async fn begin(
    locked: &mut LockedSession,
    transaction: &mut OpenTransaction,
    settings: &SessionSettings,
    history_tables: &[&str],
) -> Result<(), Fault> {
    locked
        .session_mut()
        .prepare(settings)
        .await
        .map_err(Fault::of)?;
    let session = locked.session();
    let (_, relations) = tokio::try_join!(
        // `biased` sends BEGIN first, in the same round trip.
        biased;
        session.client().batch_execute("BEGIN"),
        read_relations(session, history_tables),
    )
    .map_err(Fault::of)?;
    transaction.relations = relations;
    transaction.began = Some(tokio::time::Instant::now());
    Ok(())
}

/// Records in the journal that a file had been executed and was rolled back.
pub async fn record_rolled_back(
    session: &Session,
    context: &StepContext<'_>,
    executed: Executed,
    because: &str,
) -> Result<(), tokio_postgres::Error> {
    let attempt = Attempt {
        outcome: AttemptOutcome::RolledBack,
        duration: executed.duration,
        message: Some(because),
        ..context.done(Instant::now(), executed.attempts, None)
    };
    record_failed(session, &attempt).await
}
