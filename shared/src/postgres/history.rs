//! refinery's history table in one database.

use tokio_postgres::types::Type;

use super::journal::INSTALL_JOURNAL;
use super::{Session, progress};
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
    Ok(History {
        applied,
        interrupted,
    })
}

async fn read_rows(
    session: &Session,
    history_table: &str,
) -> Result<Vec<AppliedMigration>, tokio_postgres::Error> {
    let rows = session
        .client()
        .query_typed(
            &format!(
                "SELECT version::int8, COALESCE(name, ''), COALESCE(applied_on, ''), checksum FROM {} ORDER BY 1",
                qualified(session, history_table)
            ),
            &[],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| AppliedMigration {
            version: Version::new(row.get(0)),
            name: row.get(1),
            applied_on: row.get(2),
            checksum: row.get::<_, Option<&str>>(3).and_then(Checksum::parse),
        })
        .collect())
}

/// Creates history table, journal and progress table where they are missing. Call it under the advisory lock.
pub async fn install(session: &Session, history_table: &str) -> Result<(), tokio_postgres::Error> {
    let history = create_history_table(&qualified(session, history_table));
    session
        .client()
        .batch_execute(&format!("BEGIN; {history}; {INSTALL_JOURNAL} COMMIT"))
        .await
}

/// The history table's quoted, qualified name.
pub(super) fn qualified(session: &Session, history_table: &str) -> String {
    let (_, table) = split_name(history_table);
    let table = quote_identifier(table);
    match session.history_schema() {
        Some(schema) => format!("{}.{table}", quote_identifier(schema)),
        None => table,
    }
}

/// `schema.table` or `table`.
pub(super) fn split_name(name: &str) -> (Option<&str>, &str) {
    match name.split_once('.') {
        Some((schema, table)) => (Some(schema), table),
        None => (None, name),
    }
}

pub(super) fn quote_identifier(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

/// Adds or removes the history row of a migration, inside the caller's transaction.
pub(super) async fn write_row(
    session: &Session,
    history_table: &str,
    change: &HistoryChange<'_>,
) -> Result<u64, tokio_postgres::Error> {
    let table = qualified(session, history_table);
    match change {
        HistoryChange::Insert {
            version,
            name,
            applied_on,
            checksum,
        } => {
            session
                .client()
                .execute_typed(
                    &format!("INSERT INTO {table} (version, name, applied_on, checksum) VALUES ($1, $2, $3, $4)"),
                    &[
                        (&version.number(), Type::INT8),
                        (name, Type::TEXT),
                        (applied_on, Type::TEXT),
                        (&checksum.to_string(), Type::TEXT),
                    ],
                )
                .await
        }
        HistoryChange::Delete { version } => {
            session
                .client()
                .execute_typed(
                    &format!("DELETE FROM {table} WHERE version = $1"),
                    &[(&version.number(), Type::INT8)],
                )
                .await
        }
    }
}

/// What becomes of a history row.
pub(super) enum HistoryChange<'a> {
    Insert {
        version: Version,
        name: &'a str,
        applied_on: &'a str,
        checksum: Checksum,
    },
    Delete {
        version: Version,
    },
}
