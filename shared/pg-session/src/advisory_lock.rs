//! The advisory lock: one run per database.
//!
//! A *session* lock, polled. A session that blocks in `pg_advisory_lock` holds a snapshot, and `CREATE INDEX CONCURRENTLY` in
//! the holder waits for that snapshot: a deadlock.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::Instant;
use tokio_postgres::types::Type;

use super::Client;
use super::activity::{HOLDER, read_holder};
use super::backoff::{Backoff, within};
use super::{Session, shutdown_timeouts};
use domain::{Holder, Phase, with_causes};

/// The key of the lock, the same in every database and for every version of this program: "SOC migr" in ASCII.
pub const ADVISORY_LOCK_KEY: i64 = 0x534F_4320_6D69_6772;

/// The functions that PUBLIC may execute unless that was revoked.
pub const ADVISORY_LOCK_FUNCTIONS: &str = "pg_catalog.pg_try_advisory_lock(bigint), \
    pg_catalog.pg_try_advisory_lock_shared(bigint), pg_catalog.pg_try_advisory_xact_lock(bigint), \
    pg_catalog.pg_advisory_unlock(bigint), pg_catalog.pg_advisory_unlock_all()";

/// The key of a database's gate: "SOC gate" in ASCII. Steps of other services that require a migration of this database share it until
/// they are committed; a revert of such a migration takes it alone. ADR 0026 explains why this cannot deadlock.
const GATE_LOCK_KEY: i64 = 0x534F_4320_6761_7465;

/// An advisory lock and its mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lock {
    Run,
    SharedGate,
    ExclusiveGate,
}

impl Lock {
    const fn key(self) -> i64 {
        match self {
            Self::Run => ADVISORY_LOCK_KEY,
            Self::SharedGate | Self::ExclusiveGate => GATE_LOCK_KEY,
        }
    }

    /// The query that acquires it or returns false at once.
    const fn attempt(self) -> &'static str {
        match self {
            // What `held` calls must be permitted before the first file runs.
            Self::Run => {
                "SELECT pg_catalog.pg_try_advisory_xact_lock($1) AND pg_catalog.pg_try_advisory_lock($1)"
            }
            Self::ExclusiveGate => "SELECT pg_catalog.pg_try_advisory_lock($1)",
            Self::SharedGate => "SELECT pg_catalog.pg_try_advisory_lock_shared($1)",
        }
    }
}

const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// How many times a repeatedly acquired lock of a file is released before the session is closed.
const MOST_RELEASES: usize = 20;

/// Releases each session lock of this session once, except those with the keys `$1`. A lock has one key of eight bytes, or two of four,
/// and is exclusive or shared.
const RELEASE_OTHERS: &str = "SELECT CASE \
      WHEN l.objsubid = 1 AND l.mode = 'ExclusiveLock' THEN pg_catalog.pg_advisory_unlock(l.key) \
      WHEN l.objsubid = 1 THEN pg_catalog.pg_advisory_unlock_shared(l.key) \
      WHEN l.mode = 'ExclusiveLock' THEN pg_catalog.pg_advisory_unlock(l.first, l.second) \
      ELSE pg_catalog.pg_advisory_unlock_shared(l.first, l.second) END \
    FROM (SELECT objsubid, mode, (classid::int8 << 32) | objid::int8 AS key, \
        classid::int8::bit(32)::int4 AS first, objid::int8::bit(32)::int4 AS second \
      FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND granted AND pid = pg_catalog.pg_backend_pid()) l \
    WHERE l.objsubid <> 1 OR l.key <> ALL ($1)";

