//! Verifying the journal of one database.

use serde::Serialize;
use shared::domain::{Anchor, ServiceName};
use shared::inspect::{ServiceError, Target};
use shared::postgres::{ConnectError, Connections, read_chain, read_history};
use shared::reconcile::disagreements;

use super::{Finding, FindingKind, judge};

/// How the journal of a service's database stands.
#[derive(Clone, Debug, Serialize)]
pub struct Verification {
    /// The service.
    pub name: ServiceName,
    /// Its database.
    pub database: String,
    /// Rows in the journal.
    pub rows: usize,
    /// The oldest of them, from before there was a chain: nothing is known of what happened to them before it began.
    pub before_chain: usize,
    /// The id of the newest row.
    pub newest_id: Option<i64>,
    /// When the newest attempt began (RFC 3339, UTC).
    pub newest_started_at: Option<String>,
    /// Whether the rows were compared with an anchor.
    pub anchored: bool,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

/// Reads and judges the journal of a target's database.
///
/// # Errors
/// When it cannot be read. A database or journal that is missing is an empty journal.
pub async fn verify(
    connections: &Connections,
    target: &Target,
    anchor: Option<&Anchor>,
) -> Result<Verification, ServiceError> {
    let session = match connections
        .session(&target.address, &target.history_table)
        .await
    {
        Ok(session) => Some(session),
        Err(ConnectError::DatabaseMissing { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let rows = match &session {
        Some(session) => read_chain(session)
            .await
            .map_err(|source| ServiceError::query(&target.address, source))?
            .unwrap_or_default(),
        None => Vec::new(),
    };
    let mut judgement = judge(&rows, anchor);
    if let Some(session) = &session {
        let (service, table) = (&target.service.name, &target.history_table);
        let read = read_history(session, service, table).await;
        let history = read.map_err(|source| ServiceError::query(&target.address, source))?;
        // No row of the journal was changed, as far as it tells: they are about none.
        let found = disagreements(&target.service, &history);
        judgement.findings.extend(
            found
                .iter()
                .map(|it| Finding::of_row(FindingKind::Disagrees, 0, it.sentence())),
        );
    }
    let newest = rows.last();
    Ok(Verification {
        name: target.service.name.clone(),
        database: target.address.database().to_owned(),
        rows: rows.len(),
        before_chain: judgement.sealed,
        newest_id: newest.map(|row| row.id),
        newest_started_at: newest.map(|row| row.started_at.clone()),
        anchored: anchor.is_some(),
        findings: judgement.findings,
    })
}
