//! Updates generated rows to satisfy a check that was added NOT VALID afterwards: a migration that validates it later must not fail.
//!
//! Does not change rows that the migrations wrote.

use pg_sql::{quote_identifier, quote_literal};
use std::collections::BTreeSet;

use pg_session::Client;
use serde::Deserialize;

use super::RowsError;
use super::insert::attempt;
use super::search::groups;
use super::tables::{read_rows, read_tables};

#[derive(Deserialize)]
struct Found {
    oid: u32,
}

/// The tables among these that have a check which is not validated.
pub(super) async fn unchecked_tables(
    client: &Client,
    tables: &BTreeSet<u32>,
) -> Result<Vec<u32>, RowsError> {
    if tables.is_empty() {
        return Ok(Vec::new());
    }
    let oids: Vec<String> = tables.iter().map(u32::to_string).collect();
    let sql = format!(
        "SELECT DISTINCT k.conrelid::int8 AS oid FROM pg_constraint AS k
        WHERE k.contype = 'c' AND NOT k.convalidated AND k.conrelid = ANY ('{{{}}}'::oid[])",
        oids.join(",")
    );
    let found: Vec<Found> = read_rows(client, &sql).await?;
    Ok(found.into_iter().map(|found| found.oid).collect())
}

/// Updates the rows that violate a check of their table, in the open transaction. Rows for which no value is found are unchanged.
pub(super) async fn fulfil(client: &Client, oids: &[u32]) -> Result<(), RowsError> {
    let (tables, types) = read_tables(client, oids).await?;
    for table in &tables {
        let checks: Vec<String> = table
            .checks
            .iter()
            .map(|check| format!("({}) IS NOT FALSE", check.expression))
            .collect();
        for group in groups(client, &types, table, &|_| None).await? {
            let Some(choice) = group.full.first() else {
                continue;
            };
            let assignments: Vec<String> = group
                .columns
                .iter()
                .zip(choice)
                .map(|(index, value)| {
                    let value = value
                        .as_ref()
                        .map_or_else(|| "NULL".to_owned(), |value| quote_literal(value));
                    format!(
                        "{} = {value}",
                        quote_identifier(&table.columns[*index].name)
                    )
                })
                .collect();
            let sql = format!(
                "UPDATE {} SET {} WHERE NOT ({}){}",
                table.sql(),
                assignments.join(", "),
                checks.join(" AND "),
                table.deferred_checks()
            );
            let _refused = attempt(client, async { Ok(client.batch_execute(&sql).await?) }).await?;
        }
    }
    Ok(())
}
