//! Writes and undoes adoptions: history and journal rows, in one transaction, and nothing else.

use std::collections::BTreeMap;

use tokio_postgres::types::Type;

use super::history::{create_bookkeeping, protection};
use super::journal::{Attempt, LockCheck, record_done};
use domain::{ServiceName, Version, with_causes};
use pg_session::{LockedSession, Session};

/// Writes history and journal rows of migrations that count as applied from now on. Missing tables are created
/// in the same transaction: after an error nothing has changed.
pub async fn record_adoption(
    locked: &mut LockedSession,
    history_table: &str,
    applied_on: &str,
    attempts: &[Attempt<'_>],
) -> Result<(), tokio_postgres::Error> {
    let session = locked.session_mut();
    let create = create_bookkeeping(session, history_table);
    session
        .client()
        .batch_execute(&format!("BEGIN; {create} {}", protection(session)))
        .await?;
    drop(session.take_notices());
    let written = async {
        for attempt in attempts {
            record_done(
                session,
                history_table,
                applied_on,
                attempt,
                false,
                LockCheck::List,
            )
            .await?;
        }
        session.client().batch_execute("COMMIT").await
    }
    .await;
    match written {
        Ok(()) => session.mark_installed(false),
        Err(_) => roll_back(session).await,
    }
    written
}

/// The last journal entry of each version in the history of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdoptionState {
    /// Versions that were adopted and have not been touched since.
    pub adopted: Vec<Version>,
    /// Versions that this engine applied, or reverted, since.
    pub touched: Vec<Version>,
}

/// The state of an adoption; empty if the database has no journal.
pub async fn read_adoption(
    session: &Session,
    service: &ServiceName,
) -> Result<AdoptionState, tokio_postgres::Error> {
    let mut state = AdoptionState::default();
    if !session.has_journal() {
        return Ok(state);
    }
    let rows = session
        .client()
        .query_typed(
            "SELECT DISTINCT ON (version) COALESCE(version, 0)::int8, outcome::text FROM orchestrator.journal \
             WHERE service = $1 AND outcome IN ('adopted', 'adoption_undone', 'applied', 'reverted', 'recorded_reverted') \
             ORDER BY version, id DESC",
            &[(&service.as_str(), Type::TEXT)],
        )
        .await?;
    let ends = rows
        .iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .collect::<Result<BTreeMap<i64, String>, tokio_postgres::Error>>()?;
    for (version, outcome) in ends {
        let version = Version::new(version);
        match outcome.as_str() {
            "adopted" => state.adopted.push(version),
            "adoption_undone" => {}
            _ => state.touched.push(version),
        }
    }
    Ok(state)
}

/// Undoes an adoption: deletes its history rows and records the undo in the journal. A journal that contains only undone
/// adoptions is dropped, and so are our empty tables. Rows are never removed from a journal that remains, since that would
/// break its chain.
pub async fn remove_adoption(
    locked: &mut LockedSession,
    history_table: &str,
    attempts: &[Attempt<'_>],
) -> Result<(), tokio_postgres::Error> {
    let session = locked.session_mut();
    session.client().batch_execute("BEGIN").await?;
    let removed = async {
        for attempt in attempts {
            record_done(session, history_table, "", attempt, false, LockCheck::List).await?;
        }
        session
            .client()
            .batch_execute(EMPTY_JOURNAL_OF_UNDONE_ADOPTIONS)
            .await?;
        drop_empty_tables(session, history_table).await?;
        session.client().batch_execute("COMMIT").await
    }
    .await;
    if removed.is_err() {
        roll_back(session).await;
    }
    removed?;
    // It is committed, whatever happens to the connection.
    if let Err(error) = session.refresh(history_table).await {
        tracing::debug!(error = %with_causes(&error), "the connection was lost after COMMIT");
    }
    Ok(())
}

/// Other services that share the database may have adopted, or applied, too.
const EMPTY_JOURNAL_OF_UNDONE_ADOPTIONS: &str = "DELETE FROM orchestrator.journal \
    WHERE NOT EXISTS (SELECT FROM orchestrator.journal WHERE outcome NOT IN ('adopted', 'adoption_undone')) \
      AND 'adoption_undone' = ALL (SELECT DISTINCT ON (service, version) outcome FROM orchestrator.journal \
        ORDER BY service, version, id DESC)";

/// If several services share a database, or an attempt failed, the tables contain more rows and stay.
async fn drop_empty_tables(
    session: &Session,
    history_table: &str,
) -> Result<(), tokio_postgres::Error> {
    let history = session.qualified_history(history_table);
    for table in [
        history.as_str(),
        "orchestrator.journal",
        "orchestrator.progress",
    ] {
        let rows = session
            .client()
            .query_typed(
                "SELECT pg_catalog.to_regclass($1) IS NOT NULL",
                &[(&table, Type::TEXT)],
            )
            .await?;
        if !rows.first().is_some_and(|row| row.get(0)) {
            continue;
        }
        let rows = session
            .client()
            .query_typed(&format!("SELECT NOT EXISTS (SELECT FROM {table})"), &[])
            .await?;
        if rows.first().is_some_and(|row| row.get(0)) {
            session
                .client()
                .batch_execute(&format!("DROP TABLE {table}"))
                .await?;
        }
    }
    let rows = session
        .client()
        .query_typed(
            "SELECT n.oid IS NOT NULL AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d \
               WHERE d.refclassid = 'pg_catalog.pg_namespace'::regclass AND d.refobjid = n.oid) \
             FROM (SELECT pg_catalog.to_regnamespace('orchestrator')::oid) n (oid)",
            &[],
        )
        .await?;
    if rows.first().is_some_and(|row| row.get(0)) {
        session
            .client()
            .batch_execute("DROP SCHEMA orchestrator")
            .await?;
    }
    Ok(())
}

/// After an error the transaction is aborted anyway; if the connection is lost, the server ends it.
async fn roll_back(session: &Session) {
    if let Err(error) = session.client().batch_execute("ROLLBACK").await {
        tracing::debug!(error = %with_causes(&error), "the connection was lost before the rollback");
    }
}

/// The database users that applied migrations of a service here, and thus own the created objects.
pub async fn appliers(
    session: &Session,
    service: &ServiceName,
) -> Result<Vec<String>, tokio_postgres::Error> {
    if !session.has_journal() {
        return Ok(Vec::new());
    }
    let rows = session
        .client()
        .query_typed(
            "SELECT DISTINCT database_user::text FROM orchestrator.journal \
             WHERE service = $1 AND outcome = 'applied' AND database_user IS NOT NULL ORDER BY 1",
            &[(&service.as_str(), Type::TEXT)],
        )
        .await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}
