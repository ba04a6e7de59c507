//! The user's wish to wait for no server any more.
//!
//! After a second signal nothing is worth a long wait: a server that does not answer is given up within seconds. What a server is at
//! work on is still waited for, or cancelled by whoever asked for it. Floor 2.

use std::sync::LazyLock;
use std::time::Duration;

use tokio::sync::watch;

/// The longest wait for a server from then on.
const BRIEF: Duration = Duration::from_secs(2);

static HURRY: LazyLock<watch::Sender<bool>> = LazyLock::new(|| watch::Sender::new(false));

/// From now on silent servers are not waited for.
pub fn hurry() {
    HURRY.send_replace(true);
}

pub(super) fn is_hurried() -> bool {
    *HURRY.borrow()
}

/// A limit, as it is by now.
pub fn hurried(limit: Duration) -> Duration {
    if is_hurried() {
        limit.min(BRIEF)
    } else {
        limit
    }
}

/// Waits, and no longer than a moment after the wish is there.
pub(super) async fn pause(longest: Duration) {
    let mut hurried = HURRY.subscribe();
    let wished = async { drop(hurried.wait_for(|hurried| *hurried).await) };
    tokio::select! {
        () = tokio::time::sleep(longest) => {}
        () = wished => tokio::time::sleep(longest.min(BRIEF)).await,
    }
}
