//! Records the decision of a release in the database of its coordinator.
//!
//! Makes one decision, even if the connection is lost meanwhile. `settle` acts on it.

use tokio::time::Instant;

use super::database::Participant;
use crate::dispatch::atomic::finish::{PAUSE, open};
use crate::inspect::ServiceError;
use domain::{Decision, Diagnostic, ExitStatus, commented, rerun, suggest, with_causes};
use pg_session::{Session, is_connection_lost};
use store::{decide, finish_release};

/// The outcome of an attempt to decide.
pub(in crate::dispatch::atomic) enum Decided {
    /// This decision holds now, whichever run made it.
    As(Decision),
    /// Nothing was decided.
    Not(ServiceError),
    /// It is unknown whether a decision was made.
    Unknown(ServiceError),
}

impl Participant {
    /// Decides, as the coordinator. Its own transaction is prepared or has ended.
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
        // The first attempt may still arrive at the server. It then finds the decision made, and changes nothing.
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
            None => {
                let message = format!(
                    "{}: the row of this release in orchestrator.releases is missing",
                    self.place()
                );
                let next = rerun("do not modify that table");
                Decided::Not(Diagnostic::new(ExitStatus::Failed, message, next).into())
            }
        }
    }

    /// Records that the release was rolled back, for readers of the table only: a missing decision means the same.
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

    /// Records that no transaction of the release is prepared any more, for readers of the table only.
    pub(in crate::dispatch::atomic) async fn note_end(&self) {
        let session = self.locked.session();
        let noting = finish_release(session.client(), self.scope.run.run_id);
        if let Err(error) = noting.await {
            tracing::debug!(error = %with_causes(&error), "the end of the release could not be noted");
        }
    }
}

/// The error for a release whose outcome is unknown.
pub(super) fn unknown(error: &ServiceError) -> ServiceError {
    let next = commented(
        suggest(["doctor", "--fix"]),
        "finishes the release once the server is reachable; so does the next run",
    );
    let cause = error
        .diagnostic()
        .within("it is unknown whether the release was committed");
    cause.with_next(next).into()
}
