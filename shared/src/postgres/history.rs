//! refinery's history table in one database.

use super::chain::begin_chain;
use super::journal::INSTALL_JOURNAL;
use super::progress::INSTALL_PROGRESS;
use super::{Session, compensation, progress};
use crate::domain::{Checksum, ServiceName, Version};
use crate::reconcile::{AppliedMigration, History};
use crate::source::create_history_table;

/// Reads what the database says of a service. Writes nothing; a database without our tables has an empty history.
pub async fn read_history(
    session: &Session,
    service: &ServiceName,
    history_table: &str,
) -> Result<History, tokio_postgres::Error> {
    let applied = if session.has_history() {
        read_rows(session, history_table).await?
    } else {
        Vec::new()
    };
    let interrupted = match session.progress_readable() {
        Some(true) => progress::interruptions(session.client(), service).await?,
        Some(false) => {
            tracing::warn!(
                %service,
                "no right to read orchestrator.progress: an interrupted migration would not be seen"
            );
            Vec::new()
        }
        None => Vec::new(),
    };
    let owed = match session.compensation_readable() {
        Some(true) => compensation::read_owed(session.client(), service).await?,
        // Where the whole schema may not be read, that has just been said.
        Some(false) if session.progress_readable() == Some(true) => {
            tracing::warn!(
                %service,
                "no right to read orchestrator.compensation: reverts that are still to be done would not be seen"
            );
            Vec::new()
        }
        Some(false) | None => Vec::new(),
    };
    Ok(History {
        applied,
        interrupted,
        owed,
        legacy: Vec::new(),
    })
}

/// Other programs write this table, too, and it may have been made by hand: whatever its columns are, and whatever is in
/// them, there is a history or an error.
async fn read_rows(
    session: &Session,
    history_table: &str,
) -> Result<Vec<AppliedMigration>, tokio_postgres::Error> {
    let table = qualified(session, history_table);
    let rows = session
        .client()
        .query_typed(
            &format!(
                "SELECT version::int8, COALESCE(name::text, ''), COALESCE(applied_on::text, ''), checksum::text \
                 FROM {table} ORDER BY 1"
            ),
            &[],
        )
        .await?;
    let mut applied = Vec::with_capacity(rows.len());
    for row in &rows {
        let Some(version) = row.try_get(0)? else {
            tracing::warn!("{table} has a row without a version, which says nothing: delete it");
            continue;
        };
        applied.push(AppliedMigration {
            version: Version::new(version),
            name: row.try_get(1)?,
            applied_on: row.try_get(2)?,
            checksum: row.try_get::<_, Option<&str>>(3)?.and_then(Checksum::parse),
        });
    }
    Ok(applied)
}

/// Creates history table and journal where they are missing, and the progress table where a file needs it. Call it
/// under the advisory lock.
pub async fn install(
    session: &mut Session,
    history_table: &str,
    with_progress: bool,
) -> Result<(), tokio_postgres::Error> {
    let create = create_bookkeeping(session, history_table);
    let progress = if with_progress { INSTALL_PROGRESS } else { "" };
    session
        .client()
        // The first migration's commit writes this one to disk, too; if neither gets there, both are made again.
        .batch_execute(&format!(
            "BEGIN; SET LOCAL synchronous_commit = off; SET LOCAL lock_timeout = '10s'; {create} {progress} COMMIT"
        ))
        .await?;
    // "already exists, skipping" is our own noise, not the migration's.
    drop(session.take_notices());
    session.mark_installed(with_progress);
    Ok(())
}

/// What creates history table and journal where they are missing, and chains a journal that was made before there was a chain.
pub(super) fn create_bookkeeping(session: &Session, history_table: &str) -> String {
    let history = create_history_table(&qualified(session, history_table));
    let chain = if session.has_unchained_journal() {
        begin_chain()
    } else {
        String::new()
    };
    format!("{history}; {INSTALL_JOURNAL} {chain}")
}

/// The history table's quoted, qualified name.
pub(super) fn qualified(session: &Session, history_table: &str) -> String {
    let (_, table) = split_name(history_table);
    let table = quote_identifier(table);
    format!("{}.{table}", quote_identifier(session.history_schema()))
}

/// `schema.table` or `table`.
pub(super) fn split_name(name: &str) -> (Option<&str>, &str) {
    match name.split_once('.') {
        Some((schema, table)) => (Some(schema), table),
        None => (None, name),
    }
}

/// The identifier in double quotes.
pub fn quote_identifier(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}
