//! The schema that results from statements, as far as it is known from the text of a service's migrations.
//!
//! Responsible for tracking what is created, altered, renamed and dropped, and what is uncertain. Not for
//! findings.

mod follow;
mod indexes;
mod partitions;
mod shared_map;

use std::collections::BTreeSet;

use pg_sql::Name;

use self::indexes::Indexes;
use self::shared_map::SharedMap;
use super::change::{Column, Compared, Comparison, Constraint, ConstraintKind, Index, Partition};
use super::first_mentions::is_given;
use super::mentions::Mentions;
use super::names::PUBLIC;

/// A schema that is derived from text. Copies share what they have in common.
#[derive(Clone, Debug, Default)]
pub struct Model {
    tables: SharedMap<Table>,
    indexes: Indexes,
    enums: SharedMap<Enum>,
    views: SharedMap<View>,
    /// The schemas of all views so far.
    view_schemas: BTreeSet<Option<String>>,
    schemas: BTreeSet<String>,
    blurred: bool,
}

/// A table as the statements so far leave it.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its columns, in the order of their creation.
    pub columns: Vec<Column>,
    /// Its constraints, with their names in the database.
    pub constraints: Vec<Constraint>,
    /// Its triggers that refer to columns: names and definitions.
    pub triggers: Vec<(String, Mentions)>,
    /// Whether the table is fully known.
    pub certain: bool,
    pub partitioned: bool,
    pub partition: Option<Partition>,
}

/// An enum type.
#[derive(Clone, Debug)]
pub struct Enum {
    pub labels: Vec<String>,
    pub certain: bool,
}

/// A view.
#[derive(Clone, Debug)]
pub struct View {
    /// What it reads.
    pub reads: Mentions,
    pub certain: bool,
}

impl Table {
    /// The column with this name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    fn column_mut(&mut self, name: &str) -> Option<&mut Column> {
        self.columns.iter_mut().find(|column| column.name == name)
    }
}

impl Model {
    /// The table with exactly this name.
    pub fn table(&self, name: &Name) -> Option<&Table> {
        self.tables.get(name)
    }

    /// The table with this name, in any schema if the name has none.
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

    /// Whether certainly no table, view or index of this name exists.
    pub fn lacks(&self, name: &Name) -> bool {
        !self.blurred
            && !is_given(&name.name)
            && self.find(name).is_none()
            && !is_in(&self.view_schemas, name, |name| self.views.contains(name))
            && !self.indexes.has_in_any_schema(name)
    }

    /// All tables that were created and not dropped.
    pub fn tables(&self) -> impl Iterator<Item = (&Name, &Table)> {
        self.tables.iter()
    }

    /// The indexes of a table, without those of its constraints.
    pub fn indexes<'a>(&'a self, table: &'a Name) -> impl Iterator<Item = &'a Index> {
        self.indexes.of(table)
    }

    /// The index with this name.
    pub fn index(&self, name: &Name) -> Option<&Index> {
        self.indexes.named(name)
    }

    /// The enum type with this name.
    pub fn enum_type(&self, name: &Name) -> Option<&Enum> {
        self.enums.get(name)
    }

    /// All views.
    pub fn views(&self) -> impl Iterator<Item = (&Name, &View)> {
        self.views.iter()
    }

    /// Whether the migrations create tables in a schema.
    pub fn knows_schema(&self, schema: &str) -> bool {
        schema == PUBLIC || self.schemas.contains(schema)
    }

    /// Whether tables may exist that the text does not name.
    pub fn is_blurred(&self) -> bool {
        self.blurred
    }

    /// Whether an index supports lookups by these columns: they are its leading columns, in any order.
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

    /// Whether a WHERE limits the number of rows by a key.
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

/// Whether a name is in one of some schemas; without a schema of its own, in any of them.
fn is_in(
    schemas: &BTreeSet<Option<String>>,
    name: &Name,
    contains: impl Fn(&Name) -> bool,
) -> bool {
    if name.schema.is_some() {
        return contains(name);
    }
    schemas.iter().any(|schema| {
        contains(&Name {
            schema: schema.clone(),
            name: name.name.clone(),
        })
    })
}
