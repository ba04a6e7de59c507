//! The journal: our append-only record of every attempt, in schema `orchestrator` of each database.

use std::collections::HashMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use super::chain::{insert_attempt, is_taken};
use domain::{Checksum, Direction, Phase, ServiceName, Version};
use pg_session::Client;
use pg_session::{Left, Session, held, held_and_others};

/// Creates the journal if it does not exist. Constraints and defaults would double the time that this takes in each new
/// database; only this module writes to the table.
pub(super) const INSTALL_JOURNAL: &str = "
CREATE TABLE IF NOT EXISTS orchestrator.journal (
    id               bigint      NOT NULL,
    run_id           uuid        NOT NULL,
    service          text        NOT NULL,
    version          bigint      NOT NULL,
    name             text        NOT NULL,
    direction        text        NOT NULL,
    checksum         text        NOT NULL,
    outcome          text        NOT NULL,
    started_at       timestamptz NOT NULL,
    duration_ms      bigint      NOT NULL,
    attempts         integer     NOT NULL,
    statements_done  integer,
    statements       integer,
    sqlstate         text,
    message          text,
    database_user    text        NOT NULL,
    client_user      text        NOT NULL,
    client_host      text        NOT NULL,
    client_address   inet,
    program_version  text        NOT NULL,
    previous_hash    bytea,
    hash             bytea,
    CONSTRAINT journal_chain PRIMARY KEY (id)
);
";

/// The identity of a run: user, machine and program version, the same for every attempt.
#[derive(Clone, Debug)]
pub struct RunIdentity {
    pub run_id: Uuid,
    /// The user of the operating system.
    pub client_user: String,
    /// The machine.
    pub client_host: String,
    pub program_version: &'static str,
}

impl RunIdentity {
    /// Creates the identity of a run that starts now.
    pub fn of_this_process() -> Self {
        Self {
            run_id: Uuid::now_v7(),
            client_user: whoami::username().unwrap_or_else(|_| "unknown".to_owned()),
            client_host: whoami::hostname().unwrap_or_else(|_| "unknown".to_owned()),
            program_version: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// The migration is applied.
    Applied,
    /// The migration is undone.
    Reverted,
    Failed,
    /// The user cancelled it.
    Cancelled,
    /// It ran, and was rolled back with its atomic release.
    RolledBack,
    /// Adopted from the legacy tool: it counts as applied without having run.
    Adopted,
    /// The adoption was undone: it no longer counts as applied.
    AdoptionUndone,
    /// Its pending compensation was dropped by a decision of the operator.
    Kept,
    /// It counts as applied: history and journal disagreed, and the operator decided so. Nothing was run.
    RecordedApplied,
    /// It does not count as applied, by the same kind of decision.
    RecordedReverted,
    /// The database was restored from a backup; the version is the newest that was applied in it.
    Restored,
}

impl AttemptOutcome {
    /// The outcome of a step that did what it should.
    pub const fn of(direction: Direction) -> Self {
        match direction {
            Direction::Up => Self::Applied,
            Direction::Down => Self::Reverted,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Reverted => "reverted",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::RolledBack => "rolled_back",
            Self::Adopted => "adopted",
            Self::AdoptionUndone => "adoption_undone",
            Self::Kept => "kept",
            Self::RecordedApplied => "recorded_applied",
            Self::RecordedReverted => "recorded_reverted",
            Self::Restored => "restored",
        }
    }
}

/// One attempt, as the journal records it.
#[derive(Clone, Debug)]
pub struct Attempt<'a> {
    pub run: &'a RunIdentity,
    pub service: &'a ServiceName,
    /// The migration.
    pub version: Version,
    pub name: &'a str,
    /// Applied or undone.
    pub direction: Direction,
    pub checksum: Checksum,
    /// How it ended.
    pub outcome: AttemptOutcome,
    /// The duration, retries included.
    pub duration: Duration,
    pub attempts: u32,
    /// Statements done and in all, for a no-transaction file.
    pub statements: Option<(usize, usize)>,
    pub sqlstate: Option<&'a str>,
    /// PostgreSQL's message.
    pub message: Option<&'a str>,
}

/// The result of writing history and journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Whether this is still the server process that the session started with.
    pub same_process: bool,
    /// Whether a row of the history was written or removed.
    pub in_history: bool,
    /// Whether this session holds the lock of the run.
    pub holds_lock: bool,
    /// What the file has left in its session.
    pub left: Left,
}

