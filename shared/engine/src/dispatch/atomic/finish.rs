//! Finishes a prepared transaction on a separate connection.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use tokio_postgres::error::SqlState;

use crate::inspect::{ServiceError, Target};
use domain::{Decision, Diagnostic, ExitStatus, rerun};
use pg_session::{Connections, Gid, Session, finish_prepared, is_connection_lost};

/// The longest time to wait for a server that restarts or a network that is down.
pub(super) const LONGEST_OUTAGE: Duration = Duration::from_secs(30);
pub(super) const PAUSE: Duration = Duration::from_millis(250);
/// The minimum time for one attempt, even after the deadline.
const SHORTEST: Duration = Duration::from_secs(2);

/// Commits or rolls back, at least once, and retries while the server is unreachable. `false`: another session had finished it.
pub async fn finish_elsewhere(
    connections: &Connections,
    target: &Target,
    gid: &Gid,
    decision: Decision,
    until: Instant,
) -> Result<bool, ServiceError> {
    loop {
        let (error, passes) = match try_once(connections, target, gid, decision, until).await {
            Ok(finished) => return Ok(finished),
            Err(failed) => failed,
        };
        if !passes || Instant::now() >= until {
            return Err(error);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// One attempt. The flag beside an error is true if a retry can help.
async fn try_once(
    connections: &Connections,
    target: &Target,
    gid: &Gid,
    decision: Decision,
    until: Instant,
) -> Result<bool, (ServiceError, bool)> {
    let session = open(connections, target, until).await?;
    let finishing = finish_prepared(session.client(), gid, decision);
    finishing.await.map_err(|error| {
        // 55000: another session, perhaps a lost one of ours, is finishing it right now.
        let passes = is_connection_lost(&error)
            || error.code() == Some(&SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE);
        (ServiceError::query(&target.address, error), passes)
    })
}

/// Opens a session. The flag beside an error is true if a retry can help.
pub(super) async fn open(
    connections: &Connections,
    target: &Target,
    until: Instant,
) -> Result<Session, (ServiceError, bool)> {
    let opening = connections.session(&target.address, &target.history_table);
    // Connecting writes nothing, so the timeout may drop it half way.
    let Ok(opened) = timeout_at(until.max(Instant::now() + SHORTEST), opening).await else {
        let error = Diagnostic::new(
            ExitStatus::Unavailable,
            format!("{}: the server cannot be reached", target.address),
            rerun("once the server can be reached"),
        );
        return Err((error.into(), true));
    };
    opened.map_err(|error| {
        let passes = error.is_transient() || error.is_unreachable();
        (ServiceError::from(error), passes)
    })
}
