//! The schema that migrations produce on an empty database.

use catalog::Snapshot;
use engine::inspect::ServiceError;
use store::DEFAULT_HISTORY_TABLE;

use scratch::{Replay, ScratchError};

/// The schema of the engine's own tables.
const BOOKKEEPING: &str = "orchestrator";

/// The engine's own tables. Any other object in the schema is drift.
const TABLES: [&str; 4] = ["journal", "progress", "compensation", "releases"];

/// The current schema of a scratch database. `history_tables` are those of all services that were replayed there.
pub async fn read_replayed(
    replay: &Replay<'_>,
    history_tables: &[&str],
) -> Result<Snapshot, ScratchError> {
    let session = replay
        .connections()
        .session(replay.database(), DEFAULT_HISTORY_TABLE)
        .await
        .map_err(ServiceError::from)?;
    let client = session.client();
    let snapshot = client
        .lend(async |client| catalog::read(client).await)
        .await
        .map_err(|source| ServiceError::query(replay.database(), source))?;
    let snapshot = without_bookkeeping(snapshot, history_tables);
    let owner = replay.database().user().to_owned();
    Ok(snapshot.with_home_roles(&[&owner]))
}

/// A schema without the engine's own tables.
pub fn without_bookkeeping(snapshot: Snapshot, history_tables: &[&str]) -> Snapshot {
    let mut snapshot = snapshot.without_schema_itself(BOOKKEEPING);
    for table in TABLES {
        snapshot = snapshot.without_table(BOOKKEEPING, table);
    }
    for history_table in history_tables {
        let table = history_table
            .split_once('.')
            .map_or(*history_table, |(_, table)| table);
        let schemas: Vec<String> = snapshot
            .tables()
            .filter_map(|object| object.schema.clone())
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .filter(|schema| {
                let mut columns: Vec<&str> = snapshot
                    .columns_of(schema, table)
                    .map(|(name, _)| name)
                    .collect();
                columns.sort_unstable();
                columns == ["applied_on", "checksum", "name", "version"]
            })
            .collect();
        for schema in schemas {
            snapshot = snapshot.without_table(&schema, table);
        }
    }
    snapshot
}
