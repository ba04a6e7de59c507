//! Whether code in the database can change a session: its settings, role, temporary objects, prepared statements or advisory locks.
//!
//! Where none can, a statement that only changes rows leaves the session as it was, and nothing has to be read after it. In doubt, the
//! answer is that code can.

use super::Client;

/// What a function must not contain to leave the session as it is, as a regular expression. `UPDATE … SET` is not a setting.
const CHANGES: &str = r"\m(set_config|set|reset|discard|execute|prepare|deallocate|hold|temp|temporary|pg_temp\w*|load|\w*advisory\w*|\w*_to_xml\w*)\M";

/// The `SET` of an `UPDATE` or of `ON CONFLICT`, which `CHANGES` must not find.
const UPDATE_SET: &str = r#"\mupdate(\s+only)?\s+([\w.$"]+\s+)?((as\s+)?\w+\s+)?set\M"#;

/// The result of the query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionEffects {
    /// Whether a function of this database could change the session.
    pub possible: bool,
    /// The oid of the database, as text.
    pub database: String,
}

/// Checks the functions of the database. C functions come with extensions, whose code is trusted. It runs under the settings of a file:
/// operators are qualified, too.
pub async fn read_session_effects(
    client: &Client,
) -> Result<SessionEffects, tokio_postgres::Error> {
    let sql = format!(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid OPERATOR(pg_catalog.=) p.prolang \
             WHERE p.oid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid AND l.lanname OPERATOR(pg_catalog.<>) ALL ('{{c,internal}}'::pg_catalog.name[]) \
               AND (l.lanname OPERATOR(pg_catalog.<>) ALL ('{{sql,plpgsql}}'::pg_catalog.name[]) OR p.prosqlbody IS NOT NULL \
                 OR pg_catalog.regexp_replace(p.prosrc, '{UPDATE_SET}', '', 'gi') OPERATOR(pg_catalog.~*) '{CHANGES}')), \
           (SELECT d.oid::pg_catalog.text FROM pg_catalog.pg_database d \
             WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())"
    );
    let rows = client.query_typed(&sql, &[]).await?;
    Ok(SessionEffects {
        possible: rows.first().is_none_or(|row| row.get(0)),
        database: rows.first().map(|row| row.get(1)).unwrap_or_default(),
    })
}
