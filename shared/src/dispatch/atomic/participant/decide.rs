//! The decision of a release, recorded in the database of its coordinator.
//!
//! Responsible for one decision, whatever becomes of the connection; not for what follows from it. Floor 4.

use tokio::time::Instant;

use super::database::Participant;
use crate::dispatch::atomic::finish::{PAUSE, open};
use crate::domain::{Decision, ExitStatus, commented, rerun, suggest, with_causes};
use crate::inspect::ServiceError;
use crate::postgres::{Session, decide, finish_release, is_connection_lost};

/// What became of an attempt to decide.
pub(in crate::dispatch::atomic) enum Decided {
    /// This stands now, whoever decided it.
    As(Decision),
    /// Nothing was decided.
    Not(ServiceError),
    /// It is not known whether something was.
    Unknown(ServiceError),
}

impl Participant {
    /// Decides, as the coordinator. Its own transaction is prepared, or over.
    pub(in crate::dispatch::atomic) async fn decide(&mut self, decision: Decision) -> Decided {
        self.leave_transaction().await;
        let session = self.locked.session();
        let mut error = match self.decide_on(session, decision).await {
            Ok(decided) => return self.decided(decided),
            Err(error) if !is_connection_lost(&error) => {
                return Decided::Not(self.query_error(error));
            }
            Err(error) => self.query_error(error),
        };
        let Some(target) = self.target() else {
            return Decided::Unknown(error);
        };
        // Whatever became of the first try: one that comes late finds that it is decided.
        let until = self.scope.until();
        while Instant::now() < until {
            match open(&self.scope.connections, target, until).await {
                Ok(session) => match self.decide_on(&session, decision).await {
                    Ok(decided) => return self.decided(decided),
                    Err(again) => error = self.query_error(again),
                },
                Err((again, passes)) => {
                    error = again;
                    if !passes {
                        break;
                    }
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
        Decided::Unknown(unknown(&error))
    }

    async fn decide_on(
        &self,
        session: &Session,
        decision: Decision,
    ) -> Result<Option<Decision>, tokio_postgres::Error> {
        let run = &self.scope.run;
        decide(session.client(), run.run_id, decision, &run.client_host).await
    }

    fn decided(&self, decided: Option<Decision>) -> Decided {
        match decided {
            Some(decision) => Decided::As(decision),
            None => Decided::Not(ServiceError::Release {
                message: format!(
                    "{}: the row of this release in orchestrator.releases is gone",
                    self.place()
                ),
                next: rerun("leave that table alone"),
                exit_code: ExitStatus::Failed,
            }),
        }
    }

    /// Notes that the release came to nothing. Only for those who read the table: without it nothing was decided, which is the same.
    pub(in crate::dispatch::atomic) async fn note_rollback(&mut self) {
        self.leave_transaction().await;
        let session = self.locked.session();
        if session.client().is_closed() {
            return;
        }
        if let Err(error) = self.decide_on(session, Decision::Rollback).await {
            tracing::debug!(error = %with_causes(&error), "the rollback of the release could not be noted");
        }
    }

    /// Notes that nothing of the release is prepared any more. Only for those who read the table.
    pub(in crate::dispatch::atomic) async fn note_end(&self) {
        let session = self.locked.session();
        let noting = finish_release(session.client(), self.scope.run.run_id);
        if let Err(error) = noting.await {
            tracing::debug!(error = %with_causes(&error), "the end of the release could not be noted");
        }
    }
}

/// Nobody knows what was committed.
pub(super) fn unknown(error: &ServiceError) -> ServiceError {
    ServiceError::Release {
        message: format!(
            "{}; whether the release is committed is not known",
            error.chain()
        ),
        next: commented(
            suggest(["doctor", "--fix"]),
            "finds out and finishes it when the server is back; so does the next run",
        ),
        exit_code: ExitStatus::Unavailable,
    }
}
