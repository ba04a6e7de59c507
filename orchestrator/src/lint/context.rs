//! What a rule is given: one file, what stood before it, and what its statements change.

use std::collections::BTreeSet;

use shared::sql::Name;

use super::change::{Change, RowKind, Step, Unknown};
use super::file::LintedFile;
use super::first_mentions::{FirstMentions, Place};
use super::model::Model;

/// One file of a service, with what the files around it tell.
pub struct LintContext<'a> {
    /// The file.
    pub file: &'a LintedFile<'a>,
    /// Its statements with what they change.
    pub steps: &'a [Step],
    /// The statements of the migration's other file: of its revert.
    pub revert: Option<&'a [Step]>,
    /// What the migrations before this one made.
    pub before: &'a Model,
    /// What all migrations of the service make.
    pub at_last: &'a Model,
    /// The number of the migration.
    pub number: usize,
    /// Where the migrations first name something.
    pub words: &'a FirstMentions,
}

impl LintContext<'_> {
    /// Whether no object of that name, of whatever kind, can exist at a place.
    pub fn never_was(&self, name: &Name, before: Place) -> bool {
        self.words.never(&name.name, before)
    }
}

/// What stands before one statement of a file.
#[derive(Clone, Debug)]
pub struct Now {
    /// The schema.
    pub model: Model,
    /// Tables made by this file so far.
    made: BTreeSet<Name>,
    /// Tables that this file emptied.
    emptied: BTreeSet<Name>,
    /// What this file did that its text does not tell.
    untold: Vec<Unknown>,
}

impl Now {
    /// Before the first statement.
    pub fn new(before: &Model) -> Self {
        Self {
            model: before.clone(),
            made: BTreeSet::new(),
            emptied: BTreeSet::new(),
            untold: Vec::new(),
        }
    }

    /// Whether the table surely stood before this migration, so that it may have rows and users.
    pub fn stood(&self, table: &Name) -> bool {
        table.schema.as_deref() != Some("pg_temp")
            && !self.made.contains(table)
            && !self.is_untold(&table.name)
    }

    /// Whether the table may have rows: it stood before, and this file has not emptied it.
    pub fn may_have_rows(&self, table: &Name) -> bool {
        self.stood(table) && !self.emptied.contains(table)
    }

    /// Whether this file may have done something to an object of that name that its text does not tell.
    pub fn is_untold(&self, name: &str) -> bool {
        self.untold.iter().any(|unknown| match unknown {
            Unknown::Anything => true,
            Unknown::Named(text) => text.names(name),
        })
    }

    /// Goes behind a statement.
    pub fn apply(&mut self, step: &Step) {
        for act in &step.acts {
            match &act.change {
                Change::MakesTable { table, .. } if self.model.table(table).is_none() => {
                    self.made.insert(table.clone());
                }
                Change::RenamesTable { table, to } if self.made.contains(table) => {
                    self.made.insert(to.clone());
                }
                Change::Truncates { tables } if !act.perhaps => {
                    self.emptied.extend(tables.iter().cloned());
                }
                Change::WritesRows(rows) if !act.perhaps => match rows.kind {
                    RowKind::Delete if rows.filter.is_none() => {
                        self.emptied.insert(rows.table.clone());
                    }
                    RowKind::Insert { .. } => {
                        self.emptied.remove(&rows.table);
                    }
                    _ => {}
                },
                Change::Unknown(unknown) => self.untold.push(unknown.clone()),
                Change::TooDeep => self.untold.push(Unknown::Anything),
                _ => {}
            }
            self.model.apply(act);
        }
    }
}
