//! Ports for the project's own servers.
//!
//! Responsible for: which ports to try, in which order. Not for: reserving one (the bind of the server
//! decides, and the caller continues with the next one).

use std::net::{Ipv4Addr, TcpListener};
use std::ops::RangeInclusive;
use std::path::Path;

/// Below the ephemeral ports of Linux and macOS, so that a restarted server finds its port
/// free.
const LOCAL: RangeInclusive<u16> = 15_432..=16_431;
/// A separate range, so that tests do not take the port of a developer's server.
const THROWAWAY: RangeInclusive<u16> = 20_000..=31_999;

/// The range for local servers.
pub(super) fn local_range() -> RangeInclusive<u16> {
    LOCAL
}

/// The range for throw-away servers.
pub(super) fn throwaway_range() -> RangeInclusive<u16> {
    THROWAWAY
}

/// Free ports of a range: first the preferred one, then upwards from a position that depends on `seed`.
pub(super) fn free_ports(
    range: RangeInclusive<u16>,
    wanted: Option<u16>,
    seed: u64,
) -> impl Iterator<Item = u16> {
    let (first, count) = (*range.start(), range.len() as u64);
    let onwards = (0..count).map(move |step| first + ((seed % count + step) % count) as u16);
    wanted
        .into_iter()
        .chain(onwards.filter(move |port| Some(*port) != wanted))
        .filter(|port| is_free(*port))
}

/// Whether the port is currently unused.
pub(super) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// A number that stays the same for a path (FNV-1a: the standard library's hash may change with its version).
pub(super) fn stable_hash(path: &Path) -> u64 {
    path.as_os_str()
        .as_encoded_bytes()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wanted_port_comes_first_and_taken_ones_are_left_out() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert!(!is_free(port));
        assert_ne!(free_ports(LOCAL, Some(port), 0).next(), Some(port));
        drop(taken);
        assert_eq!(free_ports(LOCAL, Some(port), 0).next(), Some(port));
    }

    #[test]
    fn every_port_of_the_range_comes_once() {
        let range = 15_500..=15_503;
        let ports: Vec<u16> = free_ports(range.clone(), Some(15_501), 7).collect();
        let mut sorted = ports.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), ports.len());
        assert!(ports.iter().all(|port| range.contains(port)));
    }

    #[test]
    fn the_hash_does_not_change_between_versions() {
        assert_eq!(stable_hash(Path::new("a")), 0xaf63_dc4c_8601_ec8c);
    }
}
