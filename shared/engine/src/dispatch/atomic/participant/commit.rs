//! The second phase: commits a database and reports its migrations as applied.
//!
//! A release of a single database has only this phase.

use tokio::time::Instant;

use super::database::{ORPHAN_TIMEOUT, Participant, since};
use super::decide::unknown;
use crate::dispatch::atomic::finish::{PAUSE, finish_elsewhere, open};
use crate::inspect::ServiceError;
use domain::{Decision, Direction, EventKind, millis};
use pg_session::{SessionHandle, end_orphan, finish_prepared, is_connection_lost};
use store::run_succeeded;

impl Participant {
    /// Commits what is prepared, after the decision, and reports it.
    pub(in crate::dispatch::atomic) async fn commit(&mut self) -> Result<(), ServiceError> {
        let (Some(gid), Some(target)) = (self.gid.clone(), self.target().cloned()) else {
            return Ok(());
        };
        let session = self.locked.session();
        let finishing = finish_prepared(session.client(), &gid, Decision::Commit);
        let connections = &self.scope.connections;
        let finished = finishing.await;
        if finished.is_err() {
            // Retry on another connection. If that fails too, its error gives the cause.
            let until = self.scope.until();
            finish_elsewhere(connections, &target, &gid, Decision::Commit, until).await?;
        }
        self.gid = None;
        self.report_committed();
        Ok(())
    }

    /// Commits without two phases, for a release of a single database.
    pub(in crate::dispatch::atomic) async fn commit_alone(&mut self) -> Result<(), ServiceError> {
        let handle = self.handle();
        let (sent, committed) = self.end(None).await;
        self.prepared_at = Some(Instant::now());
        match committed {
            Ok(()) => {}
            Err(error) if sent && is_connection_lost(&error) => {
                let lost = self.query_error(error);
                match self.was_committed(&handle, &lost).await {
                    Ok(true) => {}
                    Ok(false) => return Err(lost),
                    Err(unknown) => {
                        // The outcome is unknown, so nothing is reported or recorded for these files.
                        self.ran.clear();
                        self.transaction.began = None;
                        return Err(unknown);
                    }
                }
            }
            Err(error) => return Err(self.query_error(error)),
        }
        self.report_committed();
        Ok(())
    }

    /// Checks on another connection whether the transaction was committed.
    async fn was_committed(
        &self,
        lost: &SessionHandle,
        why: &ServiceError,
    ) -> Result<bool, ServiceError> {
        let (Some(target), Some(last)) = (self.target(), self.ran.last()) else {
            return Ok(false);
        };
        let run_id = self.scope.run.run_id;
        let until = self.scope.until();
        loop {
            let passes = match open(&self.scope.connections, target, until).await {
                Ok(session) => {
                    let checking = async {
                        end_orphan(session.client(), lost, ORPHAN_TIMEOUT, true).await?;
                        let (service, version) = (&last.due.service, last.due.version);
                        run_succeeded(session.client(), run_id, service, version, Direction::Up)
                            .await
                    };
                    if let Ok(found) = checking.await {
                        return Ok(found);
                    }
                    true
                }
                Err((_, passes)) => passes,
            };
            if !passes || Instant::now() >= until {
                return Err(unknown(why));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn report_committed(&mut self) {
        let open_ms = self.transaction.began.take().map_or(0, since);
        let held_ms = self.prepared_at.take().map_or(0, since);
        for ran in &self.ran {
            let Some((target, _)) = self.targets.get(&ran.due.service) else {
                continue;
            };
            if let Some(migration) = target.service.migration(ran.due.version) {
                self.scope.say(
                    &ran.due.service,
                    Some(ran.due.version),
                    EventKind::MigrationApplied {
                        name: migration.name.clone(),
                        duration_ms: millis(ran.executed.duration),
                    },
                );
            }
        }
        let locks = std::mem::take(&mut self.locks);
        self.report_for_each(|| EventKind::ServiceCommitted {
            held_ms,
            open_ms,
            locks: locks.clone(),
        });
    }
}
