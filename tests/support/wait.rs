//! Waiting for a condition instead of for a time.

use std::time::{Duration, Instant};

const LONGEST: Duration = Duration::from_secs(30);
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
/// Many conditions open a connection, which takes the time of the processor from what is waited for.
const LONGEST_PAUSE: Duration = Duration::from_millis(80);

/// Waits until `condition` holds; panics with `what` when it does not within half a minute.
#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONGEST;
    let mut pause = SHORTEST_PAUSE;
    while !condition() {
        assert!(Instant::now() < deadline, "timed out waiting for {what}");
        std::thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
