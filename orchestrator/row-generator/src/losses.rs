//! Finds what a migration and its revert lose of the existing rows.
//!
//! Compares digests and decides which of the two caused a loss. Objects on one side only are a difference of the
//! schema, not of rows. Generated columns are ignored, since they follow from other columns.

use pg_sql::quote_identifier;
use std::collections::{BTreeMap, HashMap};
use std::fmt;

use report::units::count;

use super::digest::{ColumnSums, Content, Digests, TableDigest};

/// The cause of a loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Culprit {
    /// The migration drops the table or the column, and its revert creates a new one.
    Drop,
    /// The migration changes or deletes the rows, and its revert does not restore them.
    Migration,
    /// The revert changes or deletes rows that the migration left unchanged.
    Revert,
}

/// The kind of a loss.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LossKind {
    /// Rows are missing.
    Gone {
        /// The number of these rows.
        rows: usize,
        /// The number of all rows.
        of: usize,
    },
    /// There are additional rows: nothing is lost, but not everything is undone.
    Added {
        /// The number of these rows.
        rows: usize,
    },
    /// Values of a column differ.
    Changed {
        column: String,
        /// In how many rows; `None` if the table is too big to count them.
        rows: Option<usize>,
        /// The number of all rows.
        of: usize,
        /// Whether the values are now NULL.
        emptied: bool,
    },
    /// Each column has the same values, but in different rows.
    Mixed,
    /// Values written between the migration and its revert do not survive the revert.
    WrittenLater { column: String },
}

/// A difference of the rows after a revert from those before the migration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The name of the table, for messages.
    pub table: String,
    pub kind: LossKind,
    /// The cause of the loss.
    pub culprit: Culprit,
}

impl Loss {
    /// Whether data is lost: additional rows are not a loss.
    pub fn loses(&self) -> bool {
        !matches!(self.kind, LossKind::Added { .. })
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = &self.table;
        match (&self.kind, self.culprit) {
            (LossKind::Gone { rows, of }, Culprit::Revert) => {
                write!(f, "the revert deletes {} of {table}", part(*rows, *of))
            }
            (LossKind::Gone { rows, of }, Culprit::Drop) if rows == of => write!(
                f,
                "{table}: the migration drops it, and its revert brings back an empty table"
            ),
            (LossKind::Gone { rows, of }, Culprit::Drop) => write!(
                f,
                "{table}: the migration drops it, and its revert brings back all but {}",
                part(*rows, *of)
            ),
            (LossKind::Gone { rows, of }, Culprit::Migration) => write!(
                f,
                "{table}: the migration deletes {}, and its revert does not bring them back",
                part(*rows, *of)
            ),
            (LossKind::Added { rows }, Culprit::Revert) => {
                write!(f, "the revert adds {} to {table}", count(*rows, "row"))
            }
            (LossKind::Added { rows }, _) => write!(
                f,
                "{table}: the migration adds {}, and its revert leaves them",
                count(*rows, "row")
            ),
            (
                LossKind::Changed {
                    column,
                    emptied: true,
                    ..
                },
                Culprit::Drop,
            ) => write!(
                f,
                "{table}.{}: the migration drops it, and its revert brings back an empty column",
                quote_identifier(column)
            ),
            (LossKind::Changed { column, .. }, Culprit::Drop) => write!(
                f,
                "{table}.{}: the migration drops it, and its revert brings back other values",
                quote_identifier(column)
            ),
            (
                LossKind::Changed {
                    column, rows, of, ..
                },
                Culprit::Migration,
            ) => write!(
                f,
                "{table}.{}: the migration changes it{}, and its revert does not bring the old values back",
                quote_identifier(column),
                within(*rows, *of)
            ),
            (
                LossKind::Changed {
                    column,
                    rows,
                    of,
                    emptied,
                },
                Culprit::Revert,
            ) => write!(
                f,
                "the revert {} {table}.{}{}",
                if *emptied { "loses" } else { "changes" },
                quote_identifier(column),
                within(*rows, *of)
            ),
            (LossKind::WrittenLater { column }, _) => write!(
                f,
                "the revert sets {table}.{} to NULL, including values that were written after the migration",
                quote_identifier(column)
            ),
            (LossKind::Mixed, _) => write!(
                f,
                "{table}: after the revert, values are in different rows than before"
            ),
        }
    }
}

fn part(rows: usize, of: usize) -> String {
    if rows == of {
        format!("all {}", count(of, "row"))
    } else {
        format!("{rows} of {}", count(of, "row"))
    }
}

fn within(rows: Option<usize>, of: usize) -> String {
    match rows {
        Some(rows) if rows < of => format!(" in {rows} of {}", count(of, "row")),
        _ => String::new(),
    }
}

