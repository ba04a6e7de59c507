//! Rolls back a database of a release, prepared or not, and records it in the journal.
//!
//! `settle` gives the reason.

use super::database::Participant;
use super::scope::Ran;
use crate::dispatch::atomic::finish::{finish_elsewhere, open};
use crate::inspect::ServiceError;
use crate::runner::record_rolled_back;
use domain::{Decision, with_causes};
use pg_session::finish_prepared;

impl Participant {
    /// Rolls back, prepared or not, records that in the journal and reports it. After an error, a transaction may still be prepared.
    pub(in crate::dispatch::atomic) async fn roll_back(
        &mut self,
        because: &str,
    ) -> Result<(), ServiceError> {
        let finished = self.undo().await;
        self.transaction.began = None;
        let ran = std::mem::take(&mut self.ran);
        self.record(&ran, because).await;
        for ran in &ran {
            self.report_rolled_back(&ran.due, because);
        }
        finished
    }

    async fn undo(&mut self) -> Result<(), ServiceError> {
        self.leave_transaction().await;
        let Some(gid) = &self.gid else {
            return Ok(());
        };
        let connections = &self.scope.connections;
        let session = self.locked.session();
        let finishing = finish_prepared(session.client(), gid, Decision::Rollback);
        let finished = finishing.await;
        if finished.is_err()
            && let Some(target) = self.target()
        {
            let until = self.scope.until();
            finish_elsewhere(connections, target, gid, Decision::Rollback, until).await?;
        }
        self.gid = None;
        Ok(())
    }

    /// Writes the journal rows of the executed files.
    async fn record(&self, ran: &[Ran], because: &str) {
        if ran.is_empty() {
            return;
        }
        let own = self.locked.session();
        let elsewhere = match (own.client().is_closed(), self.target()) {
            (true, Some(target)) => {
                let until = self.scope.until();
                open(&self.scope.connections, target, until).await.ok()
            }
            _ => None,
        };
        let session = elsewhere.as_ref().unwrap_or(own);
        for ran in ran {
            let report = self.scope.reporter(&ran.due);
            let Some(context) = self.scope.context(&self.targets, &ran.due, &report) else {
                continue;
            };
            let writing = record_rolled_back(session, &context, ran.executed, because);
            if let Err(error) = writing.await {
                tracing::warn!(service = %ran.due.service, error = %with_causes(&error), "cannot record the rollback in the journal");
            }
        }
    }
}
