//! The first phase: prepares the transaction of a database.
//!
//! Also finds out whether it was prepared when the connection is lost. `settle` makes the decision.

use tokio::time::Instant;
use tokio_postgres::error::SqlState;

use super::database::{ORPHAN_TIMEOUT, Participant, since};
use crate::dispatch::atomic::finish::open;
use crate::inspect::ServiceError;
use domain::{EventKind, called, commented};
use pg_session::{Gid, SessionHandle, end_orphan, is_connection_lost, is_prepared};

impl Participant {
    /// Prepares the transaction. After an error, nothing is prepared or [`Self::roll_back`] rolls it back.
    pub(in crate::dispatch::atomic) async fn prepare(
        &mut self,
        gid: Gid,
    ) -> Result<(), ServiceError> {
        let handle = self.handle();
        let (sent, prepared) = self.end(Some(&gid)).await;
        if sent {
            self.gid = Some(gid.clone());
        }
        match prepared {
            Ok(()) => {}
            Err(error) if sent && is_connection_lost(&error) => {
                let lost = self.query_error(error);
                if !self.was_prepared(&gid, &handle).await? {
                    return Err(lost);
                }
            }
            Err(error) => {
                // The server has rolled it back, or does so when the connection ends.
                self.gid = None;
                return Err(self.not_prepared(error));
            }
        }
        self.prepared_at = Some(Instant::now());
        let open_ms = self.transaction.began.map_or(0, since);
        self.report_for_each(|| EventKind::ServicePrepared {
            gid: gid.to_string(),
            open_ms,
        });
        Ok(())
    }

    /// Checks on another connection whether the transaction was prepared, after the lost server process has ended.
    async fn was_prepared(&self, gid: &Gid, lost: &SessionHandle) -> Result<bool, ServiceError> {
        let Some(target) = self.target() else {
            return Ok(false);
        };
        let session = open(&self.scope.connections, target, self.scope.until())
            .await
            .map_err(|(error, _)| error)?;
        let checking = async {
            end_orphan(session.client(), lost, ORPHAN_TIMEOUT, true).await?;
            is_prepared(session.client(), gid).await
        };
        checking.await.map_err(|error| self.query_error(error))
    }

    fn not_prepared(&self, error: tokio_postgres::Error) -> ServiceError {
        // PREPARE TRANSACTION rejects temporary objects, exported snapshots, LISTEN and NOTIFY, also inside functions.
        let unsupported = error.code() == Some(&SqlState::FEATURE_NOT_SUPPORTED);
        let error = self.query_error(error);
        if !unsupported {
            return error;
        }
        let next = commented(
            called().without_flag("--atomic").to_string(),
            "--on-failure revert undoes what was applied; or remove these operations from the files",
        );
        error.diagnostic().with_next(next).into()
    }
}