/// The losses between the state before a migration and the state after its revert. The state between the two shows the cause.
pub fn losses(before: &Digests, after_up: &Digests, after_down: &Digests) -> Vec<Loss> {
    let mut losses = Vec::new();
    for (name, table) in &before.tables {
        let Some(after) = after_down.tables.get(name) else {
            continue;
        };
        let between = after_up
            .tables
            .values()
            .find(|between| between.oid == table.oid)
            .or_else(|| after_up.tables.get(name));
        let comparison = Comparison {
            before: table,
            between,
            after,
        };
        comparison.collect(&mut losses);
    }
    losses
}

/// A column with NULLs that the migration filled and the revert cleared.
#[derive(Clone, Debug)]
pub(super) struct Cleared<'a> {
    pub table: &'a TableDigest,
    /// The schema and name of the table, and the name of the column: after the migration, and after its revert.
    pub names: [(&'a (String, String), &'a str); 2],
    /// A value that the migration wrote.
    pub written: &'a str,
    /// The number of rows with a value after the revert.
    pub left: usize,
}

/// The columns of small tables whose values the revert clears.
pub(super) fn cleared<'a>(
    before: &'a Digests,
    after_up: &'a Digests,
    after_down: &'a Digests,
) -> Vec<Cleared<'a>> {
    let mut found = Vec::new();
    for (name, table) in &before.tables {
        let mut between = after_up.tables.iter();
        let between = between.find(|(_, between)| between.oid == table.oid);
        let (Some((name_between, between)), Some(after)) = (between, after_down.tables.get(name))
        else {
            continue;
        };
        let (Content::Rows(was), Content::Rows(is), Content::Rows(now)) =
            (&table.content, &between.content, &after.content)
        else {
            continue;
        };
        for (place, column) in table.columns.iter().enumerate() {
            let mut places = between.columns.iter();
            let at = places.position(|known| known.number == column.number);
            let (Some(at), Some(place_after)) = (at, after.column(&column.name)) else {
                continue;
            };
            let was = bag(was.iter().map(|row| &row[place]));
            let is = bag(is.iter().map(|row| &row[at]));
            let now = bag(now.iter().map(|row| &row[place_after]));
            let nulls = |bag: &HashMap<_, usize>| bag.get(&None).copied().unwrap_or(0);
            if nulls(&is) >= nulls(&was) || nulls(&now) < nulls(&was) {
                continue;
            }
            let mut written = is
                .iter()
                .filter(|(value, times)| was.get(*value) < Some(times));
            if let Some(written) = written.find_map(|(value, _)| value.as_deref()) {
                found.push(Cleared {
                    table,
                    names: [
                        (name_between, &between.columns[at].name),
                        (name, &column.name),
                    ],
                    written,
                    left: now.values().sum::<usize>() - nulls(&now),
                });
            }
        }
    }
    found
}

type Row = [Option<String>];

struct Comparison<'a> {
    before: &'a TableDigest,
    between: Option<&'a TableDigest>,
    after: &'a TableDigest,
}

