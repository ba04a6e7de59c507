//! Reads the facts for the checks from catalogs and statistics views. Writes nothing.

use domain::shown_query;
use pg_session::{ADVISORY_LOCK_KEY, Client};
use tokio_postgres::types::Type;
use tokio_postgres::{Error, Row};

/// A session of another client.
#[derive(Clone, Debug, Default)]
pub struct SessionRow {
    /// The process id of its backend.
    pub pid: i32,
    /// Its user, empty if not visible.
    pub user: String,
    /// Its `application_name`.
    pub application: String,
    /// Its state in `pg_stat_activity`.
    pub state: String,
    /// Seconds since its state changed.
    pub state_age: i64,
    /// Seconds since its transaction began.
    pub transaction_age: i64,
    /// Its last statement.
    pub query: String,
    /// The processes that block it; 0 is a prepared transaction.
    pub blockers: Vec<i32>,
}

/// An invalid index.
#[derive(Clone, Debug)]
pub struct IndexRow {
    /// Its qualified and quoted name.
    pub qualified: String,
    /// Its unquoted name without the schema.
    pub name: String,
    /// Its table, quoted.
    pub table: String,
    /// Whether it belongs to a partitioned table.
    pub partitioned: bool,
    /// Whether it is currently being built.
    pub under_way: bool,
}

/// A constraint that was never validated.
#[derive(Clone, Debug)]
pub struct ConstraintRow {
    /// Its table, quoted.
    pub table: String,
    /// Its qualified and quoted name.
    pub name: String,
}

/// A prepared transaction.
#[derive(Clone, Debug)]
pub struct PreparedRow {
    /// Its global transaction identifier.
    pub gid: String,
    /// The identifier as an SQL literal.
    pub literal: String,
    /// The user who prepared it.
    pub owner: String,
    /// Seconds since it was prepared.
    pub age: i64,
}

/// A partition with a pending detach.
#[derive(Clone, Debug)]
pub struct DetachRow {
    /// The partitioned table, quoted.
    pub parent: String,
    /// The partition, quoted.
    pub partition: String,
}

/// The facts read from a service's database.
#[derive(Clone, Debug, Default)]
pub struct DatabaseRows {
    /// Sessions idle in a transaction, oldest first.
    pub idle: Vec<SessionRow>,
    /// Sessions blocked by the lock of another session.
    pub blocked: Vec<SessionRow>,
    /// Sessions that hold the advisory lock of a run.
    pub holders: Vec<SessionRow>,
    /// The number of sessions whose activity this user cannot see.
    pub hidden: usize,
    /// Invalid indexes.
    pub indexes: Vec<IndexRow>,
    /// Constraints that are `NOT VALID`.
    pub constraints: Vec<ConstraintRow>,
    /// Prepared transactions.
    pub prepared: Vec<PreparedRow>,
    /// Pending detaches.
    pub detaches: Vec<DetachRow>,
    /// Why the database is read-only.
    pub writes_refused: Option<WritesRefused>,
}

/// Why a database is read-only.
#[derive(Clone, Debug)]
pub enum WritesRefused {
    /// The server is a standby.
    Standby,
    /// `default_transaction_read_only` is on.
    Setting {
        /// The scope of the setting: a database, a role, the server.
        of: String,
        /// The beginning of the statement that resets it, up to `RESET`.
        reset: String,
    },
}

/// The facts read from a server.
#[derive(Clone, Debug, Default)]
pub struct ServerRows {
    /// `server_version`, such as `15.18 (Debian …)`.
    pub version: String,
    /// `server_version_num`, such as 150018.
    pub version_number: i32,
    /// Scratch databases whose command is gone.
    pub dead_scratch: Vec<String>,
}

