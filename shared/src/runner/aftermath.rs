//! After a connection was lost: what became of the step is looked up, not guessed.

use std::time::Duration;

use super::step::StepContext;
use crate::postgres::{Attempt, Session, record_failed, run_succeeded, wait_until_gone};

/// How long the lost server process may take to end. The server looks after its client every two seconds.
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// Whether the step was committed, judged by this run's journal row once the lost server process is gone.
pub(super) async fn succeeded(lost: &Session, context: &StepContext<'_>) -> bool {
    let looked = async {
        let session = context
            .connections
            .session(lost.address(), context.history_table)
            .await
            .map_err(|error| error.to_string())?;
        let gone = wait_until_gone(session.client(), lost.pid(), LONGEST_WAIT)
            .await
            .map_err(|error| error.to_string())?;
        if !gone {
            tracing::warn!(
                service = %context.service.name,
                pid = lost.pid(),
                "the server process of the lost connection is still at work; the next run waits for it"
            );
        }
        run_succeeded(
            session.client(),
            context.run.run_id,
            &context.service.name,
            context.migration.version,
            context.direction,
        )
        .await
        .map_err(|error| error.to_string())
    };
    match looked.await {
        Ok(succeeded) => succeeded,
        Err(error) => {
            tracing::warn!(service = %context.service.name, %error, "the outcome could not be looked up");
            false
        }
    }
}

/// Writes the journal row of the attempt on a new connection.
pub(super) async fn write_failed(
    lost: &Session,
    context: &StepContext<'_>,
    attempt: &Attempt<'_>,
) -> Result<(), String> {
    let session = context
        .connections
        .session(lost.address(), context.history_table)
        .await
        .map_err(|error| error.to_string())?;
    record_failed(&session, attempt)
        .await
        .map_err(|error| error.to_string())
}
