//! A file in one transaction, together with its history row and its journal row.

use super::fault::Fault;
use super::observer::{Moment, observe, run_file_before};
use super::reading::{CheckTime, QUESTION, check_reading, judge_reading};
use super::step::StepContext;
use domain::{Direction, with_causes};
use pg_session::{Left, LockedSession};
use pg_sql as sql;
use store::{Attempt, LockCheck, RecordStatement, record_done};

/// One attempt. After an error that the server reported, the transaction has been rolled back.
pub(super) async fn attempt<'a>(
    locked: &mut LockedSession,
    context: &StepContext<'_>,
    attempt: impl Fn() -> Attempt<'a>,
) -> Result<(), Fault> {
    let ran = async {
        begin(locked, context).await?;
        let left = inside(locked, context, attempt, Ending::Commits).await?;
        context.check_gates().await?;
        observe(context, locked.session(), Moment::BeforeCommit).await?;
        Ok(left)
    };
    match ran.await {
        Ok(left) => locked
            .session_mut()
            .commit_file(left)
            .await
            .map_err(Fault::while_committing),
        Err(fault) => {
            let client = locked.session().client();
            if !matches!(fault, Fault::Lost { .. })
                && let Err(error) = client.batch_execute("ROLLBACK").await
            {
                tracing::debug!(error = %with_causes(&error), "the connection was lost during ROLLBACK");
            }
            Err(fault)
        }
    }
}

async fn begin(locked: &mut LockedSession, context: &StepContext<'_>) -> Result<(), Fault> {
    let text = &context.script().text;
    let deallocates = ["deallocate", "discard"]
        .iter()
        .any(|word| sql::mentions(text, word));
    let record = RecordStatement::of(
        locked.session(),
        context.history_table,
        context.direction,
        context.clears_progress(),
        lock_check(context, Ending::Commits),
    );
    let kept = (!deallocates).then(|| record.text());
    let settings = context.settings();
    let beginning = locked.session_mut().begin_file(&settings, kept, QUESTION);
    let shown = beginning.await.map_err(Fault::of)?;
    judge_reading(locked.session(), context, CheckTime::BeforeFile, &shown)
}

/// What follows a file in its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Commits,
    /// Possibly another file.
    Continues,
}

/// A session that reverts may hold the gate of its database, too, and a transaction that continues may be prepared.
fn lock_check(context: &StepContext<'_>, ending: Ending) -> LockCheck {
    match (context.direction, ending) {
        (Direction::Up, Ending::Commits) => LockCheck::Exchange,
        (Direction::Down, _) | (_, Ending::Continues) => LockCheck::List,
    }
}

/// Runs a file and writes its history row and its journal row, in the current transaction. Returns what it has left in its session.
///
/// That the advisory lock is still held is checked with the record: the file may have released it.
pub(super) async fn inside<'a>(
    locked: &LockedSession,
    context: &StepContext<'_>,
    attempt: impl Fn() -> Attempt<'a>,
    ending: Ending,
) -> Result<Left, Fault> {
    let session = locked.session();
    run_file_before(context, session).await?;
    let leave_file = async {
        match ending {
            Ending::Commits => {
                let leaving = session.leave_file_in_transaction(QUESTION);
                let shown = leaving.await.map_err(Fault::of)?;
                judge_reading(session, context, CheckTime::AfterFile, &shown)
            }
            // What it needs from the server comes before the record.
            Ending::Continues => Ok(()),
        }
    };
    if ending == Ending::Continues {
        check_reading(session, context, CheckTime::AfterFile).await?;
        session.leave_file_within().await.map_err(Fault::of)?;
    }
    let applied_on = context.applied_on();
    let attempt = attempt();
    // One round trip: the client pipelines queries that are polled together, and the server answers in order. `biased`: of several
    // errors the first is the cause; the later ones only report that the transaction is aborted.
    let ((), left) = tokio::try_join!(
        biased;
        leave_file,
        async {
            let clears = context.clears_progress();
            let table = context.history_table;
            let check = lock_check(context, ending);
            let written = record_done(session, table, &applied_on, &attempt, clears, check).await;
            context.check_written(written)
        },
    )?;
    Ok(left)
}
