//! Verifies the journal of one database.

use domain::{Anchor, ServiceName};
use engine::inspect::{ServiceError, Target};
use engine::reconcile::disagreements;
use pg_session::{ConnectError, Connections};
use schemars::JsonSchema;
use serde::Serialize;
use store::{read_chain, read_history};

use super::{Finding, FindingKind, judge};

/// The state of the journal of a service's database.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Verification {
    pub name: ServiceName,
    pub database: String,
    pub rows: usize,
    /// The number of rows older than the chain: changes before it began cannot be detected.
    pub before_chain: usize,
    /// The id of the newest row.
    pub newest_id: Option<i64>,
    /// When the newest attempt began (RFC 3339, UTC).
    pub newest_started_at: Option<String>,
    /// Whether the rows were compared with an anchor.
    pub anchored: bool,
    pub findings: Vec<Finding>,
}

/// Reads and verifies the journal of a target's database.
///
/// # Errors
/// When it cannot be read. A missing database or journal counts as an empty journal.
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
        // The findings concern the history, not rows of the journal, so they have no row ids.
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
