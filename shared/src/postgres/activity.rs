//! Other sessions: who stands in the way, and whether one is gone.

use std::time::Duration;

use tokio::time::Instant;
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use crate::domain::Blocker;

const PAUSE: Duration = Duration::from_millis(50);

/// The sessions that a waiting server process waits for, by age of transaction.
pub async fn blockers_of(client: &Client, pid: i32) -> Result<Vec<Blocker>, tokio_postgres::Error> {
    let rows = client
        .query_typed(
            "SELECT a.pid, COALESCE(a.usename::text, ''), COALESCE(a.application_name, ''), COALESCE(a.state, ''), \
                COALESCE(extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start), 0)::int8, \
                pg_catalog.left(pg_catalog.regexp_replace(COALESCE(a.query, ''), '\\s+', ' ', 'g'), 120) \
             FROM pg_catalog.pg_stat_activity a WHERE a.pid = ANY (pg_catalog.pg_blocking_pids($1)) \
             ORDER BY a.xact_start NULLS LAST, a.pid",
            &[(&pid, Type::INT4)],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| Blocker {
            pid: row.get(0),
            user: row.get(1),
            application: row.get(2),
            state: row.get(3),
            transaction_age_s: row.get(4),
            query: row.get(5),
        })
        .collect())
}

/// How long a server process without a client is given to notice that by itself.
const GRACE: &str = "1 second";

/// Waits until the server process of a lost connection has ended: what it had begun is over then, one way or the other.
///
/// One that waits for a client which will never speak again is ended: it would keep its locks. So is one that is still at
/// work after `longest`, where its work `comes_to_nothing` in any case. `false` when it is still there in the end.
pub async fn end_orphan(
    client: &Client,
    pid: i32,
    longest: Duration,
    comes_to_nothing: bool,
) -> Result<bool, tokio_postgres::Error> {
    let mut deadline = Instant::now() + longest;
    let mut may_end = comes_to_nothing;
    loop {
        let rows = client
            .query_typed(
                &format!(
                    "SELECT COALESCE(state LIKE 'idle%', false) \
                       AND state_change < pg_catalog.clock_timestamp() - interval '{GRACE}' \
                     FROM pg_catalog.pg_stat_activity WHERE pid = $1"
                ),
                &[(&pid, Type::INT4)],
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
                    "SELECT pg_catalog.pg_terminate_backend($1)",
                    &[(&pid, Type::INT4)],
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