impl DatabaseRows {
    /// Reads the facts of one database.
    pub async fn read(client: &Client) -> Result<Self, Error> {
        let sessions = client
            .query_typed(
                // Only client backends, without parallel workers and autovacuum. The type is NULL for sessions of other users without pg_monitor.
                "SELECT a.pid, COALESCE(a.usename::text, ''), COALESCE(a.application_name, ''), COALESCE(a.state, ''), \
                   COALESCE(extract(epoch FROM pg_catalog.clock_timestamp() - a.state_change), 0)::int8, \
                   COALESCE(extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start), 0)::int8, \
                   pg_catalog.left(pg_catalog.regexp_replace(COALESCE(a.query, ''), '\\s+', ' ', 'g'), 120), \
                   CASE WHEN a.wait_event_type = 'Lock' THEN pg_catalog.pg_blocking_pids(a.pid) ELSE '{}' END, \
                   EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE l.pid = a.pid AND l.locktype = 'advisory' \
                     AND l.granted AND l.objsubid = 1 AND l.database = a.datid \
                     AND l.classid::int8 = ($1 >> 32) AND l.objid::int8 = ($1 & 4294967295)) \
                 FROM pg_catalog.pg_stat_activity a \
                 WHERE a.datname = pg_catalog.current_database() AND a.pid <> pg_catalog.pg_backend_pid() \
                   AND COALESCE(a.backend_type, 'client backend') = 'client backend' ORDER BY a.xact_start NULLS LAST, a.pid",
                &[(&ADVISORY_LOCK_KEY, Type::INT8)],
            )
            .await?;
        let mut found = Self::default();
        for row in &sessions {
            let session = session(row);
            if session.state.is_empty() {
                found.hidden += 1;
            }
            if session.state.starts_with("idle in transaction") {
                found.idle.push(session.clone());
            }
            if row.get(8) {
                found.holders.push(session.clone());
            }
            if !session.blockers.is_empty() {
                found.blocked.push(session);
            }
        }
        found.indexes = indexes(client).await?;
        found.constraints = constraints(client).await?;
        found.prepared = prepared(client).await?;
        found.detaches = detaches(client).await?;
        found.writes_refused = writes_refused(client).await?;
        Ok(found)
    }
}

async fn writes_refused(client: &Client) -> Result<Option<WritesRefused>, Error> {
    let rows = client
        .query_typed(
            // reset_val is the value at session start; this session may have changed its own. The most specific setting wins.
            "SELECT pg_catalog.pg_is_in_recovery(), s.reset_val = 'on', \
               COALESCE(d.words, 'the server'), COALESCE(d.alter, 'ALTER SYSTEM') \
             FROM pg_catalog.pg_settings s LEFT JOIN LATERAL ( \
               SELECT CASE WHEN x.setrole = 0 THEN pg_catalog.format('database %I', b.datname) \
                   WHEN x.setdatabase = 0 THEN pg_catalog.format('role %I', r.rolname) \
                   ELSE pg_catalog.format('role %I in database %I', r.rolname, b.datname) END AS words, \
                 CASE WHEN x.setrole = 0 THEN pg_catalog.format('ALTER DATABASE %I', b.datname) \
                   WHEN x.setdatabase = 0 THEN pg_catalog.format('ALTER ROLE %I', r.rolname) \
                   ELSE pg_catalog.format('ALTER ROLE %I IN DATABASE %I', r.rolname, b.datname) END AS alter \
               FROM pg_catalog.pg_db_role_setting x \
                 JOIN pg_catalog.pg_database b ON b.datname = pg_catalog.current_database() \
                 JOIN pg_catalog.pg_roles r ON r.rolname = session_user \
               WHERE x.setdatabase IN (0, b.oid) AND x.setrole IN (0, r.oid) \
                 AND EXISTS (SELECT FROM pg_catalog.unnest(x.setconfig) c (pair) \
                   WHERE c.pair ~ '^default_transaction_read_only=') \
               ORDER BY x.setrole = 0, x.setdatabase = 0 LIMIT 1) d ON true \
             WHERE s.name = 'default_transaction_read_only'",
            &[],
        )
        .await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    if row.try_get(0)? {
        return Ok(Some(WritesRefused::Standby));
    }
    if !row.try_get::<_, bool>(1)? {
        return Ok(None);
    }
    Ok(Some(WritesRefused::Setting {
        of: row.try_get(2)?,
        reset: row.try_get(3)?,
    }))
}

fn session(row: &Row) -> SessionRow {
    SessionRow {
        pid: row.get(0),
        user: row.get(1),
        application: row.get(2),
        state: row.get(3),
        state_age: row.get(4),
        transaction_age: row.get(5),
        query: shown_query(row.get(6)),
        blockers: row.get(7),
    }
}

