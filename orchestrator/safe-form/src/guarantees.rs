//! The guarantees of a schema, and whether they hold between the files of a rewrite.
//!
//! Responsible for comparing the schema between two files with that before the first and after the last: a gap that one
//! transaction hides is visible between files, and other sessions write rows in the meantime. Not for taking the snapshots (`prove`). Pure.

use std::collections::{BTreeMap, BTreeSet};

use catalog::{Kind, Object, Snapshot};

/// What other sessions can rely on in a schema.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guarantees {
    /// The guarantees as text.
    all: BTreeSet<String>,
    /// The number of constraints of a kind per table: a replacement need not have the same definition.
    number: BTreeMap<(String, &'static str), usize>,
}

impl Guarantees {
    /// The guarantees of a schema.
    pub fn of(schema: &Snapshot) -> Self {
        let mut guarantees = Self::default();
        for object in schema.objects() {
            guarantees.add(object);
        }
        guarantees
    }

    fn add(&mut self, object: &Object) {
        let table = object.parent.as_ref().map_or("", |table| &table.name);
        let definition = object.attribute("definition").unwrap_or_default();
        let is = |value: &str| object.attribute(value);
        match object.kind {
            Kind::Column if is("nullable") == Some("no") => {
                self.all.insert(format!("{} NOT NULL", object.name));
            }
            Kind::Trigger | Kind::Rule if is("enabled") != Some("disabled") => {
                self.all
                    .insert(format!("{} {}", object.kind.words(), object.name));
            }
            Kind::Policy => {
                self.all
                    .insert(format!("{} {}", object.kind.words(), object.name));
            }
            Kind::Index if definition.starts_with("CREATE UNIQUE") && is("valid") != Some("no") => {
                self.unique(table, definition);
            }
            Kind::Constraint => self.constraint(table, definition),
            _ => {}
        }
    }

    fn constraint(&mut self, table: &str, definition: &str) {
        // It applies to new rows anyway.
        let definition = definition.trim_end_matches(" NOT VALID");
        let kind = ["PRIMARY KEY", "UNIQUE", "FOREIGN KEY", "CHECK", "EXCLUDE"]
            .into_iter()
            .find(|kind| definition.starts_with(kind));
        match kind {
            Some("PRIMARY KEY") => {
                self.all.insert(format!("PRIMARY KEY of {table}"));
                self.unique(table, definition);
            }
            Some("UNIQUE") => self.unique(table, definition),
            Some(kind) => {
                // The referential actions may change without a gap.
                let words = match definition
                    .find(" ON UPDATE ")
                    .or(definition.find(" ON DELETE "))
                {
                    Some(end) if kind == "FOREIGN KEY" => &definition[..end],
                    _ => definition,
                };
                self.all.insert(format!("{words} of {table}"));
                *self.number.entry((table.to_owned(), kind)).or_default() += 1;
            }
            None => {}
        }
    }

    /// Uniqueness by a constraint or by an index alone: both reject duplicates.
    fn unique(&mut self, table: &str, definition: &str) {
        let columns = definition.find('(').map_or("", |at| &definition[at..]);
        self.all.insert(format!("uniqueness of {table} {columns}"));
        let number = self.number.entry((table.to_owned(), "UNIQUE")).or_default();
        *number += 1;
    }

    /// The first guarantee that holds before and after, but not here, as text.
    pub fn missing(&self, before: &Self, behind: &Self) -> Option<String> {
        let lasting = before.all.intersection(&behind.all);
        let lost = lasting
            .into_iter()
            .find(|it| !self.all.contains(*it))
            .cloned();
        lost.or_else(|| {
            before.number.iter().find_map(|(key, number)| {
                let least = *number.min(behind.number.get(key)?);
                let here = self.number.get(key).copied().unwrap_or_default();
                let (table, kind) = key;
                (here < least).then(|| format!("{kind} of {table}"))
            })
        })
    }
}
