//! Finishing a prepared transaction on a connection of its own.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use tokio_postgres::error::SqlState;

use crate::domain::{Decision, ExitStatus, rerun};
use crate::inspect::{ServiceError, Target};
use crate::postgres::{Connections, Gid, Session, finish_prepared, is_connection_lost};

/// How long a server that is being started again, or a network that is down, is waited for.
pub(super) const LONGEST_OUTAGE: Duration = Duration::from_secs(30);
pub(super) const PAUSE: Duration = Duration::from_millis(250);
/// What one attempt is given after that.
const SHORTEST: Duration = Duration::from_secs(2);

/// Commits or rolls back, at least once, and again while the server cannot be reached. `false`: somebody else had done so.
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

/// An error comes with whether it may pass.
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
        // 55000: another session, perhaps one of ours that was lost, is at it right now.
        let passes = is_connection_lost(&error)
            || error.code() == Some(&SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE);
        (ServiceError::query(&target.address, error), passes)
    })
}

/// A session; an error comes with whether it may pass.
pub(super) async fn open(
    connections: &Connections,
    target: &Target,
    until: Instant,
) -> Result<Session, (ServiceError, bool)> {
    let opening = connections.session(&target.address, &target.history_table);
    // Nothing is written while it connects: that may be dropped half way.
    let Ok(opened) = timeout_at(until.max(Instant::now() + SHORTEST), opening).await else {
        let error = ServiceError::Release {
            message: format!("{}: the server cannot be reached", target.address),
            next: rerun("once the server can be reached"),
            exit_code: ExitStatus::Unavailable,
        };
        return Err((error, true));
    };
    opened.map_err(|error| {
        let passes = error.is_transient() || error.is_unreachable();
        (ServiceError::from(error), passes)
    })
}
