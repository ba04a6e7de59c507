//! What is known about reaching each server: how long a check may take, and whether it became silent.
//!
//! A server with slow logins is not given up because a check is equally slow. A server that was given up is not waited for again
//! for each of its databases.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::shutdown_timeouts;
use pg_address::DatabaseAddress;

/// The limit for checking a server that responds quickly; a lost packet is retransmitted twice within it.
const LONGEST_LOOK: Duration = Duration::from_secs(6);

/// How much longer than the slowest login so far a check may take.
const SLOWER: u32 = 3;

/// The limit for connecting to a server that became silent.
const BRIEF: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, Debug, Default)]
struct Reached {
    /// The duration of the slowest login.
    slowest: Duration,
    is_silent: bool,
}

static SERVERS: Mutex<BTreeMap<String, Reached>> = Mutex::new(BTreeMap::new());

fn with<T>(address: &DatabaseAddress, change: impl FnOnce(&mut Reached) -> T) -> T {
    let mut servers = SERVERS.lock().unwrap_or_else(PoisonError::into_inner);
    change(servers.entry(address.server_key()).or_default())
}

/// Records the duration of a successful login.
pub(super) fn reached(address: &DatabaseAddress, took: Duration) {
    with(address, |server| {
        server.slowest = server.slowest.max(took);
        server.is_silent = false;
    });
}

/// Records that the server stopped responding, or was not reached.
pub(super) fn fell_silent(address: &DatabaseAddress) {
    with(address, |server| server.is_silent = true);
}

/// The current limit for connecting.
pub(super) fn connect_limit(address: &DatabaseAddress, limit: Duration) -> Duration {
    let server = with(address, |server| *server);
    shutdown_timeouts::shortened(if server.is_silent {
        limit.min(BRIEF.max(server.slowest * SLOWER))
    } else {
        limit
    })
}

/// The limit for one check, connecting included.
pub(super) fn limit_of_check(address: &DatabaseAddress) -> Duration {
    let slowest = with(address, |server| server.slowest);
    shutdown_timeouts::shortened(LONGEST_LOOK.max(slowest * SLOWER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_server_is_looked_at_longer_and_a_silent_one_is_not_waited_for() {
        let address = |host: &str| {
            DatabaseAddress::parse(&format!("postgres://u@{host}/d"), &BTreeMap::new())
                .expect("an address")
        };
        let (slow, other) = (address("slow.test"), address("other.test"));
        let second = Duration::from_secs(1);
        assert_eq!(limit_of_check(&slow), LONGEST_LOOK);
        reached(&slow, second * 5);
        reached(&slow, second);
        assert_eq!(limit_of_check(&slow), second * 15);

        fell_silent(&slow);
        assert_eq!(connect_limit(&slow, second * 20), second * 15);
        assert_eq!(connect_limit(&slow, second), second);
        assert_eq!(connect_limit(&other, second * 10), second * 10);
        fell_silent(&other);
        assert_eq!(connect_limit(&other, second * 10), BRIEF);
        reached(&other, Duration::ZERO);
        assert_eq!(connect_limit(&other, second * 10), second * 10);
    }
}
