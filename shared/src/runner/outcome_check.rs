//! After a connection was lost: what became of the step is looked up, not guessed.

use std::time::Duration;

use tokio::time::Instant;
use tokio_postgres::error::SqlState;

use super::fault::Fault;
use super::step::StepContext;
use crate::postgres::{
    Attempt, ConnectError, ProgressState, Session, end_orphan, last_sqlstate, read_progress,
    record_failed, run_succeeded,
};
use crate::sql;

/// How long a server that is being started again, or a network that is down, is waited for.
const LONGEST_OUTAGE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(250);

/// How long the lost server process may go on with a statement. The server looks after its client every two seconds.
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// What became of a step whose connection was lost.
pub(super) enum Outcome {
    /// It was committed.
    Done,
    /// It was not.
    NotDone {
        /// Of a no-transaction file: how many statements are recorded as done, and whether another was begun.
        recorded: Option<(usize, bool)>,
    },
    /// That could not be found out, and why.
    Unknown(String),
}

/// The outcome, and the connection that it was looked up on.
pub(super) struct OutcomeCheck {
    pub(super) outcome: Outcome,
    /// Whether the file ended its own session: its text shows that, or the server ended the session at this file twice while it was up.
    pub(super) ended_itself: bool,
    session: Option<Session>,
}

/// Finds out what became of the step, once the lost server process is gone.
///
/// Without COMMIT nothing of a transaction stays: that is known, also where the server cannot be reached.
pub(super) async fn look_up(
    lost: &Session,
    context: &StepContext<'_>,
    fault: &Fault,
) -> OutcomeCheck {
    let certain = fault.is_before_commit() && !context.script().directives.no_transaction;
    let deadline = Instant::now()
        + if certain {
            Duration::ZERO
        } else {
            LONGEST_OUTAGE
        };
    loop {
        let why = match connect(lost, context).await {
            Ok(session) => match found(&session, lost, context).await {
                Ok(outcome) => {
                    return OutcomeCheck {
                        outcome,
                        ended_itself: ended_itself(&session, lost, context, fault).await,
                        session: Some(session),
                    };
                }
                Err(error) => crate::inspect::ServiceError::query(lost.address(), error).chain(),
            },
            Err(error) if error.is_transient() || error.is_unreachable() => {
                crate::inspect::ServiceError::from(error).chain()
            }
            Err(error) => {
                let why = crate::inspect::ServiceError::from(error).chain();
                return OutcomeCheck::without_session(certain, why);
            }
        };
        if Instant::now() >= deadline || context.is_cancelled_now() {
            return OutcomeCheck::without_session(certain, why);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn ended_itself(
    session: &Session,
    lost: &Session,
    context: &StepContext<'_>,
    fault: &Fault,
) -> bool {
    let Fault::Lost { source, .. } = fault else {
        return false;
    };
    let was_ended = source.code() == Some(&SqlState::ADMIN_SHUTDOWN);
    if !was_ended || !session.handle().is_of_same_server_run(&lost.handle()) {
        return false;
    }
    sql::mentions(&context.script().text, "pg_terminate_backend")
        || last_sqlstate(
            session.client(),
            &context.service.name,
            context.migration.version,
            context.direction,
            context.migration.checksum,
        )
        .await
        .is_ok_and(|last| last.as_deref() == Some(SqlState::ADMIN_SHUTDOWN.code()))
}

async fn connect(lost: &Session, context: &StepContext<'_>) -> Result<Session, ConnectError> {
    context
        .connections
        .session(lost.address(), context.history_table)
        .await
}

async fn found(
    session: &Session,
    lost: &Session,
    context: &StepContext<'_>,
) -> Result<Outcome, tokio_postgres::Error> {
    let no_transaction = context.script().directives.no_transaction;
    // Without COMMIT a transaction comes to nothing: there is nothing to wait for. A statement that cannot be rolled back
    // is better finished than left half-done.
    let gone = end_orphan(
        session.client(),
        &lost.handle(),
        LONGEST_WAIT,
        !no_transaction,
    )
    .await?;
    let service = &context.service.name;
    let (version, direction) = (context.migration.version, context.direction);
    if run_succeeded(
        session.client(),
        context.run.run_id,
        service,
        version,
        direction,
    )
    .await?
    {
        return Ok(Outcome::Done);
    }
    if !gone {
        return Ok(Outcome::Unknown(format!(
            "server process {} is still at work on it, and the next run waits for its end",
            lost.pid()
        )));
    }
    if !no_transaction {
        return Ok(Outcome::NotDone { recorded: None });
    }
    let states = read_progress(session.client(), service, version, direction).await?;
    let done = states
        .iter()
        .filter(|(_, state)| *state == ProgressState::Done)
        .count();
    Ok(Outcome::NotDone {
        recorded: Some((done, states.len() > done)),
    })
}

impl OutcomeCheck {
    fn without_session(certain: bool, why: String) -> Self {
        Self {
            outcome: if certain {
                Outcome::NotDone { recorded: None }
            } else {
                Outcome::Unknown(why)
            },
            ended_itself: false,
            session: None,
        }
    }

    /// What a no-transaction file has left; `None` where that cannot be asked.
    pub(super) async fn left_behind(
        &self,
        context: &StepContext<'_>,
    ) -> Option<(bool, Vec<String>)> {
        let session = self.session.as_ref()?;
        context.left_behind(session.client()).await.ok()
    }

    /// Writes the journal row of the attempt on the new connection.
    pub(super) async fn write_failed(&self, attempt: &Attempt<'_>) -> Result<(), String> {
        let Some(session) = &self.session else {
            return Err("the server cannot be reached".to_owned());
        };
        record_failed(session, attempt)
            .await
            .map_err(|error| crate::domain::with_causes(&error))
    }
}
