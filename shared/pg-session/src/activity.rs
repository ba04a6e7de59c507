//! Other sessions: which one blocks, what one waits for, cancelling it, and whether it has ended.

use std::time::Duration;

use tokio::time::Instant;
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use super::Client;
use super::stall::{BACKEND_START, SERVER_START, SessionHandle};
use domain::{Blocker, Holder, shown_query};

const PAUSE: Duration = Duration::from_millis(50);

/// The maximum number of blockers that are named.
const MOST_BLOCKERS: i64 = 50;

/// The sessions that block a waiting server process, directly or through other waiting sessions: those that do not wait
/// themselves come first, the oldest transaction before younger ones.
///
/// A prepared transaction has no process: it is found by its lock on the same object, and named by its identifier.
pub(super) async fn blockers_of(
    client: &Client,
    pid: i32,
) -> Result<Vec<Blocker>, tokio_postgres::Error> {
    let rows = client
        .query_typed(
            "WITH RECURSIVE chain (pid) AS ( \
                SELECT pg_catalog.unnest(pg_catalog.pg_blocking_pids($1)) \
                UNION SELECT pg_catalog.unnest(pg_catalog.pg_blocking_pids(c.pid)) FROM chain c WHERE c.pid <> 0), \
              session AS ( \
                SELECT a.pid, COALESCE(a.usename::text, '') AS owner, \
                  COALESCE(NULLIF(a.application_name, ''), NULLIF(a.backend_type, 'client backend'), '') AS application, \
                  COALESCE(a.state, '') AS state, a.xact_start AS since, \
                  pg_catalog.left(pg_catalog.regexp_replace(COALESCE(a.query, ''), '\\s+', ' ', 'g'), 120) AS query, \
                  NULL::text AS prepared, \
                  CASE WHEN a.wait_event_type = 'Lock' THEN pg_catalog.pg_blocking_pids(a.pid) ELSE '{}'::int4[] END AS waits_for \
                FROM pg_catalog.pg_stat_activity a WHERE a.pid IN (SELECT pid FROM chain) AND a.pid <> $1), \
              prepared AS ( \
                SELECT DISTINCT 0, p.owner::text, '', 'prepared transaction', p.prepared, '', p.gid, '{}'::int4[] \
                FROM pg_catalog.pg_locks w \
                JOIN pg_catalog.pg_locks g ON g.granted AND g.pid IS NULL AND g.locktype = w.locktype \
                  AND (g.database, g.relation, g.page, g.tuple, g.virtualxid, g.transactionid, g.classid, g.objid, g.objsubid) \
                    IS NOT DISTINCT FROM \
                    (w.database, w.relation, w.page, w.tuple, w.virtualxid, w.transactionid, w.classid, w.objid, w.objsubid) \
                JOIN pg_catalog.pg_locks x ON x.pid IS NULL AND x.locktype = 'transactionid' \
                  AND x.virtualtransaction = g.virtualtransaction \
                JOIN pg_catalog.pg_prepared_xacts p ON p.transaction = x.transactionid \
                WHERE NOT w.granted AND (w.pid = $1 OR w.pid IN (SELECT pid FROM chain)) AND 0 IN (SELECT pid FROM chain)) \
             SELECT b.pid, b.owner, b.application, b.state, \
               COALESCE(extract(epoch FROM pg_catalog.clock_timestamp() - b.since), 0)::int8, b.query, b.prepared, b.waits_for \
             FROM (SELECT * FROM session UNION ALL SELECT * FROM prepared) b \
             ORDER BY pg_catalog.cardinality(b.waits_for) > 0, b.since NULLS LAST, b.pid LIMIT $2",
            &[(&pid, Type::INT4), (&MOST_BLOCKERS, Type::INT8)],
        )
        .await?;
    // Query text comes from other sessions: in a SQL_ASCII database it need not be UTF-8.
    rows.iter()
        .map(|row| {
            Ok(Blocker {
                pid: row.try_get(0)?,
                user: row.try_get(1)?,
                application: row.try_get(2)?,
                state: row.try_get(3)?,
                transaction_age_s: row.try_get(4)?,
                query: shown_query(row.try_get(5)?),
                prepared: row.try_get(6)?,
                waits_for: row.try_get(7)?,
            })
        })
        .collect()
}

/// The sessions that block those of this `application_name`; empty if none of them waits.
pub(super) async fn blockers_of_application(
    client: &Client,
    application: &str,
) -> Result<Vec<Blocker>, tokio_postgres::Error> {
    let rows = client
        .query_typed(
            "SELECT pid FROM pg_catalog.pg_stat_activity \
             WHERE application_name = $1 AND wait_event_type = 'Lock' ORDER BY query_start, pid LIMIT 1",
            &[(&application, Type::TEXT)],
        )
        .await?;
    match rows.first() {
        Some(row) => blockers_of(client, row.try_get(0)?).await,
        None => Ok(Vec::new()),
    }
}

