//! Reads the state of the server and of the database to replace: sessions, privileges, related objects.

use pg_session::Client;
use time::OffsetDateTime;
use tokio_postgres::Error;
use tokio_postgres::types::Type;

use crate::moment;

/// A server, and the privileges of our role on it.
#[derive(Clone, Debug)]
pub(super) struct ServerFacts {
    pub role: String,
    pub may_create: bool,
    pub signals: bool,
    pub in_recovery: bool,
    /// The version, such as `15.18`.
    pub version: String,
    /// `server_version_num`, such as 150018.
    pub version_number: i32,
    /// The current time of its clock.
    pub now: OffsetDateTime,
}

impl ServerFacts {
    /// The major version of the server.
    pub fn major(&self) -> i32 {
        self.version_number / 10_000
    }
}

/// An existing database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Database {
    pub oid: u32,
    pub bytes: u64,
    /// Whether our role can rename it.
    pub is_ours: bool,
}

/// A session in a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UserOf {
    pub pid: i32,
    /// `pid 991 (app, psql, idle for 12 s)`
    pub text: String,
}

pub(super) async fn server(client: &Client) -> Result<ServerFacts, Error> {
    let row = client
        .query_one(
            "SELECT current_user::text, r.rolsuper OR r.rolcreatedb, \
               r.rolsuper OR pg_catalog.pg_has_role('pg_signal_backend', 'USAGE'), pg_catalog.pg_is_in_recovery(), \
               pg_catalog.current_setting('server_version'), pg_catalog.current_setting('server_version_num')::int4, \
               (pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) * 1000000)::int8 \
             FROM pg_catalog.pg_roles r WHERE r.rolname = current_user",
            &[],
        )
        .await?;
    Ok(ServerFacts {
        role: row.try_get(0)?,
        may_create: row.try_get(1)?,
        signals: row.try_get(2)?,
        in_recovery: row.try_get(3)?,
        version: row.try_get(4)?,
        version_number: row.try_get(5)?,
        now: moment(row.try_get(6)?).unwrap_or_else(OffsetDateTime::now_utc),
    })
}

/// Finds a database by name.
pub(super) async fn database(client: &Client, name: &str) -> Result<Option<Database>, Error> {
    let rows = client
        .query_typed(
            // pg_database_size requires CONNECT on the database.
            "SELECT oid, CASE WHEN pg_catalog.has_database_privilege(oid, 'CONNECT') \
                THEN pg_catalog.pg_database_size(oid) ELSE 0 END, \
               pg_catalog.pg_has_role(datdba, 'USAGE') FROM pg_catalog.pg_database WHERE datname = $1",
            &[(&name, Type::TEXT)],
        )
        .await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    Ok(Some(Database {
        oid: row.try_get(0)?,
        bytes: u64::try_from(row.try_get::<_, i64>(1)?).unwrap_or(0),
        is_ours: row.try_get(2)?,
    }))
}

/// The current name of a database.
pub(super) async fn name_of(client: &Client, oid: u32) -> Result<Option<String>, Error> {
    let rows = client
        .query_typed(
            "SELECT datname::text FROM pg_catalog.pg_database WHERE oid = $1",
            &[(&oid, Type::OID)],
        )
        .await?;
    rows.first().map(|row| row.try_get(0)).transpose()
}

/// The sessions in a database, except the given ones. Autovacuum is omitted, because the server cancels it itself.
pub(super) async fn users(client: &Client, name: &str, own: &[i32]) -> Result<Vec<UserOf>, Error> {
    let rows = client
        .query_typed(
            "SELECT pid, COALESCE(usename::text, ''), COALESCE(application_name, ''), COALESCE(state, ''), \
               COALESCE(extract(epoch FROM pg_catalog.clock_timestamp() - backend_start), 0)::int8, \
               COALESCE(backend_type, '') \
             FROM pg_catalog.pg_stat_activity WHERE datname = $1 AND pid <> ALL ($2) \
               AND COALESCE(backend_type, '') NOT IN ('autovacuum worker', 'parallel worker') ORDER BY pid",
            &[(&name, Type::TEXT), (&own, Type::INT4_ARRAY)],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let (pid, user): (i32, String) = (row.try_get(0)?, row.try_get(1)?);
            let (application, state): (String, String) = (row.try_get(2)?, row.try_get(3)?);
            let kind: String = row.try_get(5)?;
            let since = report::units::age(row.try_get(4)?);
            let kind = if kind == "client backend" { "" } else { &kind };
            let facts = [user.as_str(), &application, kind, &state];
            let mut facts: Vec<String> = facts
                .iter()
                .filter(|fact| !fact.is_empty())
                .map(|fact| (*fact).to_owned())
                .collect();
            facts.push(format!("connected for {since}"));
            Ok(UserOf {
                pid,
                text: format!("pid {pid} ({})", facts.join(", ")),
            })
        })
        .collect()
}

/// The identifiers of the prepared transactions in a database, as SQL literals.
pub(super) async fn prepared(client: &Client, name: &str) -> Result<Vec<String>, Error> {
    let rows = client
        .query_typed(
            "SELECT pg_catalog.quote_literal(gid) FROM pg_catalog.pg_prepared_xacts WHERE database = $1 ORDER BY 1",
            &[(&name, Type::TEXT)],
        )
        .await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}

/// Objects of a database that are not in a dump and stay with the old one: replication slots and subscriptions.
pub(super) async fn stays_behind(client: &Client, oid: u32) -> Result<Vec<String>, Error> {
    let rows = client
        .query_typed(
            "SELECT 'logical replication slot ' || slot_name FROM pg_catalog.pg_replication_slots WHERE datoid = $1 \
             UNION ALL SELECT 'subscription ' || subname FROM pg_catalog.pg_subscription WHERE subdbid = $1 ORDER BY 1",
            &[(&oid, Type::OID)],
        )
        .await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}

/// The names of all databases.
pub(super) async fn names(client: &Client) -> Result<Vec<String>, Error> {
    let rows = client
        .query_typed(
            "SELECT datname::text FROM pg_catalog.pg_database WHERE NOT datistemplate ORDER BY 1",
            &[],
        )
        .await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}
