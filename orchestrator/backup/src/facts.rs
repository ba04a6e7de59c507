//! The facts about a database at the time of its dump.

use pg_sql::quote_identifier;
use std::collections::BTreeMap;

use pg_session::Client;
use time::OffsetDateTime;
use tokio_postgres::Error;

use super::DatabaseProperties;

/// The facts about a database at the time of its dump.
pub struct Facts {
    /// The server version, such as `15.18`.
    pub server_version: String,
    /// The major version of the server.
    pub major: i32,
    /// The time of the snapshot, by the server's clock.
    pub(crate) taken_at: Option<OffsetDateTime>,
    /// The size of the database.
    pub(crate) bytes: u64,
    pub(crate) properties: DatabaseProperties,
    /// The tables whose rows must be in the dump: oid and quoted name.
    pub(crate) tables: Vec<(u32, String)>,
    /// The roles that own objects in the database or have privileges on them.
    pub roles: Vec<String>,
}

impl Facts {
    /// Reads the facts in the transaction of the dump's snapshot.
    pub async fn read(client: &Client) -> Result<Self, Error> {
        let row = client
            .query_one(
                "SELECT pg_catalog.current_setting('server_version'), \
                   pg_catalog.current_setting('server_version_num')::int4 / 10000, \
                   pg_catalog.pg_database_size(pg_catalog.current_database()), \
                   ARRAY(SELECT DISTINCT r.rolname::text FROM pg_catalog.pg_shdepend s \
                     JOIN pg_catalog.pg_roles r ON r.oid = s.refobjid \
                     WHERE s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass \
                       AND s.dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) \
                     ORDER BY 1), \
                   (pg_catalog.date_part('epoch', pg_catalog.transaction_timestamp()) * 1000000)::int8",
                &[],
            )
            .await?;
        let major: i32 = row.try_get(1)?;
        let bytes: i64 = row.try_get(2)?;
        let microseconds: i64 = row.try_get(4)?;
        // Members of extensions are not dumped: CREATE EXTENSION recreates them.
        let tables = client
            .query(
                "SELECT c.oid, n.nspname::text, c.relname::text FROM pg_catalog.pg_class c \
                 JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                 WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' \
                   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.deptype = 'e' \
                     AND (d.classid, d.objid) IN (('pg_catalog.pg_class'::pg_catalog.regclass, c.oid), \
                       ('pg_catalog.pg_namespace'::pg_catalog.regclass, n.oid))) \
                 ORDER BY 2, 3",
                &[],
            )
            .await?;
        let tables = tables
            .iter()
            .map(|row| {
                let (schema, table): (String, String) = (row.try_get(1)?, row.try_get(2)?);
                Ok((
                    row.try_get(0)?,
                    format!("{}.{}", quote_identifier(&schema), quote_identifier(&table)),
                ))
            })
            .collect::<Result<_, Error>>()?;
        Ok(Self {
            server_version: row.try_get(0)?,
            major,
            taken_at: moment(microseconds),
            bytes: u64::try_from(bytes).unwrap_or_default(),
            properties: DatabaseProperties::read(client, major).await?,
            tables,
            roles: row.try_get(3)?,
        })
    }
}

/// Converts microseconds since 1970 to a time.
pub fn moment(microseconds: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(microseconds) * 1000).ok()
}

/// The row counts of tables in the snapshot of one session.
pub(super) async fn count_rows(
    client: &Client,
    tables: &[(u32, String)],
) -> Result<BTreeMap<String, u64>, Error> {
    let mut rows = BTreeMap::new();
    for (_, table) in tables {
        let row = client
            .query_one(&format!("SELECT count(*) FROM ONLY {table}"), &[])
            .await?;
        let number: i64 = row.try_get(0)?;
        rows.insert(table.clone(), u64::try_from(number).unwrap_or_default());
    }
    Ok(rows)
}
