//! A database that is locked for this run and waits for its turn.
//!
//! The server ends a session that keeps silent (`postgres::session`), and with it the lock: somebody has to speak meanwhile.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::inspect::ServiceError;
use crate::postgres::LockedSession;
use crate::reconcile::History;

/// Well below the silence after which the server ends the session.
const PAUSE: Duration = Duration::from_secs(10);

/// A locked session that is kept alive, with the history that was read under its lock. Dropped, it gives the lock back by closing
/// its connection.
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

    /// What was read under the lock.
    pub(super) fn history(&self) -> &History {
        &self.history
    }

    /// The session, for work. Where its connection was lost meanwhile, the first statement says so.
    pub async fn take(self) -> Result<(LockedSession, History), ServiceError> {
        let _ = self.asked.send(());
        let locked = self.keeper.await.map_err(|_| ServiceError::Cancelled)?;
        Ok((locked, self.history))
    }
}

async fn keep(locked: LockedSession, mut wanted: oneshot::Receiver<()>) -> LockedSession {
    loop {
        tokio::select! {
            _ = &mut wanted => return locked,
            () = tokio::time::sleep(PAUSE) => {
                let speaking = locked.session().client().batch_execute("");
                match tokio::time::timeout(PAUSE, speaking).await {
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
