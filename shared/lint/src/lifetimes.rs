//! The tables that a later migration of the service drops: how they are created and changed no longer matters.
//!
//! The locks of a migration that has not run yet still matter if the table existed before, even if it is dropped later.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use pg_sql::Name;

use super::change::{Act, Change, Step};
use crate::rules::{Draft, Rule, slugs};

/// The rules about the locks that a change takes on a table.
static LOAD: &[&Rule] = &[
    &slugs::INDEX_NOT_CONCURRENT,
    &slugs::INDEX_DROP_NOT_CONCURRENT,
    &slugs::REINDEX_NOT_CONCURRENT,
    &slugs::CONSTRAINT_NOT_VALID,
    &slugs::UNIQUE_CONSTRAINT,
    &slugs::COLUMN_TYPE_CHANGE,
    &slugs::VOLATILE_DEFAULT,
    &slugs::STORED_GENERATED_COLUMN,
    &slugs::STORAGE_CHANGE,
    &slugs::NOT_NULL_STEPS,
];

/// The rules about the shape of a table. Like the load on it, the shape no longer matters once the table is dropped.
static SHAPE: &[&Rule] = &[
    &slugs::COLUMN_RENAME,
    &slugs::DROP_COLUMN,
    &slugs::CHAR_TYPE,
    &slugs::TIMESTAMP_WITHOUT_ZONE,
    &slugs::INT_KEY,
    &slugs::IDENTIFIER_TOO_LONG,
    &slugs::INDEX_NAME,
    &slugs::FOREIGN_KEY_NAME,
    &slugs::NAMING_STYLE,
    &slugs::FOREIGN_KEY_UNINDEXED,
    &slugs::UNQUOTED_MIXED_CASE,
];

/// The event that ends the name of a table or column.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Event {
    Dropped,
    Renamed,
}

/// The numbers of the migrations that end a name, with the event, in order.
type Ends = Vec<(usize, Event)>;

/// The lifetimes of a service's table and column names.
#[derive(Default)]
pub(super) struct TableLifetimes {
    /// The ends of names, by table and by column.
    ends: BTreeMap<(Name, Option<String>), Ends>,
    /// The migrations that create a table, by name.
    begins: BTreeMap<Name, Vec<usize>>,
    /// The migrations that have not run yet.
    new: BTreeSet<usize>,
}

impl TableLifetimes {
    /// Reads the next migration.
    pub(super) fn take(&mut self, number: usize, steps: &[Step], is_new: bool) {
        if is_new {
            self.new.insert(number);
        }
        for act in steps.iter().flat_map(|step| &step.acts) {
            match &act.change {
                Change::MakesTable { table, .. } => {
                    self.begins.entry(table.clone()).or_default().push(number);
                }
                Change::DropsTables { tables, .. } if !act.perhaps => {
                    for table in tables {
                        self.end(number, table, None, Event::Dropped);
                    }
                }
                Change::RenamesTable { table, .. } => {
                    self.end(number, table, None, Event::Renamed);
                }
                Change::DropsColumn { table, column, .. } if !act.perhaps => {
                    self.end(number, table, Some(column), Event::Dropped);
                }
                Change::RenamesColumn { table, column, .. } => {
                    self.end(number, table, Some(column), Event::Renamed);
                }
                _ => {}
            }
        }
    }

    fn end(&mut self, number: usize, table: &Name, column: Option<&String>, event: Event) {
        let ends = self.ends.entry((table.clone(), column.cloned()));
        ends.or_default().push((number, event));
    }

    /// Whether a finding of a migration is about a table, or a new column, that a later one drops.
    pub(super) fn is_moot(&self, number: usize, steps: &[Step], draft: &Draft<'_>) -> bool {
        let is_load = LOAD.contains(&draft.rule);
        let is_moot = is_load || SHAPE.contains(&draft.rule);
        let Some(range) = draft.range.as_ref().filter(|_| is_moot) else {
            return false;
        };
        let step = steps.partition_point(|step| step.range.end <= range.start);
        let acts = steps.get(step).into_iter().flat_map(|step| &step.acts);
        let mut subjects = acts.filter(|act| act.range.contains(&range.start));
        subjects.next().is_some_and(|act| {
            let Some(table) = table(&act.change) else {
                return false;
            };
            if is_load && self.new.contains(&number) && self.existed(number, table) {
                return false;
            }
            let column = column(act, range).cloned();
            self.is_dropped_after(number, table, None)
                || column.is_some_and(|name| self.is_dropped_after(number, table, Some(name)))
        })
    }

    /// Whether a table may exist in a database without the new migrations.
    fn existed(&self, number: usize, table: &Name) -> bool {
        let begins = self.begins.get(table);
        let mut before = begins.into_iter().flatten().filter(|at| **at <= number);
        before.next_back().is_none_or(|at| !self.new.contains(at))
    }

    fn is_dropped_after(&self, number: usize, table: &Name, column: Option<String>) -> bool {
        let ends = self.ends.get(&(table.clone(), column));
        let mut later = ends.into_iter().flatten().filter(|(end, _)| *end > number);
        later
            .next()
            .is_some_and(|(_, event)| *event == Event::Dropped)
    }
}

/// The table that a change is about.
fn table(change: &Change) -> Option<&Name> {
    match change {
        Change::MakesTable { table, .. }
        | Change::AddsColumn { table, .. }
        | Change::DropsColumn { table, .. }
        | Change::RenamesColumn { table, .. }
        | Change::SetsNotNull { table, .. }
        | Change::ChangesType { table, .. }
        | Change::AltersTable { table }
        | Change::AddsConstraint { table, .. }
        | Change::Validates { table, .. } => Some(table),
        Change::MakesIndex(index) => Some(&index.table),
        _ => None,
    }
}

/// The new or changed column in a range.
fn column<'a>(act: &'a Act, range: &Range<usize>) -> Option<&'a String> {
    match &act.change {
        Change::MakesTable { columns, .. } => {
            let mut before = columns.iter().rev();
            let column = before.find(|column| column.range.start <= range.start);
            column.map(|column| &column.name)
        }
        Change::AddsColumn { column, .. } => Some(&column.name),
        Change::ChangesType { column, .. } | Change::SetsNotNull { column, .. } => Some(column),
        _ => None,
    }
}
