//! The schema of a live database.

use catalog::Snapshot;
use engine::inspect::{ServiceError, Target};
use pg_session::Session;
use store::{LegacyTable, appliers};

use super::DatabaseSetting;
use super::database::read_settings;
use super::replayed::without_bookkeeping;

/// The schema of a live database, with facts about its server.
#[derive(Clone, Debug)]
pub struct Live {
    /// The schema, without our tables, with those of the legacy tool.
    pub snapshot: Snapshot,
    /// The tables of the legacy tool, which count only if a migration creates them.
    pub legacy: Vec<(String, String)>,
    /// The version of the server, such as `15.18`.
    pub server_version: String,
    /// The roles of the server.
    pub roles: Vec<String>,
    /// Settings of the database itself.
    pub settings: Vec<DatabaseSetting>,
}

impl Live {
    /// Whether the schema is empty: extensions and the legacy tool's tables do not count.
    pub fn is_empty(&self) -> bool {
        self.without_any_legacy().is_empty()
    }

    /// The schema without the tables of the legacy tool.
    pub fn without_any_legacy(&self) -> Snapshot {
        self.without_legacy(|_, _| false, |_| false)
    }

    /// The schema without the tables of the legacy tool, and without schemas that contain nothing else. `makes_table`
    /// and `makes_schema` select what migrations create, which is kept.
    pub(super) fn without_legacy(
        &self,
        makes_table: impl Fn(&str, &str) -> bool,
        makes_schema: impl Fn(&str) -> bool,
    ) -> Snapshot {
        let mut snapshot = self.snapshot.clone();
        for (schema, table) in &self.legacy {
            if !makes_table(schema, table) {
                snapshot = snapshot.without_table(schema, table);
            }
        }
        for (schema, _) in &self.legacy {
            let holds_more = snapshot
                .objects()
                .any(|object| object.schema.as_ref() == Some(schema));
            if schema != "public" && !holds_more && !makes_schema(schema) {
                snapshot = snapshot.without_schema(schema);
            }
        }
        snapshot
    }
}

/// Reads the schema of a session's database. `history_tables` are those of all services in the database.
pub async fn read_live(
    session: &Session,
    target: &Target,
    history_tables: &[&str],
    legacy: &[LegacyTable],
) -> Result<Live, ServiceError> {
    let failed = |source| ServiceError::query(&target.address, source);
    let client = session.client();
    let snapshot = client
        .lend(async |client| catalog::read(client).await)
        .await
        .map_err(failed)?;
    let snapshot = without_bookkeeping(snapshot, history_tables);
    let appliers = appliers(session, &target.service.name)
        .await
        .map_err(failed)?;
    let rows = session
        .client()
        .query_typed(
            "SELECT pg_catalog.current_setting('server_version'), \
               ARRAY(SELECT rolname::text FROM pg_catalog.pg_roles WHERE rolname !~ '^pg_' ORDER BY 1)",
            &[],
        )
        .await
        .map_err(failed)?;
    let (server_version, roles) = rows
        .first()
        .map(|row| (row.get(0), row.get(1)))
        .unwrap_or_default();
    let home = home_roles(&snapshot, appliers);
    let home: Vec<&str> = home.iter().map(String::as_str).collect();
    let settings = read_settings(session.client(), &home)
        .await
        .map_err(failed)?;
    let mut legacy: Vec<(String, String)> = legacy
        .iter()
        .map(|table| (table.schema.clone(), table.table.clone()))
        .collect();
    legacy.extend(metadata_tables(&snapshot));
    Ok(Live {
        snapshot: snapshot.with_home_roles(&home),
        legacy,
        server_version,
        roles,
        settings,
    })
}

/// The roles that own the schema: those that applied migrations and, if none of them owns an object (the legacy tool created
/// them), the role that owns the most.
fn home_roles(snapshot: &Snapshot, mut appliers: Vec<String>) -> Vec<String> {
    let owners = snapshot.owners();
    let owns_something = appliers.iter().any(|role| owners.contains_key(role));
    let most = owners
        .into_iter()
        .filter(|(role, _)| role != "pg_database_owner")
        .max_by_key(|(_, number)| *number);
    if let Some((role, _)) = most
        && !owns_something
    {
        appliers.push(role);
    }
    appliers
}

/// TypeORM's second table, which it creates for views and generated columns; recognized by its columns.
fn metadata_tables(snapshot: &Snapshot) -> Vec<(String, String)> {
    const NAME: &str = "typeorm_metadata";
    const COLUMNS: [&str; 6] = ["type", "database", "schema", "table", "name", "value"];
    snapshot
        .tables()
        .filter_map(|table| table.schema.as_deref())
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .filter(|schema| {
            let columns: Vec<&str> = snapshot
                .columns_of(schema, NAME)
                .map(|(name, _)| name)
                .collect();
            columns == COLUMNS
        })
        .map(|schema| (schema.to_owned(), NAME.to_owned()))
        .collect()
}
