//! A database that is locked for this run and waits for its turn.
//!
//! The server ends an idle session (`postgres::session`), and the lock with it. This task keeps the session alive.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::inspect::ServiceError;
use domain::History;
use pg_session::{LockedSession, within};

/// Well below the idle timeout after which the server ends the session.
const PAUSE: Duration = Duration::from_secs(10);

/// A locked session that is kept alive, with the history that was read under its lock. Dropping it closes the connection, which
/// releases the lock.
pub struct LockedDatabase {
    history: History,
    asked: oneshot::Sender<()>,
    keeper: JoinHandle<LockedSession>,
}

impl LockedDatabase {
    /// Keeps a session alive from now on.
    pub fn keep(locked: LockedSession, history: History) -> Self {
        let (asked, wanted) = oneshot::channel();
        Self {
            history,
            asked,
            keeper: tokio::spawn(keep(locked, wanted)),
        }
    }

    /// The history that was read under the lock.
    pub(super) fn history(&self) -> &History {
        &self.history
    }

    /// The session, for work. If its connection was lost meanwhile, the first statement fails.
    pub async fn take(self) -> Result<(LockedSession, History), ServiceError> {
        let _ = self.asked.send(());
        let locked = self.keeper.await.map_err(|_| ServiceError::Cancelled)?;
        Ok((locked, self.history))
    }
}

async fn keep(locked: LockedSession, mut wanted: oneshot::Receiver<()>) -> LockedSession {
    loop {
        tokio::select! {
            // No order is needed: a keepalive that starts just before the session is requested only delays it by a round trip.
            _ = &mut wanted => return locked,
            () = tokio::time::sleep(PAUSE) => {
                let keepalive = locked.session().client().batch_execute("");
                // Without an answer in this time the connection counts as lost; a dead network reports no error for minutes.
                match within(PAUSE, keepalive).await {
                    Ok(Ok(())) => {}
                    lost => {
                        tracing::debug!(?lost, "a locked session was lost while it waited");
                        return locked;
                    }
                }
            }
        }
    }
}
