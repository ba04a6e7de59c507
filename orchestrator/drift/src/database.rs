//! Settings of a database itself, outside its schema.
//!
//! No migration sets them, and they differ between environments on purpose: they are reported but are not drift.

use domain::is_secret_name;
use pg_session::Client;
use schemars::JsonSchema;
use serde::Serialize;
use tokio_postgres::Error;
use tokio_postgres::types::Type;

/// A setting that a new database does not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DatabaseSetting {
    /// `owner`, `connection limit`, `grant`, a setting such as `search_path`, …
    pub name: String,
    pub value: String,
    /// The role to which the setting is limited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
}

/// Reads the settings of the client's database. An owner among `home`, or the current
/// user, is not reported.
pub(super) async fn read_settings(
    client: &Client,
    home: &[&str],
) -> Result<Vec<DatabaseSetting>, Error> {
    let rows = client
        .query_typed(
            "SELECT pg_catalog.current_setting('server_version_num')::int4 >= 150000",
            &[],
        )
        .await?;
    // PostgreSQL 15 added `pg_database.datcollversion`.
    let collation = if rows.first().is_some_and(|row| row.get(0)) {
        "UNION ALL SELECT 5, 'collation version', pg_catalog.format('%s, and the operating system provides %s', d.datcollversion, \
           pg_catalog.pg_database_collation_actual_version(d.oid)), NULL FROM d \
         WHERE d.datcollversion IS DISTINCT FROM pg_catalog.pg_database_collation_actual_version(d.oid)"
    } else {
        ""
    };
    let sql = format!(
        "WITH d AS (SELECT * FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()), \
           now AS (SELECT a.grantee, a.privilege_type, a.is_grantable FROM d, \
             LATERAL pg_catalog.aclexplode(COALESCE(d.datacl, pg_catalog.acldefault('d', d.datdba))) a WHERE a.grantee <> d.datdba), \
           start AS (SELECT a.grantee, a.privilege_type, a.is_grantable FROM d, \
             LATERAL pg_catalog.aclexplode(pg_catalog.acldefault('d', d.datdba)) a WHERE a.grantee <> d.datdba) \
         SELECT x.name::text, x.value::text, x.role::text FROM ( \
           SELECT 1 AS place, 'owner' AS name, pg_catalog.pg_get_userbyid(d.datdba)::text AS value, NULL::text AS role FROM d \
             WHERE pg_catalog.pg_get_userbyid(d.datdba)::text <> ALL ($1 || current_user::text) \
           UNION ALL SELECT 2, 'connection limit', d.datconnlimit::text, NULL FROM d WHERE d.datconnlimit <> -1 \
           UNION ALL SELECT 3, 'template', 'yes', NULL FROM d WHERE d.datistemplate \
           UNION ALL SELECT 3, 'connections', 'not allowed', NULL FROM d WHERE NOT d.datallowconn \
           UNION ALL SELECT 4, 'tablespace', t.spcname::text, NULL FROM d JOIN pg_catalog.pg_tablespace t ON t.oid = d.dattablespace \
             WHERE t.spcname <> 'pg_default' \
           {collation} \
           UNION ALL SELECT 6, 'grant', pg_catalog.format('GRANT %s TO %s%s', g.privilege_type, \
               CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(g.grantee)) END, \
               CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END), NULL \
             FROM (SELECT * FROM now EXCEPT SELECT * FROM start) g \
           UNION ALL SELECT 7, 'grant', pg_catalog.format('REVOKE %s FROM %s', g.privilege_type, \
               CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(g.grantee)) END), NULL \
             FROM (SELECT * FROM start EXCEPT SELECT * FROM now) g \
           UNION ALL SELECT 8, pg_catalog.split_part(c.pair, '=', 1), \
               pg_catalog.substr(c.pair, pg_catalog.strpos(c.pair, '=') + 1), r.rolname::text \
             FROM pg_catalog.pg_db_role_setting s JOIN d ON d.oid = s.setdatabase \
               LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole \
               CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS c (pair)) x \
         ORDER BY x.place, x.name, x.role NULLS FIRST, x.value"
    );
    let rows = client
        .query_typed(&sql, &[(&home, Type::TEXT_ARRAY)])
        .await?;
    rows.iter()
        .map(|row| {
            let name: String = row.try_get(0)?;
            let value = if is_secret_name(&name) {
                "(hidden)".to_owned()
            } else {
                row.try_get(1)?
            };
            Ok(DatabaseSetting {
                name,
                value,
                role: row.try_get(2)?,
            })
        })
        .collect()
}