/// How far the current statement of a server process is, as the server sees it.
#[derive(Clone, Debug)]
pub struct Progress {
    /// How long it has been running.
    pub running: Duration,
    /// The statement, shortened.
    pub statement: String,
    /// Its phase, what is done of it, and the whole of it, if the server reports that.
    pub phase: Option<(String, i64, i64)>,
}

/// How far the current statement of a server process is; `None` if it is idle.
pub(super) async fn progress_of(
    client: &Client,
    pid: i32,
) -> Result<Option<Progress>, tokio_postgres::Error> {
    let rows = client
        .query_typed(
            "SELECT COALESCE(extract(epoch FROM pg_catalog.clock_timestamp() - a.query_start) * 1000, 0)::int8, \
               pg_catalog.left(COALESCE(a.query, ''), 1000), p.phase, p.done, p.total \
             FROM pg_catalog.pg_stat_activity a LEFT JOIN ( \
               SELECT pid, phase, CASE WHEN blocks_total > 0 THEN blocks_done ELSE tuples_done END AS done, \
                 CASE WHEN blocks_total > 0 THEN blocks_total ELSE tuples_total END AS total \
               FROM pg_catalog.pg_stat_progress_create_index \
               UNION ALL SELECT pid, phase, heap_blks_scanned, heap_blks_total FROM pg_catalog.pg_stat_progress_cluster \
               UNION ALL SELECT pid, phase, heap_blks_scanned, heap_blks_total FROM pg_catalog.pg_stat_progress_vacuum \
               UNION ALL SELECT pid, phase, sample_blks_scanned, sample_blks_total FROM pg_catalog.pg_stat_progress_analyze \
               UNION ALL SELECT pid, 'copying', bytes_processed, bytes_total FROM pg_catalog.pg_stat_progress_copy) p \
               ON p.pid = a.pid \
             WHERE a.pid = $1 AND a.state = 'active' LIMIT 1",
            &[(&pid, Type::INT4)],
        )
        .await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let phase: Option<String> = row.try_get(2)?;
    let (done, total): (Option<i64>, Option<i64>) = (row.try_get(3)?, row.try_get(4)?);
    Ok(Some(Progress {
        running: Duration::from_millis(u64::try_from(row.try_get::<_, i64>(0)?).unwrap_or(0)),
        statement: shown_query(row.try_get(1)?),
        phase: phase.map(|phase| (phase, done.unwrap_or(0), total.unwrap_or(0))),
    }))
}

/// The columns of the holder of a lock `l` with session `a`, as [`read_holder`] reads them.
pub(super) const HOLDER: &str = "l.pid, COALESCE(a.usename::text, ''), COALESCE(a.application_name, ''), \
    pg_catalog.host(a.client_addr), \
    COALESCE(extract(epoch FROM pg_catalog.clock_timestamp() - a.backend_start), 0)::int8, COALESCE(a.state, '')";

pub(super) fn read_holder(row: &Row) -> Holder {
    Holder {
        pid: row.get(0),
        user: row.get(1),
        application: row.get(2),
        client: row.get(3),
        connected_s: row.get(4),
        state: row.get(5),
    }
}

/// Another session that builds or drops an index of one of the tables: it holds SHARE UPDATE EXCLUSIVE from its
/// beginning to its end, which every role can see, unlike the progress of others.
pub async fn builder_on(
    client: &Client,
    tables: &[u32],
) -> Result<Option<Holder>, tokio_postgres::Error> {
    // Autovacuum releases the lock when another session requests it.
    let rows = client
        .query_typed(
            &format!(
                "SELECT {HOLDER} FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
                 WHERE l.locktype = 'relation' AND l.relation = ANY ($1) AND l.granted \
                   AND l.mode = 'ShareUpdateExclusiveLock' AND l.pid <> pg_catalog.pg_backend_pid() \
                   AND l.database = (SELECT oid FROM pg_catalog.pg_database \
                     WHERE datname = pg_catalog.current_database()) \
                   AND a.backend_type IS DISTINCT FROM 'autovacuum worker' \
                 ORDER BY a.backend_start LIMIT 1"
            ),
            &[(&tables, Type::OID_ARRAY)],
        )
        .await?;
    Ok(rows.first().map(read_holder))
}

/// What a server process waits for.
#[derive(Clone, Debug, PartialEq)]
pub struct LockWait {
    /// When its transaction began, in seconds: distinguishes one transaction from the next.
    pub transaction: f64,
    /// Whether others queue behind the wait: it is for a lock on a table or an index that readers or writers conflict
    /// with.
    pub strong: bool,
}

