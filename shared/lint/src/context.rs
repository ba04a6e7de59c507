//! The input of a rule: one file, the schema before it, and the changes of its statements.

use std::collections::BTreeSet;

use pg_sql::Name;
use time::OffsetDateTime;

use super::change::{Change, RowKind, Step, Unknown};
use super::file::LintedFile;
use super::first_mentions::{FirstMentions, Place};
use super::model::Model;
use super::remaining_keys::RemainingKeys;

/// One file of a service, with information from the other files.
pub struct LintContext<'a> {
    pub file: &'a LintedFile<'a>,
    /// Its statements with their changes.
    pub steps: &'a [Step],
    /// The statements of the migration's revert.
    pub revert: Option<&'a [Step]>,
    /// The schema before this migration.
    pub before: &'a Model,
    /// The schema after all migrations of the service.
    pub at_end: &'a Model,
    /// The foreign keys of that schema.
    pub remaining_keys: &'a RemainingKeys<'a>,
    /// The number of the migration.
    pub number: usize,
    /// The place where each word first occurs in the migrations.
    pub first_mentions: &'a FirstMentions,
    /// The current time.
    pub now: OffsetDateTime,
}

impl LintContext<'_> {
    /// Whether no object of this name, of any kind, can exist at a place.
    pub fn never_existed(&self, name: &Name, before: Place) -> bool {
        self.first_mentions.never(&name.name, before)
    }
}

/// The state before one statement of a file.
#[derive(Clone, Debug)]
pub struct Now {
    /// The schema.
    pub model: Model,
    /// Tables that this file has created so far.
    made: BTreeSet<Name>,
    /// Tables that this file has emptied.
    emptied: BTreeSet<Name>,
    /// Changes of this file that are not in its text.
    unknowns: Vec<Unknown>,
}

impl Now {
    /// The state before the first statement.
    pub fn new(before: &Model) -> Self {
        Self {
            model: before.clone(),
            made: BTreeSet::new(),
            emptied: BTreeSet::new(),
            unknowns: Vec::new(),
        }
    }

    /// Whether the table certainly existed before this migration, so that it may have rows and be in use.
    pub fn existed(&self, table: &Name) -> bool {
        table.schema.as_deref() != Some("pg_temp")
            && !self.made.contains(table)
            && !self.is_uncertain(&table.name)
    }

    /// Whether the table may have rows: it existed before, and this file has not emptied it.
    pub fn may_have_rows(&self, table: &Name) -> bool {
        self.existed(table) && !self.emptied.contains(table)
    }

    /// Whether this file may have changed an object of this name in a way that is not in its text.
    pub fn is_uncertain(&self, name: &str) -> bool {
        self.unknowns.iter().any(|unknown| match unknown {
            Unknown::Anything => true,
            Unknown::Named(text) => text.names(name),
        })
    }

    /// Advances past a statement.
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
                Change::Unknown(unknown) => self.unknowns.push(unknown.clone()),
                Change::TooDeep => self.unknowns.push(Unknown::Anything),
                _ => {}
            }
            self.model.apply(act);
        }
    }
}
