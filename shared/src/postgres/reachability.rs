//! What it was like so far to reach each server: how long a look at it may take, and whether it fell silent.
//!
//! A server whose logins take long is not given up because a look takes as long. One that was given up is not waited for again and
//! again, database by database. Floor 2.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::hurry;
use crate::config::DatabaseAddress;

/// The limit for a look at a server that answers quickly; a lost packet is sent again twice within it.
const LONGEST_LOOK: Duration = Duration::from_secs(6);

/// How much longer than the slowest login so far a look may take.
const SLOWER: u32 = 3;

/// The limit for connecting to a server that fell silent.
const BRIEF: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, Debug, Default)]
struct Reached {
    /// How long the slowest login took.
    slowest: Duration,
    is_silent: bool,
}

static SERVERS: Mutex<BTreeMap<String, Reached>> = Mutex::new(BTreeMap::new());

fn with<T>(address: &DatabaseAddress, change: impl FnOnce(&mut Reached) -> T) -> T {
    let mut servers = SERVERS.lock().unwrap_or_else(PoisonError::into_inner);
    change(servers.entry(address.server_key()).or_default())
}

/// A login that took so long has ended well.
pub(super) fn reached(address: &DatabaseAddress, took: Duration) {
    with(address, |server| {
        server.slowest = server.slowest.max(took);
        server.is_silent = false;
    });
}

/// Nothing comes from the server any more, or it was not reached.
pub(super) fn fell_silent(address: &DatabaseAddress) {
    with(address, |server| server.is_silent = true);
}

/// A limit for connecting, as it is by now.
pub(super) fn connect_limit(address: &DatabaseAddress, limit: Duration) -> Duration {
    let server = with(address, |server| *server);
    hurry::hurried(if server.is_silent {
        limit.min(BRIEF.max(server.slowest * SLOWER))
    } else {
        limit
    })
}

/// The limit for one look, connecting included.
pub(super) fn look_limit(address: &DatabaseAddress) -> Duration {
    let slowest = with(address, |server| server.slowest);
    hurry::hurried(LONGEST_LOOK.max(slowest * SLOWER))
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
        assert_eq!(look_limit(&slow), LONGEST_LOOK);
        reached(&slow, second * 5);
        reached(&slow, second);
        assert_eq!(look_limit(&slow), second * 15);

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