/// What a server process waits for at this moment; `None` when it works, or is idle, or is one of another server.
pub(super) async fn lock_wait(
    client: &Client,
    handle: &SessionHandle,
) -> Result<Option<LockWait>, tokio_postgres::Error> {
    let rows = client
        .query_typed(
            &format!("SELECT COALESCE(extract(epoch FROM a.xact_start), 0)::float8, \
               EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE l.pid = $1 AND NOT l.granted AND l.locktype = 'relation' \
                 AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')) \
             FROM pg_catalog.pg_stat_get_activity($1) a WHERE a.wait_event_type = 'Lock' AND {SERVER_START} = $2"),
            &[(&handle.pid, Type::INT4), (&handle.server_start, Type::TEXT)],
        )
        .await?;
    Ok(rows.first().map(|row| LockWait {
        transaction: row.get(0),
        strong: row.get(1),
    }))
}

/// Cancels the statement of a server process if it still waits for a lock in that transaction. Returns whether it did.
/// The signal was sent when this returns: it cannot hit a later statement.
pub(super) async fn cancel_lock_wait(
    client: &Client,
    handle: &SessionHandle,
    transaction: f64,
) -> Result<bool, tokio_postgres::Error> {
    let rows = client
        .query_typed(
            &format!("SELECT pg_catalog.pg_cancel_backend($1) FROM pg_catalog.pg_stat_get_activity($1) a \
             WHERE a.wait_event_type = 'Lock' AND extract(epoch FROM a.xact_start)::float8 = $3 AND {SERVER_START} = $2"),
            &[
                (&handle.pid, Type::INT4),
                (&handle.server_start, Type::TEXT),
                (&transaction, Type::FLOAT8),
            ],
        )
        .await?;
    Ok(rows.first().is_some_and(|row| row.get(0)))
}

/// Cancels the statement of a server process that has run for more than a moment: bookkeeping finishes sooner and should
/// not be disturbed. Returns whether it did; the signal was sent when this returns.
pub(super) async fn cancel_statement(
    client: &Client,
    handle: &SessionHandle,
) -> Result<bool, tokio_postgres::Error> {
    let rows = client
        .query_typed(
            &format!("SELECT pg_catalog.pg_cancel_backend($1) FROM pg_catalog.pg_stat_get_activity($1) a \
             WHERE a.state = 'active' AND a.query_start < pg_catalog.clock_timestamp() - interval '100 ms' AND {SERVER_START} = $2"),
            &[(&handle.pid, Type::INT4), (&handle.server_start, Type::TEXT)],
        )
        .await?;
    Ok(rows.first().is_some_and(|row| row.get(0)))
}

/// How long a server process may take to notice that its client is gone.
const GRACE: &str = "1 second";

/// Waits until the server process of a lost connection has ended: its work is committed or rolled back then.
///
/// A process that waits for the lost client is terminated, because it would keep its locks. So is one that still works
/// after `longest` if its work `comes_to_nothing` in any case. Returns `false` if it is still running in the end.
pub async fn end_orphan(
    client: &Client,
    lost: &SessionHandle,
    longest: Duration,
    comes_to_nothing: bool,
) -> Result<bool, tokio_postgres::Error> {
    // A restarted server may assign the same pid to another process.
    let it = format!(
        "FROM pg_catalog.pg_stat_activity WHERE pid = $1 AND {SERVER_START} = $2 AND {BACKEND_START} = $3"
    );
    let parameters: [(&(dyn ToSql + Sync), Type); 3] = [
        (&lost.pid, Type::INT4),
        (&lost.server_start, Type::TEXT),
        (&lost.backend_start, Type::TEXT),
    ];
    let mut deadline = Instant::now() + longest;
    let mut may_end = comes_to_nothing;
    loop {
        let rows = client
            .query_typed(
                &format!(
                    "SELECT COALESCE(state LIKE 'idle%', false) \
                       AND state_change < pg_catalog.clock_timestamp() - interval '{GRACE}' {it}"
                ),
                &parameters,
            )
            .await?;
        let Some(row) = rows.first() else {
            return Ok(true);
        };
        let waits_for_client = row.get::<_, Option<bool>>(0) == Some(true);
        let late = Instant::now() >= deadline;
        if waits_for_client || (late && may_end) {
            client
                .query_typed(
                    &format!("SELECT pg_catalog.pg_terminate_backend(pid) {it}"),
                    &parameters,
                )
                .await?;
        }
        if late {
            if !may_end {
                return Ok(false);
            }
            may_end = false;
            deadline = Instant::now() + longest;
        }
        tokio::time::sleep(PAUSE).await;
    }
}
