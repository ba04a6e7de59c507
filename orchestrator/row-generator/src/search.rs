//! Finds values that satisfy check constraints, by asking the server.
//!
//! Groups the columns that checks connect, and finds the combinations of candidates that every check of a group
//! accepts.

use pg_sql::{quote_identifier, quote_literal};
use std::collections::BTreeSet;

use pg_session::Client;
use serde::Deserialize;

use super::RowsError;
use super::candidates::Mentioned;
use super::insert::attempt;
use super::tables::{Table, read_rows};
use super::types::{Typed, Types};

/// The maximum number of combinations to try.
const COMBINATIONS: f64 = 20_000.0;
/// How many matching combinations are enough.
const ENOUGH: usize = 30;
/// Texts that an extension type may accept.
const PROBES: [&str; 14] = [
    "1",
    "2",
    "3",
    "a",
    "b",
    "c",
    "{}",
    "{1}",
    "[1,2,3]",
    "(1,2)",
    "POINT(1 2)",
    "",
    "0",
    "1-1",
];

/// Columns that checks connect, and their possible values.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    /// The columns, by index.
    pub columns: Vec<usize>,
    /// Combinations for a full row, by column, best first.
    pub full: Vec<Vec<Option<String>>>,
    /// Combinations for a row with as many NULLs as allowed.
    pub sparse: Vec<Vec<Option<String>>>,
    /// Whether it is one column with a list of allowed values.
    pub listed: bool,
}

/// The groups of a table's columns. `given` are the values that a foreign key allows for a column, by index.
pub(super) async fn groups(
    client: &Client,
    types: &Types,
    table: &Table,
    given: &dyn Fn(usize) -> Option<Vec<Option<String>>>,
) -> Result<Vec<Group>, RowsError> {
    let mut groups = Vec::new();
    for (columns, checks) in tied(table) {
        groups.push(search(client, types, table, columns, &checks, given).await?);
    }
    Ok(groups)
}

/// Connected columns, with their checks.
fn tied(table: &Table) -> Vec<(Vec<usize>, Vec<&str>)> {
    let mut groups: Vec<(BTreeSet<usize>, Vec<&str>)> = Vec::new();
    for check in &table.checks {
        let mut columns: BTreeSet<usize> = check
            .columns
            .iter()
            .filter_map(|number| table.position(*number))
            .collect();
        if columns.is_empty()
            || columns
                .iter()
                .any(|column| table.columns[*column].generated)
        {
            continue;
        }
        let mut checks = vec![check.expression.as_str()];
        let (touched, rest) = groups
            .into_iter()
            .partition::<Vec<_>, _>(|(others, _)| !others.is_disjoint(&columns));
        groups = rest;
        for (others, theirs) in touched {
            columns.extend(others);
            checks.splice(0..0, theirs);
        }
        groups.push((columns, checks));
    }
    groups
        .into_iter()
        .map(|(columns, checks)| (columns.into_iter().collect(), checks))
        .collect()
}