/// How [`record_done`] determines whether the lock of the run is still held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockCheck {
    /// By exchanging it: in a transaction that is committed by [`Session::commit_file`], in a session without other locks of ours.
    Exchange,
    /// By listing the locks of the server, those of the file too.
    List,
}

/// The statement of [`record_done`] and its parameters' types: 1 to 16 of [`insert_attempt`], then the time of the history row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordStatement {
    sql: String,
}

impl RecordStatement {
    /// The statement for a migration in this direction.
    pub fn of(
        session: &Session,
        history_table: &str,
        direction: Direction,
        clear_progress: bool,
        check: LockCheck,
    ) -> Self {
        let lock = match check {
            LockCheck::Exchange => format!("ARRAY[{}]", held()),
            LockCheck::List => held_and_others(),
        };
        let table = session.qualified_history(history_table);
        let history = match direction {
            Direction::Up => format!(
                "INSERT INTO {table} (version, name, applied_on, checksum) SELECT $3, $4, $17, $6 RETURNING version"
            ),
            Direction::Down => format!(
                "DELETE FROM {table} WHERE version = $3 AND $17::text IS NOT NULL RETURNING version"
            ),
        };
        let progress = if clear_progress {
            ", progress AS (DELETE FROM orchestrator.progress WHERE service = $2 AND version = $3 RETURNING version)"
        } else {
            ""
        };
        // After a revert no compensation is pending; after a new apply, the rest of an earlier compensation is void.
        let compensation = if session.has_compensation() {
            ", compensation AS (DELETE FROM orchestrator.compensation WHERE service = $2 AND version = $3 RETURNING version)"
        } else {
            ""
        };
        let sql = format!(
            "WITH history AS ({history}){progress}{compensation} {} RETURNING pg_catalog.pg_backend_pid(), \
               EXISTS (SELECT FROM history), {lock}, \
               EXISTS (SELECT FROM pg_catalog.pg_prepared_statement() WHERE from_sql)",
            insert_attempt()
        );
        Self { sql }
    }

    /// Its text and the types of its parameters.
    pub fn text(&self) -> (&str, &'static [Type]) {
        (&self.sql, &RECORD_TYPES)
    }
}

/// The types of the parameters of [`RecordStatement`].
const RECORD_TYPES: [Type; 17] = [
    Type::TEXT,
    Type::TEXT,
    Type::INT8,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::INT8,
    Type::INT4,
    Type::INT4,
    Type::INT4,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
];

/// Writes history row and journal row of a finished migration and clears its progress and its pending compensation, inside the caller's
/// transaction and in one statement.
pub async fn record_done(
    session: &Session,
    history_table: &str,
    applied_on: &str,
    attempt: &Attempt<'_>,
    clear_progress: bool,
    check: LockCheck,
) -> Result<Written, tokio_postgres::Error> {
    let _measured = Phase::Record.begin();
    let direction = attempt.direction;
    let statement = RecordStatement::of(session, history_table, direction, clear_progress, check);
    let values = Values::of(attempt);
    let mut parameters = values.parameters();
    parameters.push((&applied_on, Type::TEXT));
    let rows = session.own_query(&statement.sql, &parameters).await?;
    let row = rows.first();
    let locks: Vec<bool> = row.map(|row| row.get(2)).unwrap_or_default();
    Ok(Written {
        same_process: row.is_some_and(|row| row.get::<_, i32>(0) == session.pid()),
        in_history: row.is_some_and(|row| row.get(1)),
        holds_lock: locks.first() == Some(&true),
        left: Left {
            advisory_locks: locks.get(1).copied(),
            statements: row.is_none_or(|row| row.get(3)),
        },
    })
}

