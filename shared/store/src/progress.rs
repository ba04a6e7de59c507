//! Progress of no-transaction files: intent before a statement that cannot be rolled back, done after each.

use pg_sql::quote_literal;
use tokio_postgres::types::Type;
use uuid::Uuid;

use domain::Interruption;
use domain::{Checksum, Direction, Phase, ServiceName, Version};
use pg_session::Client;

/// Creates the table if it does not exist: most databases never need it. It has no defaults and no checks, as the journal: a session
/// recognizes such a table faster, and only this module writes to it.
pub(super) const INSTALL_PROGRESS: &str = "
CREATE TABLE IF NOT EXISTS orchestrator.progress (
    service          text        NOT NULL,
    version          bigint      NOT NULL,
    direction        text        NOT NULL,
    statement        integer     NOT NULL,
    statements       integer     NOT NULL,
    checksum         text        NOT NULL,
    state            text        NOT NULL,
    note             text,
    run_id           uuid        NOT NULL,
    recorded_at      timestamptz,
    PRIMARY KEY (service, version, direction, statement)
);
";

/// Identifies the file in progress.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// The run that writes.
    pub run_id: Uuid,
    pub service: &'a ServiceName,
    /// The migration.
    pub version: Version,
    /// Applied or undone.
    pub direction: Direction,
    /// The checksum of the migration.
    pub checksum: Checksum,
    pub statements: usize,
}

/// The recorded state of one statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProgressState {
    /// It was about to run; the catalog shows whether it did.
    Intent {
        /// What was recorded about the catalog before, a JSON object; `None` also if that was in another database.
        note: Option<String>,
    },
    Done,
}

/// The progress of a file: one entry per statement that was started, by number from 1.
pub async fn read_progress(
    client: &Client,
    service: &ServiceName,
    version: Version,
    direction: Direction,
) -> Result<Vec<(usize, ProgressState)>, tokio_postgres::Error> {
    let rows = client
        .query_typed(
            "SELECT COALESCE(statement, 0)::int4, COALESCE(state::text, ''), note::text, \
               (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) \
             FROM orchestrator.progress \
             WHERE service = $1 AND version = $2 AND direction = $3 ORDER BY statement",
            &[
                (&service.as_str(), Type::TEXT),
                (&version.number(), Type::INT8),
                (&direction.as_str(), Type::TEXT),
            ],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let state = match row.try_get(1)? {
                "done" => ProgressState::Done,
                _ => ProgressState::Intent {
                    note: row
                        .try_get::<_, Option<String>>(2)?
                        .filter(|note| is_about(note, row.get(3))),
                },
            };
            Ok((number(row.try_get(0)?), state))
        })
        .collect()
}

/// Whether a note was written in this database: it contains oids, which are meaningless in a database restored from a backup.
fn is_about(note: &str, database: u32) -> bool {
    serde_json::from_str::<serde_json::Value>(note).is_ok_and(|note| {
        // `jsonb_build_object` writes an oid as a string.
        note["database"].as_str() == Some(database.to_string().as_str())
    })
}

/// The session state recorded with the last finished statement.
pub async fn read_session(
    client: &Client,
    progress: &Progress<'_>,
) -> Result<Option<String>, tokio_postgres::Error> {
    let rows = client
        .query_typed(
            "SELECT note::text FROM orchestrator.progress \
             WHERE service = $1 AND version = $2 AND direction = $3 AND state = 'done' ORDER BY statement DESC LIMIT 1",
            &[
                (&progress.service.as_str(), Type::TEXT),
                (&progress.version.number(), Type::INT8),
                (&progress.direction.as_str(), Type::TEXT),
            ],
        )
        .await?;
    rows.first().map_or(Ok(None), |row| row.try_get(0))
}

/// Records that a statement is done, with the session state of the file (a JSON object). Inside the caller's transaction, or
/// standalone.
pub async fn record_statement(
    client: &Client,
    progress: &Progress<'_>,
    statement: usize,
    session: &str,
) -> Result<(), tokio_postgres::Error> {
    write(client, progress, statement, "done", Some(session)).await
}

