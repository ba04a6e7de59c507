//! What statements add up to: the schema as far as the text of a service's migrations tells.
//!
//! Responsible for following what is made, altered, renamed and dropped, and for knowing what it does not know. Not for
//! judging anything.

mod follow;
mod indexes;
mod partitions;

use std::collections::{BTreeMap, BTreeSet};

use shared::sql::Name;

use self::indexes::Indexes;
use super::change::{Column, Compared, Comparison, Constraint, ConstraintKind, Index, Partition};
use super::first_mentions::is_given;
use super::mentions::Mentions;
use super::names::PUBLIC;

/// A schema as the text tells.
#[derive(Clone, Debug, Default)]
pub struct Model {
    tables: BTreeMap<Name, Table>,
    indexes: Indexes,
    enums: BTreeMap<Name, Enum>,
    views: BTreeMap<Name, View>,
    schemas: BTreeSet<String>,
    blurred: bool,
}

/// A table.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its columns, in the order in which they came.
    pub columns: Vec<Column>,
    /// Its keys and checks, each with the name that it has in the database.
    pub constraints: Vec<Constraint>,
    /// Its triggers that name columns: their names and what they read.
    pub triggers: Vec<(String, Mentions)>,
    /// Whether all of it is known.
    pub certain: bool,
    /// Whether it is partitioned.
    pub partitioned: bool,
    /// The table that it is a partition of.
    pub partition: Option<Partition>,
}

/// An enum type.
#[derive(Clone, Debug)]
pub struct Enum {
    /// Its values.
    pub labels: Vec<String>,
    /// Whether it surely exists.
    pub certain: bool,
}

/// A view.
#[derive(Clone, Debug)]
pub struct View {
    /// What it reads.
    pub reads: Mentions,
    /// Whether it surely exists.
    pub certain: bool,
}

impl Table {
    /// The column of a name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    fn column_mut(&mut self, name: &str) -> Option<&mut Column> {
        self.columns.iter_mut().find(|column| column.name == name)
    }
}

impl Model {
    /// The table of a name.
    pub fn table(&self, name: &Name) -> Option<&Table> {
        self.tables.get(name)
    }

    /// The table of a name, of any schema where the name has none.
    pub fn find(&self, name: &Name) -> Option<&Table> {
        self.in_any_schema(name, |name| self.tables.get(name))
    }

    fn in_any_schema<T>(&self, name: &Name, find: impl Fn(&Name) -> Option<T>) -> Option<T> {
        if name.schema.is_some() {
            return find(name);
        }
        let schemas = self.schemas.iter().map(String::as_str);
        let mut schemas = std::iter::once(PUBLIC).chain(schemas);
        schemas.find_map(|schema| {
            find(&Name {
                schema: Some(schema.to_owned()),
                name: name.name.clone(),
            })
        })
    }

    /// Whether there is surely no table, view or index of that name.
    pub fn lacks(&self, name: &Name) -> bool {
        let is_same = |other: &Name| {
            other.name == name.name && (name.schema.is_none() || other.schema == name.schema)
        };
        !self.blurred
            && !is_given(&name.name)
            && self.find(name).is_none()
            && !self.views.keys().any(is_same)
            && !self.indexes.names().any(is_same)
    }

    /// All tables.
    pub fn tables(&self) -> impl Iterator<Item = (&Name, &Table)> {
        self.tables.iter()
    }

    /// The indexes of a table, those of its keys aside.
    pub fn indexes<'a>(&'a self, table: &'a Name) -> impl Iterator<Item = &'a Index> {
        self.indexes.of(table)
    }

    /// The index of a name.
    pub fn index(&self, name: &Name) -> Option<&Index> {
        self.indexes.named(name)
    }

    /// The enum type of a name.
    pub fn enum_type(&self, name: &Name) -> Option<&Enum> {
        self.enums.get(name)
    }

    /// All views.
    pub fn views(&self) -> impl Iterator<Item = (&Name, &View)> {
        self.views.iter()
    }

    /// Whether a schema is one that the migrations fill.
    pub fn knows_schema(&self, schema: &str) -> bool {
        schema == PUBLIC || self.schemas.contains(schema)
    }

    /// Whether there may be tables that the text does not name.
    pub fn is_blurred(&self) -> bool {
        self.blurred
    }

    /// Whether an index serves to look rows up by these columns: they are its first ones, in any order.
    pub fn has_index_on(&self, table: &Name, columns: &[String]) -> bool {
        let leads = |names: &[Option<String>]| {
            names.len() >= columns.len()
                && columns
                    .iter()
                    .all(|column| names[..columns.len()].contains(&Some(column.clone())))
        };
        let by_index = self.indexes(table).any(|index| {
            index.finds_equal
                && leads(&index.columns)
                && index.only_where.as_ref().is_none_or(|only| {
                    only.text().to_ascii_lowercase().contains("is not null")
                        && columns.iter().any(|column| only.names(column))
                })
        });
        let by_key = self.table(table).is_some_and(|table| {
            table.constraints.iter().any(|constraint| {
                matches!(
                    constraint.kind,
                    ConstraintKind::PrimaryKey { .. } | ConstraintKind::Unique { .. }
                ) && leads(
                    &constraint
                        .columns
                        .iter()
                        .cloned()
                        .map(Some)
                        .collect::<Vec<_>>(),
                )
            })
        });
        by_index || by_key
    }

    /// Whether a WHERE bounds how many rows of a table it takes, by a key.
    pub fn is_bounded(&self, table: &Name, filter: &[Compared]) -> bool {
        if filter
            .iter()
            .any(|compared| compared.comparison == Comparison::Slice)
        {
            return true;
        }
        let fixed = |column: &String| {
            filter.iter().any(|compared| {
                compared.column == *column && compared.comparison == Comparison::Values
            })
        };
        let spanned = |column: &String| {
            let has = |wanted| {
                filter
                    .iter()
                    .any(|compared| compared.column == *column && compared.comparison == wanted)
            };
            has(Comparison::Between) || has(Comparison::AtLeast) && has(Comparison::AtMost)
        };
        let mut keys: Vec<Vec<String>> = Vec::new();
        match self.table(table) {
            Some(known) => {
                keys.extend(
                    known
                        .constraints
                        .iter()
                        .filter(|constraint| {
                            matches!(
                                constraint.kind,
                                ConstraintKind::PrimaryKey { .. } | ConstraintKind::Unique { .. }
                            )
                        })
                        .map(|constraint| constraint.columns.clone()),
                );
                keys.extend(
                    self.indexes(table)
                        .filter(|index| index.unique)
                        .filter_map(|index| index.columns.iter().cloned().collect()),
                );
                if !known.certain {
                    keys.push(vec!["id".to_owned()]);
                }
            }
            None => keys.push(vec!["id".to_owned()]),
        }
        keys.iter()
            .any(|key| !key.is_empty() && (key.iter().all(fixed) || spanned(&key[0])))
    }
}
