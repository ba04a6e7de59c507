//! The chain of the journal: each row carries its own hash and that of the row before it.
//!
//! Responsible for what is hashed, for the statement that adds a row, and for reading the rows. Not for verifying
//! them, which only the orchestrator does. The hash is computed by the server in the statement that adds the row, which
//! costs no round trip; it is checked by the client, from the values.

use domain::{Anchor, CHAIN_CONSTRAINT, ServerError, ServiceName};
use pg_session::Session;

/// The first element of what is hashed. It changes with the columns or their form.
pub const FORMAT: &str = "1";

const COLUMNS: &str = "id, run_id, service, version, name, direction, checksum, outcome, started_at, duration_ms, attempts, \
    statements_done, statements, sqlstate, message, database_user, client_user, client_host, client_address, \
    program_version";

/// The columns as text that does not depend on session settings.
const TEXTS: &str = "id::text, run_id::text, service, version::text, name, direction, checksum, outcome, \
    pg_catalog.to_char(started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), duration_ms::text, \
    attempts::text, statements_done::text, statements::text, sqlstate, message, database_user, client_user, \
    client_host, client_address::text, program_version";

/// What is hashed of a row: a JSON array of strings and nulls, without spaces.
fn canonical(previous: &str) -> String {
    format!("pg_catalog.array_to_json(ARRAY['{FORMAT}', {previous}, {TEXTS}]::text[])::text")
}

/// Adds a row behind the newest one, in one statement; the attempt is its parameters 1 to 16.
///
/// Two concurrent writers see the same newest row and choose the same id: the key admits one of them, so the chain never
/// forks, without a lock.
pub(super) fn insert_attempt() -> String {
    let canonical = canonical("pg_catalog.encode(previous_hash, 'hex')");
    format!(
        "INSERT INTO orchestrator.journal ({COLUMNS}, previous_hash, hash) \
         SELECT {COLUMNS}, previous_hash, pg_catalog.sha256(pg_catalog.convert_to({canonical}, 'UTF8')) \
         FROM (SELECT COALESCE(newest.id, 0) + 1 AS id, $1::text::uuid AS run_id, $2::text AS service, $3::int8 AS version, \
             $4::text AS name, $5::text AS direction, $6::text AS checksum, $7::text AS outcome, \
             pg_catalog.clock_timestamp() - $8::int8 * interval '1 millisecond' AS started_at, \
             $8::int8 AS duration_ms, $9::int4 AS attempts, $10::int4 AS statements_done, $11::int4 AS statements, \
             $12::text AS sqlstate, $13::text AS message, session_user::text AS database_user, \
             $14::text AS client_user, $15::text AS client_host, pg_catalog.inet_client_addr() AS client_address, \
             $16::text AS program_version, COALESCE(newest.hash, '') AS previous_hash \
           FROM (SELECT) AS one LEFT JOIN \
             (SELECT id, hash FROM orchestrator.journal ORDER BY id DESC LIMIT 1) AS newest ON true) AS attempt"
    )
}

/// Starts the chain of a journal that was created before chaining existed: its newest row seals all existing rows.
pub(super) fn begin_chain() -> String {
    let canonical = canonical("NULL");
    format!(
        "ALTER TABLE orchestrator.journal ALTER COLUMN id DROP IDENTITY IF EXISTS, \
           ADD COLUMN IF NOT EXISTS previous_hash bytea, ADD COLUMN IF NOT EXISTS hash bytea; \
         ALTER TABLE orchestrator.journal RENAME CONSTRAINT journal_pkey TO {CHAIN_CONSTRAINT}; \
         UPDATE orchestrator.journal SET hash = (SELECT pg_catalog.sha256(pg_catalog.convert_to( \
             pg_catalog.string_agg({canonical}, pg_catalog.chr(10) ORDER BY id), 'UTF8')) FROM orchestrator.journal) \
           WHERE id = (SELECT pg_catalog.max(id) FROM orchestrator.journal);"
    )
}

pub(super) fn is_taken(error: &tokio_postgres::Error) -> bool {
    ServerError::from_error(error).is_some_and(|error| error.is_place_taken())
}

/// A row of the journal as it is hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainRow {
    /// Its place.
    pub id: i64,
    /// When the attempt began (RFC 3339, UTC).
    pub started_at: String,
    /// Its columns as text, in the order in which they are hashed; the first is the id.
    pub texts: Vec<Option<String>>,
    /// The hash of the row before it, in hexadecimal; empty in the first row.
    pub previous: Option<String>,
    /// Its own hash, in hexadecimal.
    pub hash: Option<String>,
}

/// All rows of a database's journal, oldest first; `None` if there is no journal.
pub async fn read_chain(session: &Session) -> Result<Option<Vec<ChainRow>>, tokio_postgres::Error> {
    if !session.has_journal() {
        return Ok(None);
    }
    let hashes = if session.has_unchained_journal() {
        "NULL::text, NULL::text"
    } else {
        "pg_catalog.encode(previous_hash, 'hex'), pg_catalog.encode(hash, 'hex')"
    };
    let rows = session
        .client()
        .query_typed(
            &format!(
                "SELECT COALESCE(id, 0)::int8, ARRAY[{TEXTS}]::text[], {hashes} FROM orchestrator.journal ORDER BY id"
            ),
            &[],
        )
        .await?;
    let rows = rows.iter().map(|row| {
        let texts: Vec<Option<String>> = row.try_get(1)?;
        Ok(ChainRow {
            id: row.try_get(0)?,
            started_at: texts.get(8).cloned().flatten().unwrap_or_default(),
            texts,
            previous: row.try_get(2)?,
            hash: row.try_get(3)?,
        })
    });
    rows.collect::<Result<_, _>>().map(Some)
}

/// The end of a database's journal; `None` if there is no journal.
pub async fn read_anchor(
    session: &Session,
    service: &ServiceName,
) -> Result<Option<Anchor>, tokio_postgres::Error> {
    if !session.has_journal() {
        return Ok(None);
    }
    let hash = if session.has_unchained_journal() {
        "NULL::text"
    } else {
        "pg_catalog.encode(hash, 'hex')"
    };
    let rows = session
        .client()
        .query_typed(
            &format!(
                "SELECT (SELECT pg_catalog.count(*) FROM orchestrator.journal), COALESCE(id, 0)::int8, {hash} \
                 FROM orchestrator.journal ORDER BY id DESC LIMIT 1"
            ),
            &[],
        )
        .await?;
    let database = session.address().database().to_owned();
    let anchor = |rows, id, hash| Anchor {
        service: service.clone(),
        database,
        rows,
        id,
        hash,
    };
    Ok(Some(match rows.first() {
        Some(row) => anchor(row.try_get(0)?, row.try_get(1)?, row.try_get(2)?),
        None => anchor(0, 0, None),
    }))
}
