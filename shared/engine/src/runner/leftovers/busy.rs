//! Waits until no other session builds or drops the indexes of a table.

use std::time::Duration;

use tokio::time::Instant;

use super::CatalogCheck;
use crate::runner::fault::Fault;
use domain::{EventKind, ExitStatus, commented};
use pg_session::builder_on;

const PAUSE: Duration = Duration::from_millis(200);

impl CatalogCheck<'_> {
    /// Waits while another session builds or drops an index of one of the tables: an INVALID index may become valid.
    ///
    /// This polls: waiting for the lock itself, with a snapshot, deadlocks with `CONCURRENTLY`.
    pub(super) async fn until_settled(&self, tables: &[u32]) -> Result<(), Fault> {
        let limit = self.context.engine.concurrently_timeout;
        let started = Instant::now();
        let mut named = None;
        let builder = || {
            self.session
                .aside(async |client| builder_on(client, tables).await)
        };
        while let Some(holder) = builder().await.map_err(Fault::of)? {
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
                        "the session with pid {} still builds or drops indexes of the table after {}",
                        holder.pid,
                        humantime::format_duration(limit)
                    ),
                    next: commented(
                        self.context.rerun_command,
                        format!(
                            "once it has finished, or after you terminate it: SELECT pg_terminate_backend({})",
                            holder.pid
                        ),
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
}
