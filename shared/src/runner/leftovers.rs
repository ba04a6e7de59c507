//! What the catalog says of a statement that an earlier attempt may have run, finished or left half-done.

use std::time::Duration;

use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error};

use crate::postgres::ProgressState;
use crate::sql::{Name, ReindexTarget, StatementKind};

const PAUSE: Duration = Duration::from_millis(200);

/// What to do with a statement.
#[derive(Debug)]
pub(super) enum Finding {
    /// It is done; why we know.
    Done(String),
    /// It is half-done, and this statement finishes it.
    FinishWith(String),
    /// Run it, after these statements.
    Run {
        first: Vec<String>,
        /// What to note with the intent.
        note: Option<String>,
        /// Whether an intent is worth recording: not when the catalog already shows the result, which this file then
        /// did not bring about.
        intent: bool,
    },
}

impl Finding {
    fn run() -> Self {
        Self::Run {
            first: Vec::new(),
            note: None,
            intent: true,
        }
    }
}

/// Looks a statement up. `state` is what an earlier attempt recorded of it.
pub(super) async fn look(
    client: &Client,
    kind: &StatementKind,
    state: Option<&ProgressState>,
) -> Result<Finding, Error> {
    let intended = matches!(state, Some(ProgressState::Intent { .. }));
    match kind {
        StatementKind::CreateIndexConcurrently { index, table, .. } => {
            created_index(client, index.as_ref(), table, state).await
        }
        StatementKind::DropIndexConcurrently { indexes, .. } if intended => {
            dropped_index(client, indexes).await
        }
        StatementKind::ReindexConcurrently { target } => reindexed(client, target, intended).await,
        StatementKind::DetachPartitionConcurrently {
            table, partition, ..
        } if intended => detached(client, table, partition).await,
        _ => Ok(Finding::run()),
    }
}

/// Whether a statement of which the server said that it failed has nevertheless left something half-done: an INVALID
/// index, the copy of an index, a partition that is neither attached nor detached. `note` is what was noted before it.
pub(super) async fn leaves_traces(
    client: &Client,
    kind: &StatementKind,
    note: Option<&str>,
) -> Result<bool, Error> {
    let state = ProgressState::Intent {
        note: note.map(str::to_owned),
    };
    match kind {
        StatementKind::CreateIndexConcurrently { .. }
        | StatementKind::ReindexConcurrently { .. }
        | StatementKind::DetachPartitionConcurrently { .. } => {
            let finding = look(client, kind, Some(&state)).await?;
            Ok(match finding {
                Finding::Run { first, .. } => !first.is_empty(),
                Finding::FinishWith(_) => true,
                Finding::Done(_) => false,
            })
        }
        // It marks the index INVALID before it waits; dropping again finishes it.
        StatementKind::DropIndexConcurrently { indexes, .. } => any_invalid(client, indexes).await,
        _ => Ok(false),
    }
}