/// The SQL that records that a statement is done which has no row yet, for the same message as the statement itself. It looks up no
/// function, operator or type by a name, so that it means the same under the settings of a file.
pub fn recording(progress: &Progress<'_>, statement: usize, session: &str) -> String {
    format!(
        "INSERT INTO orchestrator.progress (service, version, direction, statement, statements, checksum, state, note, run_id, \
           recorded_at) VALUES ({}, {}, {}, {}, {}, {}, 'done', {}, {}, 'now')",
        quote_literal(progress.service.as_str()),
        progress.version.number(),
        quote_literal(progress.direction.as_str()),
        int4(statement),
        int4(progress.statements),
        quote_literal(&progress.checksum.to_string()),
        quote_literal(session),
        quote_literal(&progress.run_id.to_string()),
    )
}

/// Records that a statement that cannot be rolled back is about to run, with what the catalog shows before: a JSON object.
pub async fn record_intent(
    client: &Client,
    progress: &Progress<'_>,
    statement: usize,
    note: Option<&str>,
) -> Result<(), tokio_postgres::Error> {
    write(client, progress, statement, "intent", note).await
}

/// Removes the intent of a statement that the server reported as failed.
pub async fn clear_intent(
    client: &Client,
    progress: &Progress<'_>,
    statement: usize,
) -> Result<(), tokio_postgres::Error> {
    client
        .execute_typed(
            "DELETE FROM orchestrator.progress \
             WHERE service = $1 AND version = $2 AND direction = $3 AND statement = $4 AND state = 'intent'",
            &[
                (&progress.service.as_str(), Type::TEXT),
                (&progress.version.number(), Type::INT8),
                (&progress.direction.as_str(), Type::TEXT),
                (&int4(statement), Type::INT4),
            ],
        )
        .await
        .map(drop)
}

async fn write(
    client: &Client,
    progress: &Progress<'_>,
    statement: usize,
    state: &str,
    note: Option<&str>,
) -> Result<(), tokio_postgres::Error> {
    let _measured = Phase::Record.begin();
    client
        .execute_typed(
            "INSERT INTO orchestrator.progress (service, version, direction, statement, statements, checksum, state, note, run_id, \
               recorded_at) VALUES ($1, $2, $3, $4, $5, $6, $7, ($8::text::pg_catalog.jsonb || pg_catalog.jsonb_build_object('database', \
               (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())))::text, $9::text::uuid, pg_catalog.clock_timestamp()) \
             ON CONFLICT (service, version, direction, statement) DO UPDATE \
             SET state = excluded.state, note = excluded.note, run_id = excluded.run_id, \
                 recorded_at = pg_catalog.clock_timestamp()",
            &[
                (&progress.service.as_str(), Type::TEXT),
                (&progress.version.number(), Type::INT8),
                (&progress.direction.as_str(), Type::TEXT),
                (&int4(statement), Type::INT4),
                (&int4(progress.statements), Type::INT4),
                (&progress.checksum.to_string(), Type::TEXT),
                (&state, Type::TEXT),
                (&note, Type::TEXT),
                (&progress.run_id.to_string(), Type::TEXT),
            ],
        )
        .await
        .map(drop)
}

/// The interrupted files of a service.
pub(super) async fn interruptions(
    client: &Client,
    service: &ServiceName,
) -> Result<Vec<Interruption>, tokio_postgres::Error> {
    let rows = client
        .query_typed(
            "SELECT COALESCE(version, 0)::int8, COALESCE(direction::text, ''), COALESCE(min(checksum)::text, ''), \
               count(*) FILTER (WHERE state = 'done'), COALESCE(max(statements), 0)::int4 \
             FROM orchestrator.progress WHERE service = $1 GROUP BY version, direction ORDER BY version",
            &[(&service.as_str(), Type::TEXT)],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Interruption {
                version: Version::new(row.try_get(0)?),
                direction: match row.try_get(1)? {
                    "down" => Direction::Down,
                    _ => Direction::Up,
                },
                checksum: Checksum::parse(row.try_get(2)?),
                done: usize::try_from(row.try_get::<_, i64>(3)?).unwrap_or_default(),
                total: number(row.try_get(4)?),
            })
        })
        .collect()
}

fn number(value: i32) -> usize {
    usize::try_from(value).unwrap_or_default()
}

fn int4(value: usize) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}
