//! Generates and inserts the rows of one table.
//!
//! Chooses a value for every column, and tries others when the server rejects a row.

use domain::ServerError;
use pg_sql::{quote_identifier, quote_literal};
use std::collections::BTreeSet;

use pg_session::Client;
use tokio_postgres::error::SqlState;

use super::RowsError;
use super::search::Group;
use super::tables::Table;
use super::types::{Typed, Types};
use super::values::Want;

/// The minimum number of rows for a table.
const ROWS: usize = 3;
/// The maximum number of rows: enough for each label of an ordinary enum.
const MOST_ROWS: usize = 24;
/// How many variants of one row are tried.
const TRIES: usize = 40;
/// The index of the row with as many NULLs as allowed.
const SPARSE: usize = 1;
/// The first explicit number for a column with a sequence: far from the values of the sequence.
const OWN_NUMBERS: usize = 1_000_001;

/// Restores the settings of an application's session in the open transaction: triggers and defaults may rely on the settings of
/// the database.
pub const AS_APPLICATION: &str = "SET LOCAL search_path TO DEFAULT";

/// Runs a statement as an application would, in the open transaction; rolls it back if the server rejects it.
pub async fn attempt<T>(
    client: &Client,
    work: impl Future<Output = Result<T, RowsError>>,
) -> Result<Result<T, ServerError>, RowsError> {
    let savepoint = format!("SAVEPOINT attempt; {AS_APPLICATION}");
    client.batch_execute(&savepoint).await?;
    match work.await {
        Ok(value) => {
            client
                .batch_execute(
                    "RELEASE SAVEPOINT attempt; SET LOCAL search_path = pg_catalog, pg_temp",
                )
                .await?;
            Ok(Ok(value))
        }
        Err(RowsError::Query(error)) => {
            client
                .batch_execute("ROLLBACK TO SAVEPOINT attempt; RELEASE SAVEPOINT attempt")
                .await?;
            Ok(Err(*error))
        }
        Err(error) => Err(error),
    }
}

/// The values that a foreign key allows for its columns: the keys of the parent, by row.
#[derive(Clone, Debug, Default)]
pub(super) struct Reference {
    /// The columns, by index.
    pub columns: Vec<usize>,
    /// The rows of the parent.
    pub keys: Vec<Vec<String>>,
    /// Whether a row references the parent row that will have the same index: the parent has no rows yet.
    pub predicted: bool,
}

/// Everything from which the rows of a table are generated.
pub(super) struct Recipe<'a> {
    pub types: &'a Types,
    pub table: &'a Table,
    pub groups: Vec<Group>,
    pub references: Vec<Reference>,
    /// Columns with a sequence or identity that get explicit numbers, by index: they are referenced before they exist.
    pub own_numbers: BTreeSet<usize>,
}

/// How completely a row is filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fullness {
    /// With long texts and many digits.
    Demanding,
    Full,
    /// Only required values.
    Least,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Default,
    Null,
    Text(String),
}

/// The state of one row while variants are tried.
struct Draft {
    row: usize,
    fullness: Fullness,
    /// The index of the current value of each column.
    moved: Vec<usize>,
    /// Columns that turned out to require a value.
    required: BTreeSet<usize>,
}

/// The reason why a table got no rows.
pub(super) type Why = String;

/// The explicit number for a column with a sequence.
pub(super) fn own_number(types: &Types, oid: u32, ordinal: usize) -> String {
    match types.get(oid).map(|found| found.name.as_str()) {
        Some("int2") => (30_001 + ordinal).to_string(),
        _ => (OWN_NUMBERS + ordinal).to_string(),
    }
}

