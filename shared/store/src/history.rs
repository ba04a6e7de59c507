//! refinery's history table in one database.

use pg_sql::{quote_identifier, quote_literal};
use std::collections::BTreeMap;

use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use super::chain::begin_chain;
use super::journal::INSTALL_JOURNAL;
use super::progress::INSTALL_PROGRESS;
use super::refinery_format::create_history_table;
use super::{compensation, progress};
use domain::{AppliedMigration, History, Phase};
use domain::{Checksum, ServiceName, Version};
use pg_session::Session;

/// Reads the state of a service from the database. Writes nothing; a database without our tables has an empty history.
pub async fn read_history(
    session: &Session,
    service: &ServiceName,
    history_table: &str,
) -> Result<History, tokio_postgres::Error> {
    let _measured = Phase::History.begin();
    let (applied, journal) = read_rows(session, service, history_table).await?;
    let interrupted = match session.has_progress() {
        true => progress::interruptions(session.client(), service).await?,
        false => Vec::new(),
    };
    let owed = match session.has_compensation() {
        true => compensation::read_owed(session.client(), service).await?,
        false => Vec::new(),
    };
    Ok(History {
        applied,
        interrupted,
        owed,
        journal,
        legacy: Vec::new(),
    })
}

/// The last entry of the journal for each version that records whether it is applied. Nothing else is read: the rows
/// may have been edited.
const JOURNAL_ENDS: &str = "SELECT DISTINCT ON (version) version::int8 AS version, \
    outcome::text IN ('applied', 'adopted', 'recorded_applied') AS applied FROM orchestrator.journal \
  WHERE service = $1 AND version IS NOT NULL AND outcome::text IN \
    ('applied', 'adopted', 'recorded_applied', 'reverted', 'adoption_undone', 'recorded_reverted') \
  ORDER BY version, id DESC";

/// Reads both in one statement, and therefore in one snapshot: another run may commit between two statements, and they
/// would seem to disagree.
///
/// Other programs write the history too, and it may have been created manually: whatever its columns and their values are,
/// the result is a history or an error.
async fn read_rows(
    session: &Session,
    service: &ServiceName,
    history_table: &str,
) -> Result<(Vec<AppliedMigration>, Option<BTreeMap<Version, bool>>), tokio_postgres::Error> {
    let table = session.qualified_history(history_table);
    let history = format!(
        "SELECT true AS present, version::int8 AS version, name::text AS name, applied_on::text AS applied_on, \
           checksum::text AS checksum FROM {table}"
    );
    const OF_HISTORY: &str =
        "h.present, h.version, COALESCE(h.name, ''), COALESCE(h.applied_on, ''), h.checksum";
    const OF_JOURNAL: &str = "j.version, j.applied";
    const NO_HISTORY: &str = "SELECT NULL::bool AS present, NULL::int8 AS version, NULL::text AS name, \
        NULL::text AS applied_on, NULL::text AS checksum WHERE false";
    let has_journal = session.has_journal();
    let rows = match (session.has_history(), has_journal) {
        (false, false) => Vec::new(),
        (true, false) => {
            let sql = format!("SELECT {OF_HISTORY} FROM ({history}) h ORDER BY 2");
            session.client().query_typed(&sql, &[]).await?
        }
        (has_history, true) => {
            let history = if has_history { &history } else { NO_HISTORY };
            let sql = format!(
                "SELECT {OF_HISTORY}, {OF_JOURNAL} FROM ({history}) h FULL JOIN ({JOURNAL_ENDS}) j \
                   ON j.version = h.version ORDER BY 2"
            );
            let parameters = [(&service.as_str() as &(dyn ToSql + Sync), Type::TEXT)];
            session.client().query_typed(&sql, &parameters).await?
        }
    };
    let mut applied = Vec::with_capacity(rows.len());
    let mut journal = has_journal.then(BTreeMap::new);
    for row in &rows {
        if row.try_get::<_, Option<bool>>(0)?.is_some() {
            applied.extend(history_row(row, &table)?);
        }
        if let Some(journal) = &mut journal
            && let Some(version) = row.try_get::<_, Option<i64>>(5)?
        {
            journal.insert(Version::new(version), row.try_get(6)?);
        }
    }
    Ok((applied, journal))
}

fn history_row(row: &Row, table: &str) -> Result<Option<AppliedMigration>, tokio_postgres::Error> {
    let Some(version) = row.try_get(1)? else {
        tracing::warn!("{table} has a row without a version: delete it");
        return Ok(None);
    };
    Ok(Some(AppliedMigration {
        version: Version::new(version),
        name: row.try_get(2)?,
        applied_on: row.try_get(3)?,
        checksum: row.try_get::<_, Option<&str>>(4)?.and_then(Checksum::parse),
    }))
}

