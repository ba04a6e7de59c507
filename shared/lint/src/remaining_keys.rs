//! The foreign keys that exist after all migrations: later migrations may rename their tables and columns, or drop them.

use std::collections::HashMap;

use domain::Version;
use pg_sql::Name;

use super::change::{Constraint, ConstraintKind};
use super::model::Model;

/// The foreign keys of fully known tables, by the place that adds them: a migration, and a range of its file.
#[derive(Debug, Default)]
pub struct RemainingKeys<'a> {
    keys: HashMap<(Version, usize, usize), (&'a Name, &'a Constraint)>,
}

impl<'a> RemainingKeys<'a> {
    /// The foreign keys of a schema.
    pub(super) fn of(at_end: &'a Model) -> Self {
        let mut keys = HashMap::new();
        for (table, known) in at_end.tables().filter(|(_, known)| known.certain) {
            for key in &known.constraints {
                if matches!(key.kind, ConstraintKind::ForeignKey { .. }) {
                    keys.entry(place(key)).or_insert((table, key));
                }
            }
        }
        Self { keys }
    }

    /// The table and the columns that a foreign key has after all migrations; `None` if it does not remain.
    pub fn of_constraint(&self, constraint: &Constraint) -> Option<(&'a Name, &'a Constraint)> {
        self.keys.get(&place(constraint)).copied()
    }
}

fn place(key: &Constraint) -> (Version, usize, usize) {
    (key.by, key.range.start, key.range.end)
}
