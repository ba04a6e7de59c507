//! The first phase: the transaction of a database is prepared.
//!
//! Responsible for finding out whether it was. Not for the decision that follows. Floor 4.

use tokio::time::Instant;
use tokio_postgres::error::SqlState;

use super::database::{LONGEST_FAREWELL, Participant, since};
use crate::dispatch::atomic::finish::open;
use crate::domain::{EventKind, ExitStatus, called, commented};
use crate::inspect::ServiceError;
use crate::postgres::{Gid, SessionHandle, end_orphan, is_connection_lost, is_prepared};

impl Participant {
    /// Prepares the transaction. After an error nothing of it is prepared, or [`Self::roll_back`] sees to it.
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
                // The server has rolled it back, or does so with the connection.
                self.gid = None;
                return Err(self.not_prepared(error));
            }
        }
        self.prepared_at = Some(Instant::now());
        let open_ms = self.transaction.began.map_or(0, since);
        self.say_to_all(|| EventKind::ServicePrepared {
            gid: gid.to_string(),
            open_ms,
        });
        Ok(())
    }

    /// Looks up on another connection whether a transaction came to be prepared, once the lost server process is gone.
    async fn was_prepared(&self, gid: &Gid, lost: &SessionHandle) -> Result<bool, ServiceError> {
        let Some(target) = self.target() else {
            return Ok(false);
        };
        let session = open(&self.scope.connections, target, self.scope.until())
            .await
            .map_err(|(error, _)| error)?;
        let looking = async {
            end_orphan(session.client(), lost, LONGEST_FAREWELL, true).await?;
            is_prepared(session.client(), gid).await
        };
        looking.await.map_err(|error| self.query_error(error))
    }

    fn not_prepared(&self, error: tokio_postgres::Error) -> ServiceError {
        // Temporary objects, exported snapshots, LISTEN and NOTIFY, where a function hides them.
        let unsupported = error.code() == Some(&SqlState::FEATURE_NOT_SUPPORTED);
        let error = self.query_error(error);
        if !unsupported {
            return error;
        }
        ServiceError::Release {
            message: error.chain(),
            next: commented(
                called().without_flag("--atomic").to_string(),
                "--on-failure revert undoes what was applied; or remove that from the files",
            ),
            exit_code: ExitStatus::Failed,
        }
    }
}
