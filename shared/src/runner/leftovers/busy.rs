//! Waiting until nobody else is at work on a table's indexes.

use std::time::Duration;

use tokio::time::Instant;
use tokio_postgres::types::Type;

use super::Look;
use crate::domain::{EventKind, ExitStatus, Holder};
use crate::runner::fault::Fault;

const PAUSE: Duration = Duration::from_millis(200);

impl Look<'_> {
    /// Waits while another session builds or drops an index of one of the tables: what is INVALID may become valid.
    ///
    /// Such a session holds SHARE UPDATE EXCLUSIVE from its beginning to its end, which every role can see, unlike the
    /// progress of others. Polled: waiting for the lock itself, with a snapshot, is a deadlock with `CONCURRENTLY`.
    pub(super) async fn until_settled(&self, tables: &[u32]) -> Result<(), Fault> {
        let limit = self.context.engine.concurrently_timeout;
        let started = Instant::now();
        let mut named = None;
        while let Some(holder) = self.at_work(tables).await? {
            if named != Some(holder.pid) {
                named = Some(holder.pid);
                self.context.report(EventKind::LockWaiting {
                    holder: Some(holder.clone()),
                });
            }
            if self.context.is_cancelled_now() {
                return Err(Fault::Cancelled { progress: None });
            }
            if !limit.is_zero() && started.elapsed() >= limit {
                return Err(Fault::Halted {
                    message: format!(
                        "the session with pid {} is still at work on the indexes of the table after {}",
                        holder.pid,
                        humantime::format_duration(limit)
                    ),
                    next: format!(
                        "let it finish, or end it (SELECT pg_terminate_backend({})), and run again: {}",
                        holder.pid, self.context.run_again
                    ),
                    exit_code: ExitStatus::Unavailable,
                    offset: None,
                    progress: None,
                });
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    async fn at_work(&self, tables: &[u32]) -> Result<Option<Holder>, Fault> {
        // An autovacuum gives way to whoever wants the lock.
        let rows = self
            .client
            .query_typed(
                "SELECT l.pid, COALESCE(a.usename::text, ''), COALESCE(a.application_name, ''), \
                   pg_catalog.host(a.client_addr), \
                   COALESCE(extract(epoch FROM pg_catalog.clock_timestamp() - a.backend_start), 0)::int8, \
                   COALESCE(a.state, '') \
                 FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
                 WHERE l.locktype = 'relation' AND l.relation = ANY ($1) AND l.granted \
                   AND l.mode = 'ShareUpdateExclusiveLock' AND l.pid <> pg_catalog.pg_backend_pid() \
                   AND l.database = (SELECT oid FROM pg_catalog.pg_database \
                     WHERE datname = pg_catalog.current_database()) \
                   AND a.backend_type IS DISTINCT FROM 'autovacuum worker' \
                 ORDER BY a.backend_start LIMIT 1",
                &[(&tables, Type::OID_ARRAY)],
            )
            .await
            .map_err(Fault::of)?;
        Ok(rows.first().map(|row| Holder {
            pid: row.get(0),
            user: row.get(1),
            application: row.get(2),
            client: row.get(3),
            connected_s: row.get(4),
            state: row.get(5),
        }))
    }
}