/// Whether this session holds the lock of the run, as an SQL expression that releases it once and acquires it again, under a lock of the
/// transaction with the same key, so that no other session can obtain it meanwhile. `pg_locks` would copy the locks of all sessions of
/// the server. Not for a transaction that is to be prepared: it may not hold both.
pub fn held() -> String {
    format!(
        "CASE WHEN pg_catalog.pg_try_advisory_xact_lock({ADVISORY_LOCK_KEY}) \
           THEN CASE WHEN pg_catalog.pg_advisory_unlock({ADVISORY_LOCK_KEY}) \
             THEN pg_catalog.pg_try_advisory_lock({ADVISORY_LOCK_KEY}) ELSE false END ELSE false END"
    )
}

/// Releases all advisory locks of this session except that of the run, in the same way.
pub(super) fn release_all_others() -> String {
    format!(
        "SELECT pg_catalog.pg_try_advisory_xact_lock({ADVISORY_LOCK_KEY}), pg_catalog.pg_advisory_unlock_all(), \
           pg_catalog.pg_try_advisory_lock({ADVISORY_LOCK_KEY})"
    )
}

/// Whether this session holds the lock of the run, and whether it holds advisory locks that are not ours: an array of both. It calls the
/// function beneath `pg_locks`: a new session would parse the view first.
pub fn held_and_others() -> String {
    let key = |key: i64| {
        format!(
            "(objsubid = 1 AND classid::int8 = {} AND objid::int8 = {})",
            key >> 32,
            key & 0xFFFF_FFFF
        )
    };
    let (run, gate) = (key(ADVISORY_LOCK_KEY), key(GATE_LOCK_KEY));
    format!(
        "(SELECT ARRAY[COALESCE(pg_catalog.bool_or({run}), false), \
            COALESCE(pg_catalog.bool_or(NOT {run} AND NOT {gate}), false)] \
          FROM pg_catalog.pg_lock_status() WHERE locktype = 'advisory' AND granted AND pid = pg_catalog.pg_backend_pid())"
    )
}

/// How long to wait for the response when the lock is released.
const LONGEST_RELEASE: Duration = Duration::from_secs(10);

/// A session that holds the lock. Migrations are applied and undone through this type only.
pub struct LockedSession {
    session: Session,
}

impl LockedSession {
    /// Waits up to `wait` for the lock, calling `waiting` whenever the holder changes.
    ///
    /// `cancelled` ends the wait when it is not zero.
    pub async fn acquire(
        session: Session,
        wait: Duration,
        cancelled: &mut watch::Receiver<u32>,
        waiting: impl FnMut(Option<Holder>) + Send,
    ) -> Result<Self, LockError> {
        let _measured = Phase::Lock.begin();
        poll(&session, Lock::Run, wait, cancelled, waiting).await?;
        Ok(Self { session })
    }

    /// Acquires the gate of this database exclusively: no step of another service that requires one of its migrations is in progress,
    /// and none starts. Waits as for the lock itself.
    pub async fn close_gate(
        &self,
        wait: Duration,
        cancelled: &mut watch::Receiver<u32>,
        waiting: impl FnMut(Option<Holder>) + Send,
    ) -> Result<(), LockError> {
        poll(&self.session, Lock::ExclusiveGate, wait, cancelled, waiting).await
    }

    /// Releases the gate. Closing the connection releases it, too.
    pub async fn open_gate(&self) {
        unlock(&self.session, Lock::ExclusiveGate).await;
    }

