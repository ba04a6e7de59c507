//! Detects a client program that is stuck because its connection went silent: it would wait forever.
//!
//! A long wait alone proves nothing: building a large index takes time. The program is ended when both sides are idle: it has
//! used neither CPU nor files since the last check, and none of its sessions is active on the server, or the server does not respond.

use std::process::{Output, Stdio};
use std::sync::Arc;

use pg_address::DatabaseAddress;
use pg_session::{Connections, ServerActivity};
use tokio::process::Command;

/// The number of consecutive idle checks after which a program is ended.
const MOST_STILL: u32 = 2;

/// Observes a client program from outside.
pub struct ClientWatch {
    connections: Arc<Connections>,
    address: DatabaseAddress,
    /// The unique `application_name` of its sessions.
    application: String,
}

impl ClientWatch {
    /// Creates a watch for one run of a program that connects to `address`. The `purpose` is part of the `application_name`.
    pub fn new(connections: Arc<Connections>, address: &DatabaseAddress, purpose: &str) -> Self {
        Self {
            connections,
            address: address.clone(),
            // The server truncates the name to 63 bytes.
            application: format!("orchestrator {purpose} {:08x}", fastrand::u32(..)),
        }
    }

    /// The address that the program connects to.
    pub fn address(&self) -> &DatabaseAddress {
        &self.address
    }

    /// The environment variables for the connection.
    pub fn environment(&self) -> Vec<(String, String)> {
        let limit = self.connections.connect_timeout();
        self.address.libpq_environment(limit)
    }

    /// The `application_name` of its sessions.
    pub fn application(&self) -> &str {
        &self.application
    }

    /// Runs a program to its end and reports the sessions that block it. Returns `None` when it is stuck.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub async fn output(&self, command: &mut Command) -> std::io::Result<Option<Output>> {
        let child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let leader = child.id();
        let naming = self
            .connections
            .name_blockers_of(&self.address, &self.application);
        tokio::select! {
            biased;
            ended = self.over(leader, child.wait_with_output()) => ended.transpose(),
            () = naming => Ok(None),
        }
    }

    /// Awaits the work of a program that leads a process group. Returns `None` when the program is stuck; the work, and with it the
    /// program, is then dropped.
    pub fn over<'a, T>(
        &'a self,
        leader: Option<u32>,
        work: impl Future<Output = T> + 'a,
    ) -> impl Future<Output = Option<T>> + 'a {
        let (work, still) = (Box::pin(work), Box::pin(self.until_still(leader)));
        async move {
            tokio::select! {
                biased;
                done = work => Some(done),
                () = still => None,
            }
        }
    }

    async fn until_still(&self, leader: Option<u32>) {
        let patience = self.connections.patience();
        if patience.is_zero() {
            return std::future::pending().await;
        }
        let mut still = 0;
        let mut seen = leader.and_then(activity);
        while still < MOST_STILL {
            tokio::time::sleep(patience / 2).await;
            let now = leader.and_then(activity);
            let is_idle = now.is_some() && now == seen;
            seen = now;
            let sight = self.connections.sight(&self.address, &self.application);
            still = match (is_idle, sight.await) {
                // Without /proc the activity of the process is unknown, so only a lost server counts.
                (true, ServerActivity::Idle | ServerActivity::Unreachable) => still + 1,
                (false, ServerActivity::Unreachable) if seen.is_none() => still + 1,
                _ => 0,
            };
        }
        tracing::warn!(
            "{}: ended a client program, because the server no longer responds",
            self.address
        );
    }
}

/// The CPU and file activity of a process group as one number that changes with any activity. `None` if the system does not
/// expose it.
fn activity(leader: u32) -> Option<u64> {
    let mut all = None;
    for entry in std::fs::read_dir("/proc").ok()?.flatten() {
        let path = entry.path();
        let Ok(stat) = std::fs::read_to_string(path.join("stat")) else {
            continue;
        };
        let Some((group, ticks)) = group_and_ticks(&stat) else {
            continue;
        };
        if group == leader {
            let moved = std::fs::read_to_string(path.join("io")).unwrap_or_default();
            let bytes: u64 = moved
                .lines()
                .filter(|line| line.starts_with("rchar") || line.starts_with("wchar"))
                .filter_map(|line| line.split_once(": ")?.1.parse::<u64>().ok())
                .sum();
            *all.get_or_insert(0) += ticks + bytes;
        }
    }
    all
}

/// Parses `42 (pg_dump) S 1 42 …` into the process group and the CPU ticks used. The name can contain any character, also `)`.
fn group_and_ticks(stat: &str) -> Option<(u32, u64)> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    let field = |number: usize| fields.get(number - 3);
    let ticks = |number| field(number)?.parse::<u64>().ok();
    Some((field(5)?.parse().ok()?, ticks(14)? + ticks(15)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_and_the_ticks_of_a_process() {
        let stat = "4711 (pg) dump) S 1 4711 4711 0 -1 4194304 100 0 0 0 12 30 0 0 20 0 1 0 9";
        assert_eq!(group_and_ticks(stat), Some((4711, 42)));
        assert_eq!(group_and_ticks(""), None);
        assert_eq!(group_and_ticks("1 (x) S 1"), None);
    }
}