/// How often the row of a failed attempt is rewritten after another row took its place in the chain.
const MOST_TRIES: usize = 100;

/// How long the row of a failed attempt waits for a concurrent one.
const LONGEST_WAIT: &str = "10s";

/// Writes the journal row of an attempt that did not succeed, in a transaction of its own.
///
/// After a lost connection this is written without the advisory lock, so another run may write a row at the same time: the
/// key of the chain admits one of them, and the other is appended after it.
pub async fn record_failed(
    session: &Session,
    attempt: &Attempt<'_>,
) -> Result<(), tokio_postgres::Error> {
    let mut tries = 1;
    loop {
        match write_failed(session, attempt).await {
            Err(error) if tries < MOST_TRIES && is_taken(&error) => tries += 1,
            written => return written,
        }
    }
}

/// Records in the journal of a restored database that it was restored. The journal is created if the backup predates
/// it.
pub async fn record_restored(
    session: &mut Session,
    history_table: &str,
    attempt: &Attempt<'_>,
) -> Result<(), tokio_postgres::Error> {
    if !session.is_installed(false) {
        super::history::install(session, history_table, false).await?;
    }
    record_failed(session, attempt).await
}

/// Everything is sent at once: a client that is lost here does not leave the end of the chain locked.
async fn write_failed(
    session: &Session,
    attempt: &Attempt<'_>,
) -> Result<(), tokio_postgres::Error> {
    let client = session.client();
    let statement = insert_attempt();
    let values = Values::of(attempt);
    let parameters = values.parameters();
    let limit = format!("SET LOCAL lock_timeout = '{LONGEST_WAIT}'");
    // A no-transaction file may have changed role, `search_path` or time limits before it failed.
    let (begun, prepared, limited, written, ended) = tokio::join!(
        biased;
        client.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED"),
        session.become_bookkeeper(),
        client.batch_execute(&limit),
        client.execute_typed(&statement, &parameters),
        // After an error this is a ROLLBACK.
        client.batch_execute("COMMIT"),
    );
    begun?;
    prepared?;
    limited?;
    written?;
    ended
}

/// An attempt as the parameters 1 to 16 of [`insert_attempt`].
struct Values<'a> {
    attempt: &'a Attempt<'a>,
    run_id: String,
    service: &'a str,
    version: i64,
    direction: &'static str,
    checksum: String,
    outcome: &'static str,
    millis: i64,
    attempts: i32,
    done: Option<i32>,
    total: Option<i32>,
}

impl<'a> Values<'a> {
    fn of(attempt: &'a Attempt<'a>) -> Self {
        let int4 = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
        Self {
            attempt,
            run_id: attempt.run.run_id.to_string(),
            service: attempt.service.as_str(),
            version: attempt.version.number(),
            direction: attempt.direction.as_str(),
            checksum: attempt.checksum.to_string(),
            outcome: attempt.outcome.as_str(),
            millis: i64::try_from(attempt.duration.as_millis()).unwrap_or(i64::MAX),
            attempts: i32::try_from(attempt.attempts).unwrap_or(i32::MAX),
            done: attempt.statements.map(|(done, _)| int4(done)),
            total: attempt.statements.map(|(_, total)| int4(total)),
        }
    }