impl Recipe<'_> {
    /// Generates and inserts the rows; returns their number.
    pub async fn insert(&self, client: &Client) -> Result<Result<u64, Why>, RowsError> {
        let count = self.count();
        let drafts: Vec<Draft> = (0..count).map(|row| self.draft(row)).collect();
        let rows = match drafts
            .iter()
            .map(|draft| self.row(draft))
            .collect::<Result<Vec<_>, Why>>()
        {
            Ok(rows) => rows,
            Err(why) => return Ok(Err(why)),
        };
        let sql = self.statement(&rows);
        if run(client, &sql).await?.is_ok() {
            return Ok(Ok(count as u64));
        }
        let mut made = 0;
        let mut first_why = None;
        for draft in drafts {
            match self.insert_one(client, draft).await? {
                Ok(()) => made += 1,
                Err(why) => first_why = first_why.or(Some(why)),
            }
        }
        Ok(match first_why {
            Some(why) if made == 0 => Err(why),
            _ => Ok(made),
        })
    }

    /// Enough rows for every label of its enums and every value of its lists.
    fn count(&self) -> usize {
        let labels = self
            .table
            .columns
            .iter()
            .map(|column| self.types.labels(column.type_oid).len());
        let listed = self
            .groups
            .iter()
            .filter(|group| group.listed)
            .map(|group| group.full.len());
        let most = labels.chain(listed).max().unwrap_or_default();
        (most + 1).clamp(ROWS, MOST_ROWS)
    }

    fn draft(&self, row: usize) -> Draft {
        Draft {
            row,
            fullness: if row == 2 {
                Fullness::Demanding
            } else {
                Fullness::Full
            },
            moved: vec![0; self.table.columns.len()],
            required: BTreeSet::new(),
        }
    }

    async fn insert_one(
        &self,
        client: &Client,
        mut draft: Draft,
    ) -> Result<Result<(), Why>, RowsError> {
        let mut why = String::new();
        for _ in 0..TRIES {
            let row = match self.row(&draft) {
                Ok(row) => row,
                Err(why) => return Ok(Err(why)),
            };
            let Err(error) = run(client, &self.statement(&[row])).await? else {
                return Ok(Ok(()));
            };
            why = self.reason(&error);
            if !self.next_variant(&mut draft, &error) {
                break;
            }
        }
        Ok(Err(why))
    }

    fn reason(&self, error: &ServerError) -> Why {
        match error.constraint.as_deref() {
            Some(constraint) => format!(
                "constraint {}: {}",
                quote_identifier(constraint),
                error.message
            ),
            None => format!("{} ({})", error.message, error.sqlstate),
        }
    }

    /// Changes a row that the server rejected. Returns false if there is nothing left to try.
    fn next_variant(&self, draft: &mut Draft, error: &ServerError) -> bool {
        if error.code() == SqlState::NOT_NULL_VIOLATION
            && let Some(column) = error.column.as_deref()
            && let Some(index) = self.index(column)
            && draft.required.insert(index)
        {
            return true;
        }
        let to_move = self.blamed(error);
        if !to_move.is_empty() {
            let tries = draft.moved.iter().copied().max().unwrap_or_default() + 1;
            for (place, index) in to_move.into_iter().enumerate() {
                // Columns advance at different speeds, so that all combinations occur.
                draft.moved[index] = tries / (place + 1) + if place == 0 { 0 } else { tries % 2 };
            }
            return true;
        }
        draft.fullness = match draft.fullness {
            Fullness::Demanding => Fullness::Full,
            Fullness::Full => Fullness::Least,
            Fullness::Least => return false,
        };
        true
    }

    /// The columns that an error is about.
    fn blamed(&self, error: &ServerError) -> Vec<usize> {
        let Some(name) = error.constraint.as_deref() else {
            return Vec::new();
        };
        let checks = self
            .table
            .checks
            .iter()
            .map(|check| (&check.name, &check.columns));
        let uniques = self
            .table
            .uniques
            .iter()
            .map(|unique| (&unique.name, &unique.columns));
        let named = checks
            .chain(uniques)
            .find(|(known, _)| *known == name)
            .map(|(_, columns)| columns.clone());
        // The error may name the index of a partition: then all unique columns advance.
        let columns = named.unwrap_or_else(|| {
            self.table
                .uniques
                .iter()
                .flat_map(|unique| unique.columns.clone())
                .collect()
        });
        let indexes: BTreeSet<usize> = columns
            .into_iter()
            .filter_map(|number| self.table.position(number))
            .filter(|index| !self.table.columns[*index].generated)
            .collect();
        // Key columns come last, since other tables reference them.
        let mut indexes: Vec<usize> = indexes.into_iter().collect();
        indexes.reverse();
        indexes
    }

    /// Whether a column is part of the key: referenced values must stay as predicted.
    fn is_key(&self, number: i16) -> bool {
        self.table
            .uniques
            .iter()
            .any(|unique| unique.columns.contains(&number))
    }

    fn index(&self, column: &str) -> Option<usize> {
        self.table
            .columns
            .iter()
            .position(|known| known.name == column)
    }

    fn row(&self, draft: &Draft) -> Result<Vec<Value>, Why> {
        let columns = &self.table.columns;
        let sparse = draft.row == SPARSE;
        // The sparse row uses the last ordinal, so that every label is used by another row.
        let ordinal = match draft.row {
            0 => 0,
            SPARSE => self.count() - 1,
            row => row - 1,
        };
        let mut values: Vec<Option<Value>> = vec![None; columns.len()];
        let may_be_null = |index: usize| {
            !columns[index].required
                && !self.types.refuses_null(columns[index].type_oid)
                && !draft.required.contains(&index)
        };
        for group in &self.groups {
            let (choices, from) = if sparse || draft.fullness == Fullness::Least {
                (&group.sparse, 0)
            } else {
                (&group.full, ordinal)
            };
            let moved = group
                .columns
                .iter()
                .map(|index| draft.moved[*index])
                .max()
                .unwrap_or_default();
            if let Some(choice) = choices.get((from + moved) % choices.len().max(1)) {
                for (index, value) in group.columns.iter().zip(choice) {
                    values[*index] = Some(value.clone().map_or(Value::Null, Value::Text));
                }
            }
        }
        for reference in &self.references {
            self.refer(reference, draft, ordinal, sparse, &may_be_null, &mut values)?;
        }
        for (index, column) in columns.iter().enumerate() {
            if values[index].is_some() {
                continue;
            }
            let has_default = column.default.is_some() || column.identity;
            let value = if column.generated {
                Value::Default
            } else if column.is_numbered() {
                if self.own_numbers.contains(&index) {
                    Value::Text(own_number(self.types, column.type_oid, ordinal))
                } else {
                    Value::Default
                }
            } else if may_be_null(index) && (sparse || draft.fullness == Fullness::Least) {
                Value::Null
            } else if draft.fullness == Fullness::Least && has_default {
                Value::Default
            } else {
                let made = self.types.value(Want {
                    typed: Typed {
                        oid: column.type_oid,
                        typmod: column.typmod,
                    },
                    column: &column.name,
                    ordinal: ordinal + draft.moved[index],
                    demanding: draft.fullness == Fullness::Demanding && !self.is_key(column.number),
                });
                match made {
                    Some(text) => Value::Text(text),
                    None if has_default => Value::Default,
                    None if may_be_null(index) => Value::Null,
                    None => {
                        return Err(format!(
                            "cannot generate a value of type {} for column {}",
                            column.spelled,
                            quote_identifier(&column.name)
                        ));
                    }
                }
            };
            values[index] = Some(value);
        }
        Ok(values.into_iter().flatten().collect())
    }

    /// Sets the columns of a foreign key to the key of a parent row.
    fn refer(
        &self,
        reference: &Reference,
        draft: &Draft,
        ordinal: usize,
        sparse: bool,
        may_be_null: &dyn Fn(usize) -> bool,
        values: &mut [Option<Value>],
    ) -> Result<(), Why> {
        let open: Vec<usize> = reference
            .columns
            .iter()
            .copied()
            .filter(|index| values[*index].is_none())
            .collect();
        if open.is_empty() {
            return Ok(());
        }
        let optional = reference.columns.iter().any(|index| may_be_null(*index));
        let empty = sparse || draft.fullness == Fullness::Least || reference.keys.is_empty();
        if optional && empty {
            for index in open {
                if may_be_null(index) {
                    values[index] = Some(Value::Null);
                }
            }
            return Ok(());
        }
        // The parent row must match the values already set by a check or another foreign key.
        let fits = |key: &&Vec<String>| {
            reference
                .columns
                .iter()
                .zip(key.iter())
                .all(|(index, part)| {
                    values[*index]
                        .as_ref()
                        .is_none_or(|value| *value == Value::Text(part.clone()))
                })
        };
        let fitting: Vec<&Vec<String>> = reference.keys.iter().filter(fits).collect();
        let moved = open
            .iter()
            .map(|index| draft.moved[*index])
            .max()
            .unwrap_or_default();
        let at = if reference.predicted {
            ordinal
        } else {
            ordinal + moved
        };
        let Some(key) = fitting.get(at % fitting.len().max(1)) else {
            return Err("the referenced table has no matching row".to_owned());
        };
        let key = (*key).clone();
        for (index, part) in reference.columns.iter().zip(key) {
            values[*index] = Some(Value::Text(part));
        }
        Ok(())
    }

    fn statement(&self, rows: &[Vec<Value>]) -> String {
        let kept: Vec<usize> = (0..self.table.columns.len())
            .filter(|index| !self.table.columns[*index].generated)
            .collect();
        let table = self.table.sql();
        if kept.is_empty() {
            let one = format!("INSERT INTO {table} DEFAULT VALUES");
            return vec![one; rows.len()].join("; ");
        }
        let names: Vec<String> = kept
            .iter()
            .map(|index| quote_identifier(&self.table.columns[*index].name))
            .collect();
        let rows: Vec<String> = rows
            .iter()
            .map(|row| {
                let values: Vec<String> = kept
                    .iter()
                    .map(|index| match &row[*index] {
                        Value::Default => "DEFAULT".to_owned(),
                        Value::Null => "NULL".to_owned(),
                        Value::Text(text) => quote_literal(text),
                    })
                    .collect();
                format!("({})", values.join(", "))
            })
            .collect();
        format!(
            "INSERT INTO {table} ({}) OVERRIDING SYSTEM VALUE VALUES {}{}",
            names.join(", "),
            rows.join(", "),
            self.table.deferred_checks()
        )
    }
}

async fn run(client: &Client, sql: &str) -> Result<Result<(), ServerError>, RowsError> {
    attempt(client, async { Ok(client.batch_execute(sql).await?) }).await
}
