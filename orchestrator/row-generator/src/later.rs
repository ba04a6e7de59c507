//! Checks whether a revert that clears values filled by its migration also clears values written later.
//!
//! In a transaction that is rolled back, writes a value other than the migration's to a row, as an application would, and runs the
//! revert. If that is not possible, it draws no conclusion.

use pg_session::Client;
use pg_sql::{quote_identifier, quote_literal};
use tokio_postgres::SimpleQueryMessage;

use super::RowsError;
use super::digest::Digests;
use super::fill::prepare;
use super::insert::attempt;
use super::losses::{Cleared, Culprit, Loss, LossKind, cleared};
use super::tables::read_tables;
use super::types::Typed;
use super::values::Want;

/// How many values are tried.
const VALUES: usize = 6;

/// The values that a revert would lose although its migration did not write them. The database must be as the migration leaves it,
/// and is unchanged afterwards. `revert` is the text of a transactional file.
pub async fn later_losses(
    client: &Client,
    before: &Digests,
    after_up: &Digests,
    after_down: &Digests,
    revert: &str,
) -> Result<Vec<Loss>, RowsError> {
    let mut losses = Vec::new();
    for cleared in cleared(before, after_up, after_down) {
        client.batch_execute("BEGIN").await?;
        let loses = loses(client, &cleared, revert).await;
        // A rollback does not undo these.
        let end = "ROLLBACK; SELECT pg_catalog.pg_advisory_unlock_all(); DEALLOCATE ALL";
        client.batch_execute(end).await?;
        if loses? {
            losses.push(Loss {
                table: cleared.table.shown.clone(),
                kind: LossKind::WrittenLater {
                    column: cleared.names[1].1.to_owned(),
                },
                culprit: Culprit::Revert,
            });
        }
    }
    Ok(losses)
}

async fn loses(client: &Client, cleared: &Cleared<'_>, revert: &str) -> Result<bool, RowsError> {
    prepare(client).await?;
    if !write(client, cleared).await? {
        return Ok(false);
    }
    client
        .batch_execute("SET LOCAL session_replication_role = DEFAULT")
        .await?;
    let ((schema, table), column) = cleared.names[1];
    let count = format!(
        "SELECT pg_catalog.count({}) FROM {}.{}",
        quote_identifier(column),
        quote_identifier(schema),
        quote_identifier(table)
    );
    let left = attempt(client, async {
        client.batch_execute(revert).await?;
        let messages = client.simple_query(&count).await?;
        Ok(messages.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0)?.parse::<usize>().ok(),
            _ => None,
        }))
    });
    // One more row has a value, unless the revert cleared it.
    Ok(matches!(left.await?, Ok(Some(left)) if left <= cleared.left))
}

/// Writes a different value to one row that the migration filled.
async fn write(client: &Client, cleared: &Cleared<'_>) -> Result<bool, RowsError> {
    let (tables, types) = read_tables(client, &[cleared.table.oid]).await?;
    let ((schema, table), name) = cleared.names[0];
    let found = tables.first().and_then(|table| {
        let mut columns = table.columns.iter();
        columns.find(|column| column.name == name)
    });
    let Some(column) = found.filter(|column| !column.generated) else {
        return Ok(false);
    };
    let (table, name) = (
        format!("{}.{}", quote_identifier(schema), quote_identifier(table)),
        quote_identifier(name),
    );
    let typed = Typed {
        oid: column.type_oid,
        typmod: column.typmod,
    };
    for ordinal in 0..VALUES {
        let value = types.value(Want {
            typed,
            column: &column.name,
            ordinal,
            demanding: false,
        });
        let Some(value) = value.filter(|value| value != cleared.written) else {
            continue;
        };
        let sql = format!(
            "UPDATE {table} SET {name} = {value} WHERE (tableoid, ctid) = (SELECT tableoid, ctid FROM {table} \
                WHERE {name}::pg_catalog.text = {written} LIMIT 1) AND {name} <> {value}",
            value = quote_literal(&value),
            written = quote_literal(cleared.written),
        );
        let written = attempt(client, async { Ok(client.simple_query(&sql).await?) }).await?;
        let is_one = |message: &SimpleQueryMessage| {
            matches!(message, SimpleQueryMessage::CommandComplete(1))
        };
        if written.is_ok_and(|messages| messages.iter().any(is_one)) {
            return Ok(true);
        }
    }
    Ok(false)
}
