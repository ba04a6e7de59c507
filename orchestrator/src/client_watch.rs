//! Noticing that a client program gets no further: its connection fell silent, and it would wait forever. Floor 3.
//!
//! What it does cannot be seen from here, and a large index keeps it waiting for good reason. It is given up when nothing moves on either side: it has
//! used neither the processor nor files since the last look, and no session of its own is at work on the server, or no server answers.

use std::process::{Output, Stdio};
use std::sync::Arc;

use shared::config::DatabaseAddress;
use shared::postgres::{Connections, ServerActivity};
use tokio::process::Command;

/// Looks in a row that see nothing move before a program is given up.
const MOST_STILL: u32 = 2;

/// How a client program is seen from outside.
pub struct ClientWatch {
    connections: Arc<Connections>,
    address: DatabaseAddress,
    /// The name of its sessions, and of nobody else's.
    application: String,
}

impl ClientWatch {
    /// For one run of a program that connects to `address` for a `purpose`, which is part of the name of its sessions.
    pub fn new(connections: Arc<Connections>, address: &DatabaseAddress, purpose: &str) -> Self {
        Self {
            connections,
            address: address.clone(),
            // The server cuts a name after 63 bytes.
            application: format!("orchestrator {purpose} {:08x}", fastrand::u32(..)),
        }
    }

    /// Where the program connects to.
    pub fn address(&self) -> &DatabaseAddress {
        &self.address
    }

    /// The variables with which the program connects there.
    pub fn environment(&self) -> Vec<(String, String)> {
        let limit = self.connections.connect_timeout();
        self.address.libpq_environment(limit)
    }

    /// The name of its sessions.
    pub fn application(&self) -> &str {
        &self.application
    }

    /// Runs a program to its end, naming who holds the locks that it waits for; `None` when it gets no further.
    ///
    /// # Errors
    /// When it does not start.
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

    /// Awaits the work of a program, the leader of a process group; `None` when it gets no further. The work, and with it the program, is dropped
    /// then.
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
                // Where the system does not say what a process does, only a server that is gone counts.
                (true, ServerActivity::Idle | ServerActivity::Unreachable) => still + 1,
                (false, ServerActivity::Unreachable) if seen.is_none() => still + 1,
                _ => 0,
            };
        }
        tracing::warn!(
            "{}: a client program gets no answer any more, and is ended",
            self.address
        );
    }
}

/// What a process group has used so far, the processor and files together: it changes with everything that it does. `None` where
/// the system does not say it.
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

/// `42 (pg_dump) S 1 42 …`: the process group, and the clock ticks used. The name may hold anything.
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
