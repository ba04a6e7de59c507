//! Shortened timeouts after a second signal.
//!
//! After a second signal, a server that does not respond is given up within seconds. A statement that a server is still executing is
//! waited for, or cancelled by its caller.

use std::sync::LazyLock;
use std::time::Duration;

use tokio::sync::watch;

/// The longest wait for a server after the second signal.
const BRIEF: Duration = Duration::from_secs(2);

static SHORTENED: LazyLock<watch::Sender<bool>> = LazyLock::new(|| watch::Sender::new(false));

/// From now on, silent servers are not waited for.
pub fn shorten_timeouts() {
    SHORTENED.send_replace(true);
}

pub(super) fn are_shortened() -> bool {
    *SHORTENED.borrow()
}

/// Returns the limit, shortened after the second signal.
pub fn shortened(limit: Duration) -> Duration {
    if are_shortened() {
        limit.min(BRIEF)
    } else {
        limit
    }
}

/// Sleeps, but returns shortly after the second signal.
pub(super) async fn pause(longest: Duration) {
    let mut shortened = SHORTENED.subscribe();
    let shortening = async { drop(shortened.wait_for(|shortened| *shortened).await) };
    tokio::select! {
        () = tokio::time::sleep(longest) => {}
        () = shortening => tokio::time::sleep(longest.min(BRIEF)).await,
    }
}
