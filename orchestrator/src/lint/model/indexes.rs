//! The indexes of a schema, by table and by name: a file may make thousands.

use std::collections::BTreeMap;

use shared::sql::Name;

use crate::lint::change::Index;

/// Indexes.
#[derive(Clone, Debug, Default)]
pub(super) struct Indexes {
    /// Those of each table, by their name and, where the server chooses one, by number.
    of: BTreeMap<Name, BTreeMap<Key, Index>>,
    /// The table of each name.
    tables: BTreeMap<Name, Name>,
    made: usize,
}

/// The name of an index, or its number where it has none.
type Key = Result<Name, usize>;

impl Indexes {
    /// Those of a table.
    pub(super) fn of(&self, table: &Name) -> impl Iterator<Item = &Index> {
        self.of.get(table).into_iter().flat_map(BTreeMap::values)
    }

    /// The one of a name.
    pub(super) fn named(&self, name: &Name) -> Option<&Index> {
        self.of.get(self.tables.get(name)?)?.get(&Ok(name.clone()))
    }

    /// All names.
    pub(super) fn names(&self) -> impl Iterator<Item = &Name> {
        self.tables.keys()
    }

    /// Adds one, unless there is one of that name.
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

    /// Removes the one of a name.
    pub(super) fn remove(&mut self, name: &Name) -> Option<Index> {
        let table = self.tables.remove(name)?;
        self.of.get_mut(&table)?.remove(&Ok(name.clone()))
    }

    /// Removes those of a table.
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

    /// Changes those of a table, or removes them where the change says no.
    pub(super) fn retain_of(&mut self, table: &Name, mut keep: impl FnMut(&mut Index) -> bool) {
        for mut index in self.remove_of(table) {
            if keep(&mut index) {
                self.add(index);
            }
        }
    }

    /// Removes those of tables.
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