    fn parameters(&self) -> Vec<(&(dyn ToSql + Sync), Type)> {
        vec![
            (&self.run_id, Type::TEXT),
            (&self.service, Type::TEXT),
            (&self.version, Type::INT8),
            (&self.attempt.name, Type::TEXT),
            (&self.direction, Type::TEXT),
            (&self.checksum, Type::TEXT),
            (&self.outcome, Type::TEXT),
            (&self.millis, Type::INT8),
            (&self.attempts, Type::INT4),
            (&self.done, Type::INT4),
            (&self.total, Type::INT4),
            (&self.attempt.sqlstate, Type::TEXT),
            (&self.attempt.message, Type::TEXT),
            (&self.attempt.run.client_user, Type::TEXT),
            (&self.attempt.run.client_host, Type::TEXT),
            (&self.attempt.run.program_version, Type::TEXT),
        ]
    }
}

/// Whether the journal records that a step of this run succeeded: the authority after a connection was lost around COMMIT.
pub async fn run_succeeded(
    client: &Client,
    run_id: Uuid,
    service: &ServiceName,
    version: Version,
    direction: Direction,
) -> Result<bool, tokio_postgres::Error> {
    let rows = client
        .query_typed(
            "SELECT EXISTS (SELECT FROM orchestrator.journal WHERE run_id = $1::text::uuid AND service = $2 \
               AND version = $3 AND direction = $4 AND outcome IN ('applied', 'reverted'))",
            &[
                (&run_id.to_string(), Type::TEXT),
                (&service.as_str(), Type::TEXT),
                (&version.number(), Type::INT8),
                (&direction.as_str(), Type::TEXT),
            ],
        )
        .await?;
    Ok(rows.first().is_some_and(|row| row.get(0)))
}

/// What the journal last recorded about a version that is or was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    pub name: String,
    /// The checksum of its file.
    pub checksum: Option<Checksum>,
    /// When that began (RFC 3339, UTC).
    pub started_at: String,
}

/// What the journal last recorded about a version that history lost.
pub async fn read_recorded(
    session: &Session,
    service: &ServiceName,
    version: Version,
) -> Result<Option<Recorded>, tokio_postgres::Error> {
    if !session.has_journal() {
        return Ok(None);
    }
    let rows = session
        .client()
        .query_typed(
            "SELECT COALESCE(name::text, ''), checksum::text, \
               COALESCE(pg_catalog.to_char(started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), '') \
             FROM orchestrator.journal WHERE service = $1 AND version = $2 \
               AND outcome IN ('applied', 'adopted', 'recorded_applied') ORDER BY id DESC LIMIT 1",
            &[
                (&service.as_str(), Type::TEXT),
                (&version.number(), Type::INT8),
            ],
        )
        .await?;
    rows.first()
        .map(|row| {
            Ok(Recorded {
                name: row.try_get(0)?,
                checksum: row.try_get::<_, Option<&str>>(1)?.and_then(Checksum::parse),
                started_at: row.try_get(2)?,
            })
        })
        .transpose()
}

/// The error of the last attempt at a migration, if that attempt failed and was made with the same file in the same direction.
pub async fn last_sqlstate(
    client: &Client,
    service: &ServiceName,
    version: Version,
    direction: Direction,
    checksum: Checksum,
) -> Result<Option<String>, tokio_postgres::Error> {
    let rows = client
        .query_typed(
            "SELECT CASE WHEN direction = $3 AND checksum = $4 THEN sqlstate::text END FROM orchestrator.journal \
             WHERE service = $1 AND version = $2 ORDER BY id DESC LIMIT 1",
            &[
                (&service.as_str(), Type::TEXT),
                (&version.number(), Type::INT8),
                (&direction.as_str(), Type::TEXT),
                (&checksum.to_string(), Type::TEXT),
            ],
        )
        .await?;
    rows.first().map_or(Ok(None), |row| row.try_get(0))
}