impl Comparison<'_> {
    fn collect(&self, losses: &mut Vec<Loss>) {
        match (&self.before.content, &self.after.content) {
            (Content::Rows(before), Content::Rows(after)) => {
                if !self.compare_by_key(before, after, losses) {
                    self.compare_as_multiset(before, after, losses);
                }
            }
            (Content::Sums { sums: before, .. }, Content::Sums { sums: after, .. }) => {
                if !self.compare_counts(losses) {
                    self.compare_sums(before, after, losses);
                }
            }
            _ => {
                self.compare_counts(losses);
            }
        }
    }

    fn push(&self, losses: &mut Vec<Loss>, kind: LossKind, culprit: Culprit) {
        losses.push(Loss {
            table: self.before.shown.clone(),
            kind,
            culprit,
        });
    }

    /// The columns on both sides that are not generated: their positions before and after.
    fn columns(&self) -> Vec<(usize, usize)> {
        self.before
            .columns
            .iter()
            .enumerate()
            .filter_map(|(place, column)| {
                let after = self.after.column(&column.name)?;
                let follows = column.generated && self.after.columns[after].generated;
                (!follows).then_some((place, after))
            })
            .collect()
    }

    /// Whether the original table still exists after the migration.
    fn exists_between(&self) -> bool {
        self.between
            .is_some_and(|between| between.oid == self.before.oid)
    }

    /// The position of a column after the migration: the same column under any name, otherwise one with its name.
    fn column_between(&self, place: usize) -> Option<usize> {
        let between = self.between?;
        let column = &self.before.columns[place];
        if self.exists_between() {
            between
                .columns
                .iter()
                .position(|known| known.number == column.number)
        } else {
            between.column(&column.name)
        }
    }

    /// Compares rows by key. Returns false if no key distinguishes them.
    fn compare_by_key(
        &self,
        before: &[Vec<Option<String>>],
        after: &[Vec<Option<String>>],
        losses: &mut Vec<Loss>,
    ) -> bool {
        let places = |table: &TableDigest| -> Option<Vec<usize>> {
            self.before
                .key
                .iter()
                .map(|name| table.column(name))
                .collect()
        };
        let (Some(key), Some(key_after)) = (places(self.before), places(self.after)) else {
            return false;
        };
        if key.is_empty() {
            return false;
        }
        let before = by_key(before, &key);
        let after = by_key(after, &key_after);
        let between = self.between.and_then(|between| {
            let places: Vec<usize> = key
                .iter()
                .map(|place| self.column_between(*place))
                .collect::<Option<_>>()?;
            match &between.content {
                Content::Rows(rows) => Some(by_key(rows, &places)),
                Content::Sums { .. } => None,
            }
        });
        let gone: Vec<_> = before
            .keys()
            .filter(|key| !after.contains_key(*key))
            .collect();
        if !gone.is_empty() && gone.len() == before.len() && after.len() == before.len() {
            // All keys differ, so they do not identify rows.
            return false;
        }
        if !gone.is_empty() {
            let left = between
                .as_ref()
                .is_some_and(|between| gone.iter().all(|key| between.contains_key(*key)));
            let culprit = if left {
                Culprit::Revert
            } else {
                self.of_migration()
            };
            let (rows, of) = (gone.len(), before.len());
            self.push(losses, LossKind::Gone { rows, of }, culprit);
        }
        let added = after
            .keys()
            .filter(|key| !before.contains_key(*key))
            .collect::<Vec<_>>();
        if !added.is_empty() {
            let there = between
                .as_ref()
                .is_some_and(|between| added.iter().any(|key| between.contains_key(*key)));
            let rows = added.len();
            let culprit = if there {
                Culprit::Migration
            } else {
                Culprit::Revert
            };
            self.push(losses, LossKind::Added { rows }, culprit);
        }
        for (place, place_after) in self.columns() {
            let at = self.column_between(place);
            // A value in place of NULL is not a loss.
            let is_filled_in = |key: &Vec<&Option<String>>, was: &Option<String>| {
                was.is_none()
                    && at.is_some_and(|at| {
                        let row = between.as_ref().and_then(|between| between.get(key));
                        row.is_some_and(|row| row[at].is_some())
                    })
            };
            let changed: Vec<_> = before
                .iter()
                .filter_map(|(key, row)| {
                    let now = after.get(key)?;
                    (row[place] != now[place_after]).then_some((key, &row[place], now))
                })
                .filter(|(key, was, _)| !is_filled_in(key, was))
                .collect();
            if changed.is_empty() {
                continue;
            }
            let culprit = match (at, &between) {
                (None, _) => Culprit::Drop,
                (Some(between_place), Some(between)) => {
                    let left = changed.iter().all(|(key, value, _)| {
                        between
                            .get(*key)
                            .is_some_and(|row| row[between_place] == **value)
                    });
                    if left {
                        Culprit::Revert
                    } else {
                        Culprit::Migration
                    }
                }
                (Some(_), None) => Culprit::Migration,
            };
            let kind = LossKind::Changed {
                column: self.before.columns[place].name.clone(),
                rows: Some(changed.len()),
                of: before.len(),
                emptied: changed.iter().all(|(_, _, now)| now[place_after].is_none()),
            };
            self.push(losses, kind, culprit);
        }
        true
    }

    /// The cause of a loss by the migration: it dropped the table, or changed the rows.
    fn of_migration(&self) -> Culprit {
        if self.exists_between() {
            Culprit::Migration
        } else {
            Culprit::Drop
        }
    }

    /// Compares the rows of a table without a key as a multiset.
    fn compare_as_multiset(
        &self,
        before: &[Vec<Option<String>>],
        after: &[Vec<Option<String>>],
        losses: &mut Vec<Loss>,
    ) {
        if self.compare_counts(losses) {
            return;
        }
        let columns = self.columns();
        let mut found = false;
        for (place, place_after) in &columns {
            let was = bag(before.iter().map(|row| &row[*place]));
            let now = bag(after.iter().map(|row| &row[*place_after]));
            let mut changed = missing(&was, &now);
            if changed == 0 {
                continue;
            }
            let culprit = match (
                self.column_between(*place),
                self.between.map(|between| &between.content),
            ) {
                (None, _) => Culprit::Drop,
                (Some(at), Some(Content::Rows(rows))) => {
                    let between = bag(rows.iter().map(|row| &row[at]));
                    if missing(&was, &between) == 0 {
                        Culprit::Revert
                    } else {
                        // A value in place of NULL is not a loss.
                        let nulls = |bag: &HashMap<_, usize>| bag.get(&None).copied().unwrap_or(0);
                        let filled_in = nulls(&was).saturating_sub(nulls(&between));
                        changed -= filled_in.min(nulls(&was).saturating_sub(nulls(&now)));
                        Culprit::Migration
                    }
                }
                _ => Culprit::Migration,
            };
            found = true;
            if changed == 0 {
                continue;
            }
            let kind = LossKind::Changed {
                column: self.before.columns[*place].name.clone(),
                rows: Some(changed),
                of: before.len(),
                emptied: now
                    .iter()
                    .all(|(value, times)| value.is_none() || was.get(value) >= Some(times)),
            };
            self.push(losses, kind, culprit);
        }
        if found {
            return;
        }
        let whole = |rows: &[Vec<Option<String>>], after: bool| {
            let rows: Vec<Vec<Option<String>>> = rows
                .iter()
                .map(|row| {
                    columns
                        .iter()
                        .map(|(place, place_after)| {
                            row[if after { *place_after } else { *place }].clone()
                        })
                        .collect()
                })
                .collect();
            let mut bag: BTreeMap<Vec<Option<String>>, usize> = BTreeMap::new();
            for row in rows {
                *bag.entry(row).or_default() += 1;
            }
            bag
        };
        if whole(before, false) != whole(after, true) {
            self.push(losses, LossKind::Mixed, Culprit::Migration);
        }
    }

    /// Compares the numbers of rows. Returns whether they differ.
    fn compare_counts(&self, losses: &mut Vec<Loss>) -> bool {
        let (before, after) = (self.before.count(), self.after.count());
        let between = self.between.map_or(0, TableDigest::count);
        if after < before {
            let culprit = if between >= before {
                Culprit::Revert
            } else {
                self.of_migration()
            };
            let rows = before - after;
            self.push(losses, LossKind::Gone { rows, of: before }, culprit);
        } else if after > before {
            let culprit = if between > before {
                Culprit::Migration
            } else {
                Culprit::Revert
            };
            let rows = after - before;
            self.push(losses, LossKind::Added { rows }, culprit);
        }
        after != before
    }

    fn compare_sums(&self, before: &[ColumnSums], after: &[ColumnSums], losses: &mut Vec<Loss>) {
        if self.before.key != self.after.key {
            return;
        }
        for (place, place_after) in self.columns() {
            let (was, now) = (&before[place], &after[place_after]);
            if was.all == now.all || self.only_fills_in(place, was, now) {
                continue;
            }
            let culprit = match (
                self.column_between(place),
                self.between.map(|between| &between.content),
            ) {
                (None, _) => Culprit::Drop,
                (Some(at), Some(Content::Sums { sums, .. })) if sums[at].all == was.all => {
                    Culprit::Revert
                }
                _ => Culprit::Migration,
            };
            let kind = LossKind::Changed {
                column: self.before.columns[place].name.clone(),
                rows: None,
                of: self.before.count(),
                emptied: false,
            };
            self.push(losses, kind, culprit);
        }
    }

    /// Whether only NULLs were filled and all other values are unchanged, which is not a loss.
    fn only_fills_in(&self, place: usize, was: &ColumnSums, now: &ColumnSums) -> bool {
        let content = self.between.map(|between| &between.content);
        let (Some(at), Some(Content::Sums { sums, .. })) = (self.column_between(place), content)
        else {
            return false;
        };
        let is_filled = sums[at].nulls < was.nulls && now.nulls < was.nulls;
        let are_kept = was.nulls == self.before.count() || now.kept.as_ref() == Some(&was.values);
        is_filled && are_kept
    }
}

fn by_key<'a>(
    rows: &'a [Vec<Option<String>>],
    key: &[usize],
) -> BTreeMap<Vec<&'a Option<String>>, &'a Row> {
    rows.iter()
        .map(|row| {
            (
                key.iter().map(|place| &row[*place]).collect(),
                row.as_slice(),
            )
        })
        .collect()
}

fn bag<'a>(values: impl Iterator<Item = &'a Option<String>>) -> HashMap<&'a Option<String>, usize> {
    let mut bag = HashMap::new();
    for value in values {
        *bag.entry(value).or_default() += 1;
    }
    bag
}

/// How many values of one multiset the other lacks.
fn missing(was: &HashMap<&Option<String>, usize>, now: &HashMap<&Option<String>, usize>) -> usize {
    was.iter()
        .map(|(value, times)| times.saturating_sub(now.get(value).copied().unwrap_or_default()))
        .sum()
}