    /// Releases the session locks that a file acquired and kept, however often, and none of ours. Not in a transaction: transaction locks
    /// cannot be released. Returns whether none remains.
    pub async fn release_others(&self) -> Result<bool, tokio_postgres::Error> {
        if !self.session.may_keep_locks() {
            return Ok(true);
        }
        let keys: [i64; 2] = [ADVISORY_LOCK_KEY, GATE_LOCK_KEY];
        for _ in 0..MOST_RELEASES {
            let rows = self
                .session
                .client()
                .query_typed(RELEASE_OTHERS, &[(&keys.as_slice(), Type::INT8_ARRAY)])
                .await?;
            if rows.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The session.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The session, for settings and notices.
    pub fn session_mut(&mut self) -> &mut Session {
        &mut self.session
    }

    /// Whether the lock is still held: a file may have called `pg_advisory_unlock_all`, or a pooler may have assigned
    /// the session to another client.
    pub async fn is_held(&self) -> Result<bool, tokio_postgres::Error> {
        is_held(&self.session, Lock::Run).await
    }

    /// Releases the lock.
    pub async fn release(self) -> Session {
        if !unlock(&self.session, Lock::Run).await {
            tracing::warn!(
                "a file released the advisory lock of the run: another run may have been active"
            );
        }
        self.session
    }
}

/// How often a session that holds a gate sends a keepalive query: well below the server's idle timeout.
const PAUSE: Duration = Duration::from_secs(10);

/// The gate of another service's database, shared until the step that needs it is committed; dropping it closes the connection,
/// which releases it.
pub struct GateHold {
    session: Arc<Session>,
    /// The keepalive task, aborted on drop.
    _kept: oneshot::Sender<()>,
}

impl GateHold {
    /// Waits up to `wait` for the gate, as for the lock of a run.
    pub async fn acquire(
        mut session: Session,
        history_table: &str,
        wait: Duration,
        cancelled: &mut watch::Receiver<u32>,
        waiting: impl FnMut(Option<Holder>) + Send,
    ) -> Result<Self, LockError> {
        poll(&session, Lock::SharedGate, wait, cancelled, waiting).await?;
        // Our tables may have been created while it waited.
        if !session.knows_all_tables() {
            let looking = session.refresh(history_table);
            looking.await.map_err(LockError::Lost)?;
        }
        let session = Arc::new(session);
        let (kept, mut over) = oneshot::channel::<()>();
        let speaker = Arc::clone(&session);
        tokio::spawn(async move {
            while within(PAUSE, &mut over).await.is_err() {
                if let Err(error) = speaker.client().batch_execute("").await {
                    tracing::debug!(error = %with_causes(&error), "a session that held a gate was lost");
                    return;
                }
            }
        });
        Ok(Self {
            session,
            _kept: kept,
        })
    }

    /// The session, for reading under the gate.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Whether the gate is still held; false if the connection is lost or does not respond.
    pub async fn is_held(&self) -> bool {
        let asking = is_held(&self.session, Lock::SharedGate);
        matches!(within(PAUSE, asking).await, Ok(Ok(true)))
    }
}

/// The keys of all held single-key advisory locks on a server, in all databases.
///
/// # Errors
/// When the connection is lost.
pub async fn held_keys(client: &Client) -> Result<BTreeSet<i64>, tokio_postgres::Error> {
    let rows = client
        .query_typed(
            "SELECT (classid::int8 << 32) | objid::int8 FROM pg_catalog.pg_locks \
             WHERE locktype = 'advisory' AND granted AND objsubid = 1",
            &[],
        )
        .await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}

/// Tries until the lock is obtained.
async fn poll(
    session: &Session,
    lock: Lock,
    wait: Duration,
    cancelled: &mut watch::Receiver<u32>,
    mut waiting: impl FnMut(Option<Holder>) + Send,
) -> Result<(), LockError> {
    let deadline = Instant::now() + wait;
    let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    let mut named: Option<Option<Holder>> = None;
    // One round trip: the client pipelines futures that are polled together.
    let first = tokio::try_join!(biased; session.guard(), try_lock(session, lock));
    let (_, mut obtained) = first.map_err(LockError::Lost)?;
    loop {
        if obtained {
            return Ok(());
        }
        let holder = holder(session, lock).await.map_err(LockError::Lost)?;
        if named.as_ref().is_none_or(|last| pid(last) != pid(&holder)) {
            waiting(holder.clone());
            named = Some(holder.clone());
        }
        let now = Instant::now();
        if now >= deadline {
            return Err(LockError::TimedOut {
                holder,
                waited: wait,
            });
        }
        let rest = deadline - now;
        tokio::select! {
            () = tokio::time::sleep(backoff.next_pause().min(rest)) => {}
            Ok(_) = cancelled.wait_for(|times| *times > 0) => return Err(LockError::Cancelled),
        }
        obtained = try_lock(session, lock).await.map_err(LockError::Lost)?;
    }
}

async fn try_lock(session: &Session, lock: Lock) -> Result<bool, tokio_postgres::Error> {
    ask(session.client(), lock.attempt(), lock.key()).await
}

/// Acquires the exclusive session lock with a key, or returns false at once.
///
/// # Errors
/// When the connection is lost.
pub async fn try_advisory_lock(client: &Client, key: i64) -> Result<bool, tokio_postgres::Error> {
    ask(client, Lock::ExclusiveGate.attempt(), key).await
}

/// Releases the exclusive session lock with a key, and returns whether it was held.
///
/// # Errors
/// When the connection is lost.
pub async fn advisory_unlock(client: &Client, key: i64) -> Result<bool, tokio_postgres::Error> {
    ask(client, "SELECT pg_catalog.pg_advisory_unlock($1)", key).await
}

async fn ask(client: &Client, query: &str, key: i64) -> Result<bool, tokio_postgres::Error> {
    let rows = client.query_typed(query, &[(&key, Type::INT8)]).await?;
    Ok(rows.first().is_some_and(|row| row.get(0)))
}

/// Releases a lock, and returns whether it was held. An error means that the connection, and with it the lock, is gone; a server
/// that does not respond releases the lock when the connection is closed.
async fn unlock(session: &Session, lock: Lock) -> bool {
    let unlocking = advisory_unlock(session.client(), lock.key());
    match within(shutdown_timeouts::shortened(LONGEST_RELEASE), unlocking).await {
        Ok(Ok(held)) => held,
        Ok(Err(error)) => {
            tracing::debug!(error = %with_causes(&error), "the lock was released with its connection");
            true
        }
        Err(_) => {
            session.handle().give_up();
            true
        }
    }
}

async fn is_held(session: &Session, lock: Lock) -> Result<bool, tokio_postgres::Error> {
    let rows = session
        .client()
        .query_typed(
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND granted \
               AND pid = pg_catalog.pg_backend_pid() \
               AND classid::int8 = ($1 >> 32) AND objid::int8 = ($1 & 4294967295) AND objsubid = 1)",
            &[(&lock.key(), Type::INT8)],
        )
        .await?;
    Ok(rows.first().is_some_and(|row| row.get(0)))
}

async fn holder(session: &Session, lock: Lock) -> Result<Option<Holder>, tokio_postgres::Error> {
    let rows = session
        .client()
        .query_typed(
            &format!(
                "SELECT {HOLDER} FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
                 WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 \
                   AND l.classid::int8 = ($1 >> 32) AND l.objid::int8 = ($1 & 4294967295) \
                   AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())"
            ),
            &[(&lock.key(), Type::INT8)],
        )
        .await?;
    Ok(rows.first().map(read_holder))
}

fn pid(holder: &Option<Holder>) -> Option<i32> {
    holder.as_ref().map(|holder| holder.pid)
}

/// Why the lock was not obtained.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another run held it the whole time.
    #[error(
        "cannot acquire the advisory lock of this database after {} s: held by another run{}", waited.as_secs(),
        holder.as_ref().map(|holder| format!(" (pid {}, user {}, {})", holder.pid, holder.user, holder.application)).unwrap_or_default()
    )]
    TimedOut {
        /// The last holder.
        holder: Option<Holder>,
        /// The duration of the wait.
        waited: Duration,
    },
    #[error("cancelled while waiting for the advisory lock")]
    Cancelled,
    #[error("the connection was lost while waiting for the advisory lock")]
    Lost(#[source] tokio_postgres::Error),
}
