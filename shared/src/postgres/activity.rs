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

/// Waits until a server process has ended: what a lost connection had begun is over then, one way or the other.
/// `false` when it is still there at the end.
pub async fn wait_until_gone(
    client: &Client,
    pid: i32,
    longest: Duration,
) -> Result<bool, tokio_postgres::Error> {
    let deadline = Instant::now() + longest;
    loop {
        let rows = client
            .query_typed(
                "SELECT EXISTS (SELECT FROM pg_catalog.pg_stat_activity WHERE pid = $1)",
                &[(&pid, Type::INT4)],
            )
            .await?;
        if rows.first().is_some_and(|row| !row.get::<_, bool>(0)) {
            return Ok(true);
        }
        if Instant::now() >= deadline {
            return Ok(false);
        }
        tokio::time::sleep(PAUSE).await;
    }
}
