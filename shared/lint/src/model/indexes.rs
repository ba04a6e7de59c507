//! The indexes of a schema, by table and by name: a file may create thousands.

use std::collections::{BTreeMap, BTreeSet};

use pg_sql::Name;

use super::shared_map::SharedMap;
use crate::change::Index;

/// Indexes.
#[derive(Clone, Debug, Default)]
pub(super) struct Indexes {
    /// The indexes of each table, by name or, if the server chooses the name, by number.
    of: SharedMap<BTreeMap<Key, Index>>,
    /// The table of each index name.
    tables: SharedMap<Name>,
    /// The schemas of all names so far.
    schemas: BTreeSet<Option<String>>,
    made: usize,
}

/// The name of an index, or its number if it has none.
type Key = Result<Name, usize>;

impl Indexes {
    /// The indexes of a table.
    pub(super) fn of(&self, table: &Name) -> impl Iterator<Item = &Index> {
        self.of.get(table).into_iter().flat_map(BTreeMap::values)
    }

    /// The index with this name.
    pub(super) fn named(&self, name: &Name) -> Option<&Index> {
        self.of.get(self.tables.get(name)?)?.get(&Ok(name.clone()))
    }

    /// Whether an index has this name, in any schema if the name has none.
    pub(super) fn has_in_any_schema(&self, name: &Name) -> bool {
        super::is_in(&self.schemas, name, |name| self.tables.contains(name))
    }

    /// Adds an index, unless the name exists.
    pub(super) fn add(&mut self, index: Index) {
        let key = match &index.name {
            Some(name) if self.tables.contains(name) => return,
            Some(name) => {
                self.schemas.insert(name.schema.clone());
                self.tables.insert(name.clone(), index.table.clone());
                Ok(name.clone())
            }
            None => {
                self.made += 1;
                Err(self.made)
            }
        };
        match self.of.get_mut(&index.table) {
            Some(of) => {
                of.insert(key, index);
            }
            None => {
                let table = index.table.clone();
                self.of.insert(table, BTreeMap::from([(key, index)]));
            }
        }
    }

    /// Removes the index with this name.
    pub(super) fn remove(&mut self, name: &Name) -> Option<Index> {
        let table = self.tables.remove(name)?;
        self.of.get_mut(&table)?.remove(&Ok(name.clone()))
    }

    /// Removes the indexes of a table.
    pub(super) fn remove_of(&mut self, table: &Name) -> Vec<Index> {
        let gone: Vec<Index> = self
            .of
            .remove(table)
            .into_iter()
            .flat_map(BTreeMap::into_values)
            .collect();
        for name in gone.iter().filter_map(|index| index.name.as_ref()) {
            self.tables.remove(name);
        }
        gone
    }

    /// Changes the indexes of a table; removes those for which the function returns false.
    pub(super) fn retain_of(&mut self, table: &Name, mut keep: impl FnMut(&mut Index) -> bool) {
        for mut index in self.remove_of(table) {
            if keep(&mut index) {
                self.add(index);
            }
        }
    }

    /// Removes the indexes of tables.
    pub(super) fn remove_where(&mut self, is_gone: impl Fn(&Name) -> bool) {
        let gone: Vec<Name> = self
            .of
            .iter()
            .map(|(table, _)| table)
            .filter(|table| is_gone(table))
            .cloned()
            .collect();
        for table in gone {
            self.remove_of(&table);
        }
    }
}