async fn search(
    client: &Client,
    types: &Types,
    table: &Table,
    columns: Vec<usize>,
    checks: &[&str],
    given: &dyn Fn(usize) -> Option<Vec<Option<String>>>,
) -> Result<Group, RowsError> {
    let mentioned = Mentioned::of(checks.iter().copied());
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "a small positive number"
    )]
    let room = (COMBINATIONS.powf(1.0 / columns.len() as f64) as usize).max(3);
    let mut lists: Vec<Vec<Option<String>>> = Vec::new();
    for index in &columns {
        let column = &table.columns[*index];
        let typed = Typed {
            oid: column.type_oid,
            typmod: column.typmod,
        };
        let mut list = given(*index).unwrap_or_else(|| {
            types
                .candidates(typed, &column.name, &mentioned)
                .into_iter()
                .map(Some)
                .collect()
        });
        list.truncate(room - 1);
        if !column.required && !types.refuses_null(column.type_oid) && !list.contains(&None) {
            list.push(None);
        }
        lists.push(list);
    }
    let usual = lists.first().map_or(0, |list| list.len().min(4));
    let first = combinations(client, types, table, &columns, &lists, checks, false).await?;
    let found = match first {
        Some(found) => found,
        // One value that is invalid for its type fails the whole query.
        None => {
            for (index, list) in columns.iter().zip(&mut lists) {
                let spelled = spelled(types, table, *index);
                *list = of_type(client, std::mem::take(list), &spelled).await?;
            }
            combinations(client, types, table, &columns, &lists, checks, false)
                .await?
                .unwrap_or_default()
        }
    };
    let listed = columns.len() == 1
        && found
            .iter()
            .all(|places| places[0] >= usual || lists[0][places[0]].is_none())
        && found.iter().any(|places| {
            lists[0][places[0]]
                .as_ref()
                .is_some_and(|value| mentioned.texts.contains(value))
        });
    for list in &mut lists {
        if list.last() == Some(&None) {
            list.rotate_right(1);
        }
    }
    let sparse = combinations(client, types, table, &columns, &lists, checks, true)
        .await?
        .unwrap_or_default();
    let value_of = |lists: &[Vec<Option<String>>], places: Vec<usize>| -> Vec<Option<String>> {
        places
            .into_iter()
            .zip(lists)
            .map(|(place, list)| list[place].clone())
            .collect()
    };
    let sparse = sparse
        .into_iter()
        .map(|places| value_of(&lists, places))
        .collect();
    for list in &mut lists {
        if list.first() == Some(&None) {
            list.rotate_left(1);
        }
    }
    let full = found
        .into_iter()
        .map(|places| value_of(&lists, places))
        .collect();
    Ok(Group {
        columns,
        full,
        sparse,
        listed,
    })
}

#[derive(Deserialize)]
struct Combination {
    places: Vec<usize>,
}

/// The combinations that the checks accept, as indices into the value lists; `None` if the query fails.
async fn combinations(
    client: &Client,
    types: &Types,
    table: &Table,
    columns: &[usize],
    lists: &[Vec<Option<String>>],
    checks: &[&str],
    nulls_first: bool,
) -> Result<Option<Vec<Vec<usize>>>, RowsError> {
    let mut from = Vec::new();
    let mut places = Vec::new();
    for (index, list) in columns.iter().zip(lists) {
        let column = &table.columns[*index];
        let spelled = spelled(types, table, *index);
        let values: Vec<String> = list
            .iter()
            .enumerate()
            .map(|(place, value)| {
                let value = value
                    .as_ref()
                    .map_or_else(|| "NULL".to_owned(), |value| quote_literal(value));
                format!("({place}, {value}::{spelled})")
            })
            .collect();
        if values.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let place = quote_identifier(&format!("place of {}", column.name));
        from.push(format!(
            "(VALUES {}) AS {} ({place}, {})",
            values.join(", "),
            quote_identifier(&format!("values of {}", column.name)),
            quote_identifier(&column.name)
        ));
        places.push(place);
    }
    let conditions: Vec<String> = checks
        .iter()
        .map(|check| format!("({check}) IS NOT FALSE"))
        .collect();
    let not_null = if nulls_first {
        String::new()
    } else {
        // In a full row, values come before NULL.
        let names: Vec<String> = columns
            .iter()
            .map(|index| quote_identifier(&table.columns[*index].name))
            .collect();
        format!("num_nulls({}), ", names.join(", "))
    };
    let sql = format!(
        "SELECT ARRAY[{}] AS places FROM {} WHERE {} ORDER BY {not_null}{} LIMIT {ENOUGH}",
        places.join(", "),
        from.join(" CROSS JOIN "),
        conditions.join(" AND "),
        places.join(" + "),
    );
    let found = attempt(client, read_rows::<Combination>(client, &sql)).await?;
    Ok(found
        .ok()
        .map(|found| found.into_iter().map(|one| one.places).collect()))
}

/// The type of a column without a domain's checks.
fn spelled(types: &Types, table: &Table, index: usize) -> String {
    let column = &table.columns[index];
    let base = types.base(Typed {
        oid: column.type_oid,
        typmod: column.typmod,
    });
    match types.get(base.oid) {
        Some(found) if base.oid != column.type_oid => found.spelled.clone(),
        _ => column.spelled.clone(),
    }
}

