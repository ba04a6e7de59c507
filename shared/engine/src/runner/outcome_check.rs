//! After a lost connection: looks up the outcome of the step instead of guessing it.

use std::time::Duration;

use tokio::time::Instant;
use tokio_postgres::error::SqlState;

use super::fault::Fault;
use super::step::StepContext;
use pg_session::{ConnectError, Session, end_orphan};
use store::{Attempt, ProgressState, last_sqlstate, read_progress, record_failed, run_succeeded};

/// The longest time to wait for a server that restarts or a network that is down.
const LONGEST_OUTAGE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(250);

/// The longest time that the lost server process may continue a statement. The server checks its client every two seconds.
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// The outcome of a step whose connection was lost.
pub(super) enum Outcome {
    /// It was committed.
    Done,
    /// It was not committed.
    NotDone {
        /// For a no-transaction file: how many statements are recorded as done, and whether another had started.
        recorded: Option<(usize, bool)>,
    },
    /// It could not be determined; the text gives the cause.
    Unknown(String),
}

/// The outcome, and the connection on which it was looked up.
pub(super) struct OutcomeCheck {
    pub(super) outcome: Outcome,
    /// Whether the file terminated its own session: its text shows that, or the server ended the session at this file twice without a restart.
    pub(super) ended_itself: bool,
    session: Option<Session>,
}

/// Determines the outcome of the step, once the lost server process has ended.
///
/// Without COMMIT, nothing of a transaction remains: that is certain even if the server is unreachable.
pub(super) async fn determine(
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
                Err(error) => crate::inspect::ServiceError::query(lost.address(), error)
                    .diagnostic()
                    .to_string(),
            },
            Err(error) if error.is_transient() || error.is_unreachable() => {
                crate::inspect::ServiceError::from(error)
                    .diagnostic()
                    .to_string()
            }
            Err(error) => {
                let why = crate::inspect::ServiceError::from(error)
                    .diagnostic()
                    .to_string();
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
    pg_sql::mentions(&context.script().text, "pg_terminate_backend")
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
    // Without COMMIT, the transaction is rolled back: there is nothing to wait for. A statement that cannot be rolled back should
    // finish rather than be left half-done.
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
            "server process {} is still running it; the next run waits until it ends",
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

    /// What a no-transaction file has left; `None` if that cannot be queried.
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
            .map_err(|error| domain::with_causes(&error))
    }
}