async fn indexes(client: &Client) -> Result<Vec<IndexRow>, Error> {
    let rows = client
        .query_typed(
            // Without pg_monitor the progress view is empty, but locks are visible: CREATE INDEX CONCURRENTLY locks the table in this mode, as vacuum does.
            "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), c.relname::text, i.indrelid::pg_catalog.regclass::text, \
               c.relkind = 'I', EXISTS (SELECT FROM pg_catalog.pg_stat_progress_create_index p \
                 WHERE p.index_relid = i.indexrelid OR (p.relid = i.indrelid AND p.command ~ 'CONCURRENTLY')) \
               OR EXISTS (SELECT FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a USING (pid) \
                 WHERE l.relation = i.indrelid AND l.database = (SELECT oid FROM pg_catalog.pg_database \
                     WHERE datname = pg_catalog.current_database()) \
                   AND l.mode = 'ShareUpdateExclusiveLock' AND l.granted \
                   AND COALESCE(a.backend_type, '') <> 'autovacuum worker') \
             FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
               JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE NOT i.indisvalid AND n.nspname !~ '^pg_temp' ORDER BY 1",
            &[],
        )
        .await?;
    let index = |row: &Row| IndexRow {
        qualified: row.get(0),
        name: row.get(1),
        table: row.get(2),
        partitioned: row.get(3),
        under_way: row.get(4),
    };
    Ok(rows.iter().map(index).collect())
}

async fn constraints(client: &Client) -> Result<Vec<ConstraintRow>, Error> {
    let rows = client
        .query_typed(
            // NOT ENFORCED constraints (PostgreSQL 18) cannot be validated and are intended.
            "SELECT c.conrelid::pg_catalog.regclass::text, pg_catalog.quote_ident(c.conname) FROM pg_catalog.pg_constraint c \
             WHERE NOT c.convalidated AND c.conrelid <> 0 AND c.conparentid = 0 \
               AND COALESCE((pg_catalog.to_jsonb(c)->>'conenforced')::bool, true) ORDER BY 1, 2",
            &[],
        )
        .await?;
    let constraint = |row: &Row| ConstraintRow {
        table: row.get(0),
        name: row.get(1),
    };
    Ok(rows.iter().map(constraint).collect())
}

async fn prepared(client: &Client) -> Result<Vec<PreparedRow>, Error> {
    let rows = client
        .query_typed(
            "SELECT pg_catalog.quote_literal(gid), owner::text, \
               extract(epoch FROM pg_catalog.clock_timestamp() - prepared)::int8, gid \
             FROM pg_catalog.pg_prepared_xacts WHERE database = pg_catalog.current_database() ORDER BY prepared",
            &[],
        )
        .await?;
    let prepared = |row: &Row| PreparedRow {
        literal: row.get(0),
        owner: row.get(1),
        age: row.get(2),
        gid: row.get(3),
    };
    Ok(rows.iter().map(prepared).collect())
}

async fn detaches(client: &Client) -> Result<Vec<DetachRow>, Error> {
    let rows = client
        .query_typed(
            "SELECT inhparent::pg_catalog.regclass::text, inhrelid::pg_catalog.regclass::text \
             FROM pg_catalog.pg_inherits WHERE inhdetachpending ORDER BY 1, 2",
            &[],
        )
        .await?;
    let detach = |row: &Row| DetachRow {
        parent: row.get(0),
        partition: row.get(1),
    };
    Ok(rows.iter().map(detach).collect())
}

impl ServerRows {
    /// Reads the facts of one server.
    pub async fn read(client: &Client) -> Result<Self, Error> {
        let rows = client
            .query_typed(
                "SELECT pg_catalog.current_setting('server_version'), \
                   pg_catalog.current_setting('server_version_num')::int4",
                &[],
            )
            .await?;
        let version = rows.first().map(|row| (row.get(0), row.get(1)));
        let (version, version_number) = version.unwrap_or_default();
        Ok(Self {
            version,
            version_number,
            dead_scratch: scratch::dead_databases(client).await?,
        })
    }
}
