//! Observes a statement outside a transaction, from other sessions.
//!
//! `CREATE INDEX CONCURRENTLY` and similar statements wait for older snapshots and for readers. A session of ours acts as such a
//! reader until it has read the statement's locks, then releases it. Two sessions take turns, so that the next phase of the statement
//! is also observed. Statements that do not wait for readers are sampled while they run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use pg_address::DatabaseAddress;
use pg_session::{Backoff, Client, ConnectError, Connection, Connections, within};
use tokio::sync::Mutex;
use tokio_postgres::types::Type;

use super::LockMode;
use super::relations::{ReconciledMigration, read_standing};

/// The pause between two samples: short at first, since most statements are short.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// The limit for how often a statement is held up. No statement waits for readers more often.
const MOST_TURNS: usize = 64;

/// Two sessions in addition to that of the migration.
pub(super) struct ConcurrentSessions {
    connections: Arc<Connections>,
    address: DatabaseAddress,
    pair: Mutex<Option<[Connection; 2]>>,
}

/// The observations of one statement.
pub(super) struct Watched {
    pub(super) before: ReconciledMigration,
    pub(super) after: ReconciledMigration,
    /// The strongest lock that the statement held or waited for, by relation.
    pub(super) modes: BTreeMap<u32, LockMode>,
    /// The duration without the time that the statement waited for us.
    pub(super) took: Duration,
}

/// Why a statement was not observed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConcurrentSessionError {
    #[error("cannot open a second session")]
    Connect(#[source] ConnectError),
    #[error("cannot read the locks of the statement")]
    Query(#[from] tokio_postgres::Error),
}

impl ConcurrentSessions {
    pub(super) fn new(connections: Arc<Connections>, address: DatabaseAddress) -> Self {
        Self {
            connections,
            address,
            pair: Mutex::new(None),
        }
    }

    /// Awaits `running`, a statement of the server process `pid`, to its end, even if the observation fails.
    pub(super) async fn watch(
        &self,
        pid: i32,
        running: BoxFuture<'_, ()>,
    ) -> Result<Watched, ConcurrentSessionError> {
        let mut pair = self.pair.lock().await;
        let mut running = Watchable {
            running: Some(running),
        };
        let watched = match self.open(&mut pair).await {
            Ok(pair) => observe(pair, pid, &mut running).await,
            Err(error) => Err(error),
        };
        if watched.is_err() {
            // Closing both connections releases the locks that they hold.
            *pair = None;
        }
        running.finish().await;
        watched
    }

    async fn open<'p>(
        &self,
        pair: &'p mut Option<[Connection; 2]>,
    ) -> Result<&'p [Connection; 2], ConcurrentSessionError> {
        let existing = pair
            .take()
            .filter(|[one, other]| !one.client.is_closed() && !other.client.is_closed());
        let opened = match existing {
            Some(opened) => opened,
            None => {
                let open = || self.connections.open_beside(&self.address);
                let (one, other) =
                    tokio::try_join!(open(), open()).map_err(ConcurrentSessionError::Connect)?;
                [one, other]
            }
        };
        Ok(pair.insert(opened))
    }
}

async fn observe(
    [one, other]: &[Connection; 2],
    pid: i32,
    running: &mut Watchable<'_>,
) -> Result<Watched, ConcurrentSessionError> {
    let (mut holder, mut next) = (&one.client, &other.client);
    let before = read_standing(holder).await?;
    hold(holder, &before).await?;
    let started = Instant::now();
    let (mut modes, mut waited, mut turns) = (BTreeMap::new(), Duration::ZERO, 0);
    let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    let mut passed = Instant::now();
    while !running.ends_within(backoff.next_pause()).await {
        let (locks, waits_for) = read_locks(holder, pid).await?;
        for (relation, mode) in locks {
            let known = modes.entry(relation).or_insert(mode);
            *known = mode.max(*known);
        }
        if waits_for {
            turns += 1;
            if turns < MOST_TURNS {
                hold(next, &before).await?;
            }
            release(holder).await?;
            std::mem::swap(&mut holder, &mut next);
            waited += passed.elapsed();
            backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        }
        passed = Instant::now();
    }
    let took = started.elapsed().saturating_sub(waited);
    release(holder).await?;
    Ok(Watched {
        before,
        after: read_standing(holder).await?,
        modes,
        took,
    })
}

/// Becomes a reader of each table: takes a snapshot and the lock of a `SELECT`. Skips tables that are not free at once: the
/// statement may hold the lock, or wait for it.
async fn hold(
    client: &Client,
    standing: &ReconciledMigration,
) -> Result<(), tokio_postgres::Error> {
    client
        .batch_execute(
            "BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL lock_timeout = '50ms'; SELECT 1",
        )
        .await?;
    let tables: Vec<&str> = standing
        .values()
        .filter(|relation| relation.is_table())
        .map(|relation| relation.name.as_str())
        .collect();
    if tables.is_empty() {
        return Ok(());
    }
    let locks = tables
        .iter()
        .map(|table| {
            format!(
                "BEGIN LOCK TABLE {table} IN ACCESS SHARE MODE NOWAIT; EXCEPTION WHEN OTHERS THEN NULL; END;\n"
            )
        })
        .collect::<String>();
    let body = format!("BEGIN\n{locks}END");
    // A table name may contain any dollar quote, so the body is a string literal.
    client
        .batch_execute(&format!("DO {}", pg_sql::quote_literal(&body)))
        .await
}

async fn release(client: &Client) -> Result<(), tokio_postgres::Error> {
    client.batch_execute("ROLLBACK").await
}

/// The locks that a server process holds or waits for, and whether it waits for the client's session.
async fn read_locks(
    client: &Client,
    pid: i32,
) -> Result<(Vec<(u32, LockMode)>, bool), tokio_postgres::Error> {
    let rows = client
        .query_typed(
            "SELECT l.relation, l.mode, pg_catalog.pg_backend_pid() = ANY (pg_catalog.pg_blocking_pids($1)) \
             FROM pg_catalog.pg_locks l WHERE l.pid = $1 \
               AND (l.locktype <> 'relation' OR l.relation >= 16384)",
            &[(&pid, Type::INT4)],
        )
        .await?;
    let mut locks = Vec::new();
    let mut waits = false;
    for row in &rows {
        waits |= row.try_get::<_, bool>(2)?;
        let mode = LockMode::parse(row.try_get(1)?);
        if let (Some(relation), Some(mode)) = (row.try_get::<_, Option<u32>>(0)?, mode) {
            locks.push((relation, mode));
        }
    }
    Ok((locks, waits))
}

/// A future that is awaited a little at a time.
struct Watchable<'a> {
    running: Option<BoxFuture<'a, ()>>,
}

impl Watchable<'_> {
    /// Whether the future completes within `time`.
    async fn ends_within(&mut self, time: Duration) -> bool {
        let Some(running) = &mut self.running else {
            return true;
        };
        if within(time, running).await.is_ok() {
            self.running = None;
        }
        self.running.is_none()
    }

    async fn finish(self) {
        if let Some(running) = self.running {
            running.await;
        }
    }
}
