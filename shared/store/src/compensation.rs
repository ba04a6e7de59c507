//! The pending reverts of a compensation: recorded before the first one, each removed by the transaction that performs it.
//!
//! Responsible for the table and for the journal entries of one run; not for the order of the reverts. A killed run
//! leaves rows here, which show the next run that the applied migrations are not meant to stay.

use std::collections::BTreeSet;

use tokio_postgres::types::Type;
use uuid::Uuid;

use super::history::{create_absent, protection};
use domain::OwedRevert;
use domain::{ServiceName, Version};
use pg_session::Client;
use pg_session::Session;

/// Creates the table if it does not exist: most databases never need it.
const INSTALL: &str = "
CREATE TABLE IF NOT EXISTS orchestrator.compensation (
    service          text        NOT NULL,
    version          bigint      NOT NULL,
    run_id           uuid        NOT NULL,
    because          text        NOT NULL,
    recorded_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (service, version)
);
";

/// Records that these migrations of a run are to be undone, and why. Call it under the advisory lock.
///
/// Existing records of the same run keep their reason. A record that another run left for a version is void, because
/// this run has applied it since.
pub async fn record_owed(
    session: &mut Session,
    service: &ServiceName,
    (run_id, because): (Uuid, &str),
    versions: &[Version],
) -> Result<(), tokio_postgres::Error> {
    let numbers: Vec<i64> = versions.iter().map(|version| version.number()).collect();
    let client = session.client();
    client
        .batch_execute(&format!(
            "BEGIN; SET LOCAL lock_timeout = '10s'; {} {}",
            create_absent("orchestrator.compensation", INSTALL),
            protection(session)
        ))
        .await?;
    let written = client
        .execute_typed(
            "INSERT INTO orchestrator.compensation AS known (service, version, run_id, because) \
             SELECT $1, version, $2::text::uuid, $3 FROM pg_catalog.unnest($4) AS version \
             ON CONFLICT (service, version) DO UPDATE \
             SET run_id = excluded.run_id, because = excluded.because, recorded_at = excluded.recorded_at \
             WHERE known.run_id <> excluded.run_id",
            &[
                (&service.as_str(), Type::TEXT),
                (&run_id.to_string(), Type::TEXT),
                (&because, Type::TEXT),
                (&numbers, Type::INT8_ARRAY),
            ],
        )
        .await;
    // After an error this is a ROLLBACK.
    let ended = client.batch_execute("COMMIT").await;
    written?;
    ended?;
    // "already exists, skipping" comes from our own statements.
    drop(session.take_notices());
    session.mark_compensation_installed();
    Ok(())
}

/// The records of a service, including those already undone.
pub(super) async fn read_owed(
    client: &Client,
    service: &ServiceName,
) -> Result<Vec<OwedRevert>, tokio_postgres::Error> {
    let rows = client
        .query_typed(
            "SELECT COALESCE(version, 0)::int8, COALESCE(run_id::text, ''), COALESCE(because::text, '') \
             FROM orchestrator.compensation WHERE service = $1 ORDER BY 1",
            &[(&service.as_str(), Type::TEXT)],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(OwedRevert {
                version: Version::new(row.try_get(0)?),
                // The table may have been edited: a pending revert counts, even if its run is unreadable.
                run_id: Uuid::parse_str(row.try_get(1)?).unwrap_or_default(),
                because: row.try_get(2)?,
            })
        })
        .collect()
}

/// Deletes the records of a run, so that what it applied stays. Call it under the advisory lock.
pub async fn forget_owed(
    client: &Client,
    service: &ServiceName,
    run_id: Uuid,
) -> Result<(), tokio_postgres::Error> {
    client
        .execute_typed(
            "DELETE FROM orchestrator.compensation WHERE service = $1 AND run_id = $2::text::uuid",
            &[
                (&service.as_str(), Type::TEXT),
                (&run_id.to_string(), Type::TEXT),
            ],
        )
        .await
        .map(drop)
}

/// What a database has recorded about a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunTraces {
    /// Whether the run is known here at all.
    pub known: bool,
    /// What it applied, unless that was reverted or reapplied since; and what it left interrupted.
    pub left: BTreeSet<Version>,
}

/// Finds what a run left in a service's database. Writes nothing.
pub async fn read_traces(
    session: &Session,
    service: &ServiceName,
    run_id: Uuid,
) -> Result<RunTraces, tokio_postgres::Error> {
    let mut traces = RunTraces::default();
    let run_id = run_id.to_string();
    if session.has_journal() {
        let rows = session
            .client()
            .query_typed(
                "SELECT EXISTS (SELECT FROM orchestrator.journal WHERE service = $1 AND run_id = $2::text::uuid), \
                   ARRAY(SELECT version::int8 FROM \
                     (SELECT DISTINCT ON (version) version, run_id, outcome FROM orchestrator.journal \
                      WHERE service = $1 AND version IS NOT NULL \
                        AND outcome IN ('applied', 'reverted', 'adopted', 'adoption_undone', 'recorded_reverted') \
                      ORDER BY version, id DESC) AS newest \
                    WHERE run_id = $2::text::uuid AND outcome = 'applied')",
                &[(&service.as_str(), Type::TEXT), (&run_id, Type::TEXT)],
            )
            .await?;
        if let Some(row) = rows.first() {
            traces.known = row.try_get(0)?;
            let versions: Vec<i64> = row.try_get(1)?;
            traces.left.extend(versions.into_iter().map(Version::new));
        }
    }
    if session.has_progress() {
        let rows = session
            .client()
            .query_typed(
                "SELECT DISTINCT version::int8 FROM orchestrator.progress \
                 WHERE service = $1 AND run_id = $2::text::uuid AND direction = 'up' AND version IS NOT NULL",
                &[(&service.as_str(), Type::TEXT), (&run_id, Type::TEXT)],
            )
            .await?;
        for row in &rows {
            traces.known = true;
            traces.left.insert(Version::new(row.try_get(0)?));
        }
    }
    Ok(traces)
}