/// Creates the history table and the journal if they are missing, and the progress table if a file requires it. Call it
/// under the advisory lock.
pub async fn install(
    session: &mut Session,
    history_table: &str,
    with_progress: bool,
) -> Result<(), tokio_postgres::Error> {
    let _measured = Phase::Create.begin();
    let create = create_bookkeeping(session, history_table);
    let progress = match session.has_progress() {
        false if with_progress => only_new(INSTALL_PROGRESS),
        _ => String::new(),
    };
    let protect = protection(session);
    session
        .client()
        // The commit of the first migration flushes this one too; if neither reaches the disk, both are made again.
        .batch_execute(&format!(
            "BEGIN; SET LOCAL synchronous_commit = off; SET LOCAL lock_timeout = '10s'; {create} {progress} {protect} COMMIT"
        ))
        .await?;
    // "already exists, skipping" comes from our statements, not from the migration.
    drop(session.take_notices());
    session.mark_installed(with_progress);
    Ok(())
}

/// The SQL that creates the history table and the journal if they are missing, and chains a journal that predates the chain.
pub(super) fn create_bookkeeping(session: &Session, history_table: &str) -> String {
    let history = if session.has_history() {
        String::new()
    } else {
        only_new(&create_history_table(
            &session.qualified_history(history_table),
        ))
    };
    let journal = match session.has_journal() {
        false => only_new(INSTALL_JOURNAL),
        true => String::new(),
    };
    let chain = if session.has_unchained_journal() {
        begin_chain()
    } else {
        String::new()
    };
    format!("{} {history}; {journal} {chain}", create_schema(session))
}

/// Creates our schema if it was missing at the last check. `IF NOT EXISTS` requires the privilege to create it even if it exists, but a
/// schema that an administrator created, with USAGE and CREATE for us, is enough.
pub(super) fn create_schema(session: &Session) -> &'static str {
    match session.has_own_schema() {
        true => "",
        false => "CREATE SCHEMA orchestrator;",
    }
}

/// Creates a table if it is missing: `IF NOT EXISTS` requires CREATE on the schema even if the table exists.
pub(super) fn create_absent(table: &str, create: &str) -> String {
    let create = create.trim().trim_end_matches(';');
    format!(
        "DO $orchestrator$ BEGIN IF pg_catalog.to_regclass({}) IS NULL THEN {create}; END IF; END $orchestrator$;",
        quote_literal(table)
    )
}

/// The SQL that grants the privileges that this role lacks to create our tables; empty if it lacks none. The failed transaction
/// is rolled back.
pub async fn missing_rights(session: &Session) -> Result<String, tokio_postgres::Error> {
    session.client().batch_execute("ROLLBACK").await?;
    let (user, schema) = (
        quote_identifier(session.user()),
        session.history_schema().to_owned(),
    );
    let rows = session
        .client()
        .query_typed(
            "SELECT COALESCE(pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE'), false), \
               (SELECT pg_catalog.has_schema_privilege(oid, 'USAGE') AND pg_catalog.has_schema_privilege(oid, 'CREATE') \
                 FROM pg_catalog.pg_namespace WHERE nspname = name) \
             FROM pg_catalog.unnest(ARRAY['orchestrator', $1]) WITH ORDINALITY AS wanted (name, place) ORDER BY place",
            &[(&schema, Type::TEXT)],
        )
        .await?;
    let mut grants = Vec::new();
    for (row, name) in rows.iter().zip(["orchestrator", &schema]) {
        // Our own schema is created if the privilege exists; that of the history never.
        let is_made = name == "orchestrator" && row.try_get(0)?;
        let name = quote_identifier(name);
        match row.try_get::<_, Option<bool>>(1)? {
            Some(false) => grants.push(format!("GRANT USAGE, CREATE ON SCHEMA {name} TO {user}")),
            None if !is_made => grants.push(format!("CREATE SCHEMA {name} AUTHORIZATION {user}")),
            Some(true) | None => {}
        }
    }
    grants.dedup();
    Ok(grants.join("; "))
}

/// A table that did not exist at the last check must be created by us: one that another role created since is not ours.
fn only_new(create: &str) -> String {
    create.replace("CREATE TABLE IF NOT EXISTS", "CREATE TABLE")
}

/// The SQL that revokes what default privileges grant others on the tables that the transaction created, except SELECT.
pub(super) fn protection(session: &Session) -> &'static str {
    if session.has_default_privileges() {
        PROTECT
    } else {
        ""
    }
}

const PROTECT: &str = "DO $protect$ DECLARE revoke text; BEGIN
    FOR revoke IN
        SELECT format('REVOKE %s ON TABLE %I.%I FROM %s CASCADE', a.privilege_type, n.nspname, c.relname,
            CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(c.relacl) a
        WHERE c.relkind = 'r' AND c.xmin = xid(pg_current_xact_id()) AND a.grantee <> c.relowner AND a.privilege_type <> 'SELECT'
        UNION ALL SELECT format('REVOKE CREATE ON SCHEMA %I FROM %s CASCADE', n.nspname,
            CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END)
        FROM pg_namespace n, aclexplode(n.nspacl) a
        WHERE n.xmin = xid(pg_current_xact_id()) AND a.grantee <> n.nspowner AND a.privilege_type = 'CREATE'
    LOOP EXECUTE revoke; END LOOP;
END $protect$;";
