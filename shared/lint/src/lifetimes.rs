//! The tables that a later migration of the service drops: how they are created and changed no longer matters.
//!
//! The locks of a migration that has not run yet still matter if the table existed before, even if it is dropped later.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use pg_sql::Name;

use super::change::{Act, Change, Step};
use crate::rules::{Draft, OnceDropped};

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
        let is_load = draft.rule.once_dropped == OnceDropped::MootIfApplied;
        let is_moot = draft.rule.once_dropped != OnceDropped::Matters;
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

#[cfg(test)]
mod tests {
    use crate::cases::{TABLE, found, found_each, silent};

    #[test]
    fn tables_that_are_dropped_later_have_no_findings() {
        silent(&[
            "-- migration V2\nCREATE TABLE u (id serial PRIMARY KEY, at timestamp);\nCREATE INDEX odd ON u (at);\n-- migration V3\n-- migration: allow drop-table \"not used\"\nDROP TABLE u;",
            "-- migration V2\nALTER TABLE t ADD COLUMN x timestamp;\n-- migration V3\n-- migration: allow drop-column \"not used\"\nALTER TABLE t DROP COLUMN x;",
        ]);
        // A migration that may be applied already does not matter. The lock of a new one is real if the table existed before.
        let rest = "CREATE INDEX \"IDX_t_b\" ON t (b);\n-- migration V4\n-- migration: allow drop-table \"not used\"\nDROP TABLE t;";
        silent(&[&format!("-- migration V3\n{rest}")]);
        let merged = TABLE.replace("-- migration V1", "-- merged V1");
        let found_after = |block: &str| -> Vec<String> {
            let found = found(&format!("{merged}{block}"));
            found.into_iter().collect()
        };
        let nothing: [&str; 0] = [];
        assert_eq!(found_after(&format!("-- merged V3\n{rest}")), nothing);
        assert_eq!(
            found_after(
                "-- migration V3\nCREATE TABLE u (id bigint, c char(3));\n-- migration V4\nCREATE INDEX \"IDX_u_id\" ON u (id);\n\
                 -- migration V5\n-- migration: allow drop-table \"not used\"\nDROP TABLE u;"
            ),
            nothing
        );
        assert_eq!(
            found_after(&format!("-- migration V3\n{rest}")),
            ["index-not-concurrent V3:1"]
        );
        found_each(
            "int-key V2:1",
            &[
                "-- migration V2\nCREATE TABLE u (id serial PRIMARY KEY);",
                // Later the name belongs to another table.
                "-- migration V2\nCREATE TABLE u (id serial PRIMARY KEY);\n-- migration V3\n-- migration: allow table-rename \"not used\"\nALTER TABLE u RENAME TO w;\nCREATE TABLE u (id bigint);\n-- migration V4\n-- migration: allow drop-table \"not used\"\nDROP TABLE u;",
            ],
        );
    }
}