/// A journal row for human output and JSON.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct JournalRow {
    /// Its position in the journal.
    pub id: i64,
    pub run_id: String,
    pub service: String,
    /// The migration.
    pub version: Version,
    pub name: String,
    /// `up` or `down`.
    pub direction: String,
    /// `applied`, `reverted`, `failed`, `cancelled`, `rolled_back`, `adopted`, `adoption_undone`, `recorded_applied`,
    /// `recorded_reverted`, `kept` or `restored`.
    pub outcome: String,
    /// When it began (RFC 3339, UTC).
    pub started_at: String,
    /// How long it took, in milliseconds.
    pub duration_ms: i64,
    pub attempts: i32,
    /// Statements done (no-transaction files only).
    pub statements_done: Option<i32>,
    /// Statements in all (no-transaction files only).
    pub statements: Option<i32>,
    pub sqlstate: Option<String>,
    /// PostgreSQL's message.
    pub message: Option<String>,
    pub database_user: String,
    /// The user of the operating system.
    pub client_user: String,
    /// The machine.
    pub client_host: String,
    pub program_version: String,
}

/// The newest attempts of a service, newest first; empty if the database has no journal.
pub async fn read_journal(
    session: &Session,
    service: &ServiceName,
    limit: i64,
) -> Result<Vec<JournalRow>, tokio_postgres::Error> {
    if !session.has_journal() {
        return Ok(Vec::new());
    }
    let rows = session
        .client()
        .query_typed(
            // The table may have been edited: an infinite time has no text, and any column may be NULL.
            "SELECT COALESCE(id, 0)::int8, COALESCE(run_id::text, ''), service::text, COALESCE(version, 0)::int8, \
               COALESCE(name::text, ''), COALESCE(direction::text, ''), COALESCE(outcome::text, ''), \
               COALESCE(pg_catalog.to_char(started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), \
                 started_at::text, ''), \
               COALESCE(duration_ms, 0)::int8, COALESCE(attempts, 0)::int4, statements_done::int4, statements::int4, \
               sqlstate::text, message::text, COALESCE(database_user::text, ''), COALESCE(client_user::text, ''), \
               COALESCE(client_host::text, ''), COALESCE(program_version::text, '') \
             FROM orchestrator.journal WHERE service = $1 ORDER BY id DESC LIMIT $2",
            &[(&service.as_str(), Type::TEXT), (&limit, Type::INT8)],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(JournalRow {
                id: row.try_get(0)?,
                run_id: row.try_get(1)?,
                service: row.try_get(2)?,
                version: Version::new(row.try_get(3)?),
                name: row.try_get(4)?,
                direction: row.try_get(5)?,
                outcome: row.try_get(6)?,
                started_at: row.try_get(7)?,
                duration_ms: row.try_get(8)?,
                attempts: row.try_get(9)?,
                statements_done: row.try_get(10)?,
                statements: row.try_get(11)?,
                sqlstate: row.try_get(12)?,
                message: row.try_get(13)?,
                database_user: row.try_get(14)?,
                client_user: row.try_get(15)?,
                client_host: row.try_get(16)?,
                program_version: row.try_get(17)?,
            })
        })
        .collect()
}

/// How long each migration took when it was last applied or undone, in milliseconds, as far as the journal records it.
pub async fn durations(
    session: &Session,
    service: &ServiceName,
    direction: Direction,
) -> Result<HashMap<Version, i64>, tokio_postgres::Error> {
    if !session.has_journal() {
        return Ok(HashMap::new());
    }
    let rows = session
        .client()
        .query_typed(
            "SELECT DISTINCT ON (version) version::int8, duration_ms::int8 FROM orchestrator.journal \
             WHERE service = $1 AND outcome = $2 AND version IS NOT NULL AND duration_ms IS NOT NULL \
             ORDER BY version, id DESC",
            &[
                (&service.as_str(), Type::TEXT),
                (&AttemptOutcome::of(direction).as_str(), Type::TEXT),
            ],
        )
        .await?;
    rows.iter()
        .map(|row| Ok((Version::new(row.try_get(0)?), row.try_get(1)?)))
        .collect()
}
