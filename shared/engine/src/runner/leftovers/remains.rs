//! Describes what an interrupted statement has left.

use tokio_postgres::Error;
use tokio_postgres::types::Type;

use super::before::Before;
use super::reindex::COPIES;
use domain::{Direction, ServiceName, Version};
use pg_session::Client;
use store::read_progress;

/// What a statement has left, given its `before`, each with what the next run does about it.
///
/// Uses only oids, so that it works in any session, whatever its `search_path`.
pub(in crate::runner) async fn remains(
    client: &Client,
    before: &Before,
) -> Result<Vec<String>, Error> {
    match before {
        Before::CreateIndex {
            table,
            name,
            others,
        } => {
            let rows = client
                .query_typed(
                    "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) \
                     FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
                       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                     WHERE i.indrelid = $1 AND NOT i.indisvalid AND c.relkind = 'i' AND c.oid <> ALL ($2) \
                       AND ($3 IS NULL OR c.relname = $3) ORDER BY 1",
                    &[
                        (table, Type::OID),
                        (others, Type::OID_ARRAY),
                        (name, Type::TEXT),
                    ],
                )
                .await?;
            Ok(each(&rows, |index| {
                format!(
                    "the INVALID index {index}, which the next run drops and rebuilds if it is what the statement builds"
                )
            }))
        }
        Before::DropIndex { indexes } => {
            let rows = client
                .query_typed(
                    "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) \
                     FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
                       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                     WHERE i.indexrelid = ANY ($1) AND NOT i.indisvalid ORDER BY 1",
                    &[(indexes, Type::OID_ARRAY)],
                )
                .await?;
            Ok(each(&rows, |index| {
                format!("the INVALID index {index}, which the next run drops")
            }))
        }
        Before::Reindex { scope, copies } => {
            let (kind, oid) = scope.parameters();
            let rows = client
                .query_typed(
                    &format!("SELECT format FROM ({COPIES}) copies"),
                    &[
                        (&kind, Type::TEXT),
                        (&oid, Type::OID),
                        (copies, Type::OID_ARRAY),
                    ],
                )
                .await?;
            Ok(each(&rows, |index| {
                format!("the INVALID index {index}, a copy that the next run drops")
            }))
        }
        Before::Detach { table, partition } => {
            let rows = client
                .query_typed(
                    "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) \
                     FROM pg_catalog.pg_inherits JOIN pg_catalog.pg_class c ON c.oid = inhrelid \
                       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                     WHERE inhparent = $1 AND inhrelid = $2 AND inhdetachpending",
                    &[(table, Type::OID), (partition, Type::OID)],
                )
                .await?;
            Ok(each(&rows, |partition| {
                format!("the half-detached partition {partition}, which the next run detaches")
            }))
        }
        Before::Untraceable { text, failed: true } => Ok(vec![format!(
            "what `{text}` committed before it failed; the next run runs it from its start"
        )]),
        Before::Untraceable {
            text,
            failed: false,
        } => Ok(vec![format!(
            "`{text}`: it is unknown whether it finished; the next run asks"
        )]),
        Before::Object { .. } | Before::Repeatable => Ok(Vec::new()),
    }
}

/// What an interrupted file has left: whether any of it is recorded, and what is half-done.
pub async fn left_behind(
    client: &Client,
    service: &ServiceName,
    version: Version,
    direction: Direction,
) -> Result<(bool, Vec<String>), Error> {
    let recorded = read_progress(client, service, version, direction).await?;
    let mut left = Vec::new();
    for (_, state) in &recorded {
        if let Some(before) = Before::of(Some(state)) {
            left.extend(remains(client, &before).await?);
        }
    }
    Ok((!recorded.is_empty(), left))
}

fn each(rows: &[tokio_postgres::Row], sentence: impl Fn(&str) -> String) -> Vec<String> {
    rows.iter().map(|row| sentence(row.get(0))).collect()
}
