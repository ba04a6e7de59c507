//! The indexes of a schema, by table and by name: a file may create thousands.

use std::collections::BTreeMap;

use pg_sql::Name;

use crate::change::Index;

/// Indexes.
#[derive(Clone, Debug, Default)]
pub(super) struct Indexes {
    /// The indexes of each table, by name or, if the server chooses the name, by number.
    of: BTreeMap<Name, BTreeMap<Key, Index>>,
    /// The table of each index name.
    tables: BTreeMap<Name, Name>,
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

    /// All names.
    pub(super) fn names(&self) -> impl Iterator<Item = &Name> {
        self.tables.keys()
    }

    /// Adds an index, unless the name exists.
    pub(super) fn add(&mut self, index: Index) {
        let key = match &index.name {
            Some(name) if self.tables.contains_key(name) => return,
            Some(name) => {
                self.tables.insert(name.clone(), index.table.clone());
                Ok(name.clone())
            }
            None => {
                self.made += 1;
                Err(self.made)
            }
        };
        let of = self.of.entry(index.table.clone()).or_default();
        of.insert(key, index);
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
            .keys()
            .filter(|table| is_gone(table))
            .cloned()
            .collect();
        for table in gone {
            self.remove_of(&table);
        }
    }
}
