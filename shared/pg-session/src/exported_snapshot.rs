//! Exports a snapshot of a database for other sessions, such as `pg_dump --snapshot`.

use super::Session;

/// The first version with `transaction_timeout`.
const TRANSACTION_TIMEOUT: &str = "170000";

/// Begins a read-only transaction and exports its snapshot, which holds for as long as the transaction is open. Limits of the
/// role or the database do not abort it: a dump may take hours.
///
/// # Errors
/// When the session is lost.
pub async fn export_snapshot(session: &Session) -> Result<String, tokio_postgres::Error> {
    session
        .client()
        .batch_execute(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL search_path = pg_catalog; \
             SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL statement_timeout = 0; SET LOCAL row_security = off",
        )
        .await?;
    session
        .client()
        .batch_execute(&format!(
            "SELECT pg_catalog.set_config('transaction_timeout', '0', true) \
             WHERE pg_catalog.current_setting('server_version_num')::int4 >= {TRANSACTION_TIMEOUT}"
        ))
        .await?;
    let row = session
        .client()
        .query_one("SELECT pg_catalog.pg_export_snapshot()", &[])
        .await?;
    row.try_get(0)
}