async fn any_invalid(client: &Client, indexes: &[Name]) -> Result<bool, Error> {
    for index in indexes {
        let rows = client
            .query_typed(
                "SELECT EXISTS (SELECT FROM pg_catalog.pg_index \
                 WHERE indexrelid = pg_catalog.to_regclass($1) AND NOT indisvalid)",
                &[(&index.to_string(), Type::TEXT)],
            )
            .await?;
        if rows.first().is_some_and(|row| row.get(0)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// An index on a table, as the catalog has it.
struct Index {
    oid: u32,
    qualified: String,
    valid: bool,
}

async fn created_index(
    client: &Client,
    index: Option<&Name>,
    table: &Name,
    state: Option<&ProgressState>,
) -> Result<Finding, Error> {
    let before = match state {
        Some(ProgressState::Intent { note }) => Some(note.as_deref().unwrap_or_default()),
        _ => None,
    };
    let all = settled_indexes(client, table).await?;
    let ours: Vec<&Index> = match (index, before) {
        (Some(name), _) => {
            let named = named_index(client, table, name).await?;
            all.iter()
                .filter(|index| Some(index.oid) == named)
                .collect()
        }
        // The server chooses the name: what is there now and was not there before is this statement's.
        (None, Some(before)) => all
            .iter()
            .filter(|index| !before.split(',').any(|oid| oid == index.oid.to_string()))
            .collect(),
        (None, None) => Vec::new(),
    };
    // Where the server chose the name, a valid one beside an INVALID one is somebody else's.
    let finished = ours.iter().any(|index| index.valid) && ours.iter().all(|index| index.valid);
    if finished && before.is_some() {
        return Ok(Finding::Done(
            "the server had finished the index after the interrupted run was gone".to_owned(),
        ));
    }
    let oids: Vec<String> = all
        .iter()
        .filter(|index| index.valid)
        .map(|index| index.oid.to_string())
        .collect();
    Ok(Finding::Run {
        // Also over IF NOT EXISTS: it would take the INVALID index for a good one.
        first: ours
            .iter()
            .filter(|index| !index.valid)
            .map(|index| format!("DROP INDEX CONCURRENTLY {}", index.qualified))
            .collect(),
        note: Some(oids.join(",")),
        intent: !finished,
    })
}

/// The indexes of a table, once nobody else is building one of the invalid ones.
async fn settled_indexes(client: &Client, table: &Name) -> Result<Vec<Index>, Error> {
    loop {
        let rows = client
            .query_typed(
                "SELECT i.indexrelid, i.indexrelid::pg_catalog.regclass::text, i.indisvalid, \
                   EXISTS (SELECT FROM pg_catalog.pg_stat_progress_create_index p \
                     WHERE p.index_relid = i.indexrelid AND p.pid <> pg_catalog.pg_backend_pid()) \
                 FROM pg_catalog.pg_index i WHERE i.indrelid = pg_catalog.to_regclass($1)",
                &[(&table.to_string(), Type::TEXT)],
            )
            .await?;
        if !rows.iter().any(|row| row.get::<_, bool>(3)) {
            return Ok(rows
                .iter()
                .map(|row| Index {
                    oid: row.get(0),
                    qualified: row.get(1),
                    valid: row.get(2),
                })
                .collect());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The index of that name in the schema of the table.
async fn named_index(client: &Client, table: &Name, name: &Name) -> Result<Option<u32>, Error> {
    let rows = client
        .query_typed(
            "SELECT i.oid FROM pg_catalog.pg_class i JOIN pg_catalog.pg_class t ON t.relnamespace = i.relnamespace \
             WHERE t.oid = pg_catalog.to_regclass($1) AND i.relname = $2 AND i.relkind IN ('i', 'I')",
            &[(&table.to_string(), Type::TEXT), (&name.name, Type::TEXT)],
        )
        .await?;
    Ok(rows.first().map(|row| row.get(0)))
}

async fn dropped_index(client: &Client, indexes: &[Name]) -> Result<Finding, Error> {
    for index in indexes {
        if exists(client, index).await? {
            return Ok(Finding::run());
        }
    }
    Ok(Finding::Done(
        "the server had dropped the index after the interrupted run was gone".to_owned(),
    ))
}

async fn exists(client: &Client, name: &Name) -> Result<bool, Error> {
    let rows = client
        .query_typed(
            "SELECT pg_catalog.to_regclass($1) IS NOT NULL",
            &[(&name.to_string(), Type::TEXT)],
        )
        .await?;
    Ok(rows.first().is_some_and(|row| row.get(0)))
}

/// `REINDEX CONCURRENTLY` builds `<index>_ccnew` and swaps; what an interrupted one leaves is dropped first.
async fn reindexed(
    client: &Client,
    target: &ReindexTarget,
    intended: bool,
) -> Result<Finding, Error> {
    let (ReindexTarget::Index(name) | ReindexTarget::Table(name)) = target else {
        return Ok(Finding::run());
    };
    if !intended {
        return Ok(Finding::run());
    }
    let rows = client
        .query_typed(
            "SELECT i.indexrelid::pg_catalog.regclass::text FROM pg_catalog.pg_index i \
               JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
             WHERE NOT i.indisvalid AND c.relname ~ '_cc(new|old)[0-9]*$' \
               AND i.indrelid = (SELECT COALESCE((SELECT x.indrelid FROM pg_catalog.pg_index x \
                 WHERE x.indexrelid = pg_catalog.to_regclass($1)), pg_catalog.to_regclass($1)::oid))",
            &[(&name.to_string(), Type::TEXT)],
        )
        .await?;
    Ok(Finding::Run {
        first: rows
            .iter()
            .map(|row| format!("DROP INDEX CONCURRENTLY {}", row.get::<_, &str>(0)))
            .collect(),
        note: None,
        intent: true,
    })
}

async fn detached(client: &Client, table: &Name, partition: &Name) -> Result<Finding, Error> {
    let rows = client
        .query_typed(
            "SELECT inhdetachpending FROM pg_catalog.pg_inherits \
             WHERE inhparent = pg_catalog.to_regclass($1) AND inhrelid = pg_catalog.to_regclass($2)",
            &[(&table.to_string(), Type::TEXT), (&partition.to_string(), Type::TEXT)],
        )
        .await?;
    Ok(match rows.first().map(|row| row.get::<_, bool>(0)) {
        None => Finding::Done(
            "the partition had been detached after the interrupted run was gone".to_owned(),
        ),
        Some(true) => Finding::FinishWith(format!(
            "ALTER TABLE {table} DETACH PARTITION {partition} FINALIZE"
        )),
        Some(false) => Finding::run(),
    })
}
