//! The decision on an atomic release, in the table `orchestrator.releases` of its coordinator's database.
//!
//! Written once, by compare-and-set: both the run itself and a run that finds the release interrupted follow the recorded
//! decision. Responsible for the rows; not for the prepared transactions (`prepared`).

use serde::{Deserialize, Serialize};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use super::history::{create_absent, create_schema, protection};
use domain::{Decision, ServiceName};
use pg_session::Client;
use pg_session::Session;

/// Creates the table if it does not exist: most databases never need it.
const INSTALL_RELEASES: &str = "
CREATE TABLE IF NOT EXISTS orchestrator.releases (
    run_id           uuid        NOT NULL PRIMARY KEY,
    participants     jsonb       NOT NULL,
    begun_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    decision         text        CHECK (decision IN ('commit', 'rollback')),
    decided_by       text,
    decided_at       timestamptz,
    finished_at      timestamptz
);
";

/// A database of a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Participant {
    /// Its number within the release, from 1, as in the identifier of its prepared transaction.
    pub number: usize,
    /// Its address for human output.
    pub database: String,
    /// The services of the release in this database.
    pub services: Vec<ServiceName>,
}

/// The record of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseRow {
    /// Its databases.
    pub participants: Vec<Participant>,
    /// The decision, if one was made.
    pub decision: Option<Decision>,
}

/// Records the start of a release before anything is prepared, so that a run that finds a prepared transaction also finds this record.
pub async fn begin_release(
    session: &mut Session,
    run_id: Uuid,
    participants: &[Participant],
) -> Result<(), tokio_postgres::Error> {
    let participants = serde_json::to_string(participants).unwrap_or_else(|_| "[]".to_owned());
    let client = session.client();
    let id = run_id.to_string();
    let install = format!(
        "{} {} {}",
        create_schema(session),
        create_absent("orchestrator.releases", INSTALL_RELEASES),
        protection(session)
    );
    let parameters: [(&(dyn ToSql + Sync), Type); 2] =
        [(&id, Type::TEXT), (&participants, Type::TEXT)];
    let (begun, durable, installed, inserted, committed) = tokio::join!(
        biased;
        client.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = '10s'"),
        be_durable(client),
        client.batch_execute(&install),
        client.execute_typed(
            "INSERT INTO orchestrator.releases (run_id, participants) VALUES ($1::text::uuid, $2::text::jsonb)",
            &parameters,
        ),
        // After an error this is a ROLLBACK.
        client.batch_execute("COMMIT"),
    );
    begun?;
    durable?;
    installed?;
    inserted?;
    committed?;
    // "already exists, skipping" comes from our own statements.
    drop(session.take_notices());
    Ok(())
}

/// Records the decision unless one exists, and returns the recorded one. `None`: the release is unknown in this database.
pub async fn decide(
    client: &Client,
    run_id: Uuid,
    decision: Decision,
    by: &str,
) -> Result<Option<Decision>, tokio_postgres::Error> {
    let (id, word) = (run_id.to_string(), decision.as_str());
    let what: [(&(dyn ToSql + Sync), Type); 3] =
        [(&id, Type::TEXT), (&word, Type::TEXT), (&by, Type::TEXT)];
    let which: [(&(dyn ToSql + Sync), Type); 1] = [(&id, Type::TEXT)];
    let (begun, durable, decided, read, committed) = tokio::join!(
        biased;
        client.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = '10s'"),
        be_durable(client),
        client.execute_typed(
            "UPDATE orchestrator.releases SET decision = $2, decided_by = $3, decided_at = pg_catalog.clock_timestamp() \
             WHERE run_id = $1::text::uuid AND decision IS NULL",
            &what,
        ),
        client.query_typed(
            "SELECT decision FROM orchestrator.releases WHERE run_id = $1::text::uuid",
            &which,
        ),
        client.batch_execute("COMMIT"),
    );
    begun?;
    durable?;
    decided?;
    let rows = read?;
    committed?;
    Ok(rows
        .first()
        .and_then(|row| row.get::<_, Option<&str>>(0))
        .and_then(Decision::parse))
}

/// The decision must be durable before the commits that depend on it, regardless of the server's default.
async fn be_durable(client: &Client) -> Result<(), tokio_postgres::Error> {
    client
        .execute_typed(
            "SELECT pg_catalog.set_config('synchronous_commit', 'on', true) \
             WHERE pg_catalog.current_setting('synchronous_commit') <> 'remote_apply'",
            &[],
        )
        .await
        .map(drop)
}

/// What is recorded of a release; `None` if this database has none.
pub async fn read_release(
    client: &Client,
    run_id: Uuid,
) -> Result<Option<ReleaseRow>, tokio_postgres::Error> {
    let read = client
        .query_typed(
            "SELECT participants::text, decision FROM orchestrator.releases WHERE run_id = $1::text::uuid",
            &[(&run_id.to_string(), Type::TEXT)],
        )
        .await;
    let rows = match read {
        Ok(rows) => rows,
        Err(error)
            if [&SqlState::UNDEFINED_TABLE, &SqlState::INVALID_SCHEMA_NAME]
                .contains(&error.code().unwrap_or(&SqlState::SUCCESSFUL_COMPLETION)) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    Ok(Some(ReleaseRow {
        participants: serde_json::from_str(row.try_get(0)?).unwrap_or_default(),
        decision: row.try_get::<_, Option<&str>>(1)?.and_then(Decision::parse),
    }))
}

/// Records that no transaction of a release is prepared any longer.
pub async fn finish_release(client: &Client, run_id: Uuid) -> Result<(), tokio_postgres::Error> {
    client
        .execute_typed(
            "UPDATE orchestrator.releases SET finished_at = pg_catalog.clock_timestamp() \
             WHERE run_id = $1::text::uuid AND finished_at IS NULL",
            &[(&run_id.to_string(), Type::TEXT)],
        )
        .await
        .map(drop)
}