/// The values that a type accepts.
async fn of_type(
    client: &Client,
    list: Vec<Option<String>>,
    spelled: &str,
) -> Result<Vec<Option<String>>, RowsError> {
    let mut kept = Vec::new();
    for value in list {
        let takes = match &value {
            Some(text) => {
                let sql = format!("SELECT {}::{spelled}", quote_literal(text));
                attempt(client, async { Ok(client.simple_query(&sql).await?) })
                    .await?
                    .is_ok()
            }
            None => true,
        };
        if takes {
            kept.push(value);
        }
    }
    Ok(kept)
}

/// Finds values for types without known values: domains with checks, and extension types.
pub(super) async fn learn_types(client: &Client, types: &mut Types) -> Result<(), RowsError> {
    let foreign: Vec<(u32, String)> = types
        .all()
        .filter(|found| found.kind == 'b' && !found.array && !has_value(types, found.oid))
        .map(|found| (found.oid, found.spelled.clone()))
        .collect();
    for (oid, spelled) in foreign {
        let mut values = Vec::new();
        for probe in PROBES {
            let sql = format!("SELECT {}::{spelled}", quote_literal(probe));
            if attempt(client, async { Ok(client.simple_query(&sql).await?) })
                .await?
                .is_ok()
            {
                values.push(probe.to_owned());
            }
        }
        types.learn(oid, values);
    }
    // A domain over another domain must also satisfy its checks: all are queried together.
    let domains: Vec<u32> = types
        .all()
        .filter(|found| found.kind == 'd')
        .map(|found| found.oid)
        .collect();
    for oid in domains {
        let checks: Vec<String> = types
            .checks(oid)
            .into_iter()
            .map(with_value_as_column)
            .collect();
        if checks.is_empty() {
            continue;
        }
        let base = types.base(Typed { oid, typmod: -1 });
        let spelled = types
            .get(base.oid)
            .map_or_else(|| "text".to_owned(), |found| found.spelled.clone());
        let mentioned = Mentioned::of(checks.iter().map(String::as_str));
        let candidates: Vec<Option<String>> = types
            .candidates(base, "", &mentioned)
            .into_iter()
            .map(Some)
            .collect();
        let values = match accepted(client, &candidates, &spelled, &checks).await? {
            Some(values) => values,
            None => {
                let candidates = of_type(client, candidates, &spelled).await?;
                accepted(client, &candidates, &spelled, &checks)
                    .await?
                    .unwrap_or_default()
            }
        };
        types.learn(oid, values);
    }
    Ok(())
}

/// The values that all checks of a domain accept; `None` if the query fails.
async fn accepted(
    client: &Client,
    candidates: &[Option<String>],
    spelled: &str,
    checks: &[String],
) -> Result<Option<Vec<String>>, RowsError> {
    let values: Vec<String> = candidates
        .iter()
        .flatten()
        .enumerate()
        .map(|(place, value)| format!("({place}, {}::{spelled})", quote_literal(value)))
        .collect();
    if values.is_empty() {
        return Ok(Some(Vec::new()));
    }
    let conditions: Vec<String> = checks
        .iter()
        .map(|check| format!("({check}) IS NOT FALSE"))
        .collect();
    let sql = format!(
        "SELECT ARRAY[place] AS places FROM (VALUES {}) AS v (place, value) WHERE {} ORDER BY place LIMIT {ENOUGH}",
        values.join(", "),
        conditions.join(" AND ")
    );
    let found = attempt(client, read_rows::<Combination>(client, &sql)).await?;
    Ok(found.ok().map(|found| {
        found
            .into_iter()
            .filter_map(|one| candidates[one.places[0]].clone())
            .collect()
    }))
}

fn has_value(types: &Types, oid: u32) -> bool {
    types
        .value(super::values::Want {
            typed: Typed { oid, typmod: -1 },
            column: "",
            ordinal: 0,
            demanding: false,
        })
        .is_some()
}

/// A domain's check about a column `value`. The server spells `VALUE` in capitals; a column of that name is spelled in quotes.
fn with_value_as_column(check: &str) -> String {
    let mut sql = String::with_capacity(check.len());
    for (place, part) in check.split('\'').enumerate() {
        if place > 0 {
            sql.push('\'');
        }
        // Every second part is a quoted text.
        if place.is_multiple_of(2) {
            sql.push_str(&part.replace("VALUE", "v.value"));
        } else {
            sql.push_str(part);
        }
    }
    sql
}
