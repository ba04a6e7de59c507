//! An ordered map whose copies share their content: each file is checked on a copy of the schema before it, which is as large as all
//! files before it together.

use pg_sql::Name;
use rpds::RedBlackTreeMap;

/// A map by name. Copying it takes constant time; a change copies only the changed entries.
#[derive(Clone, Debug)]
pub(super) struct SharedMap<V> {
    entries: RedBlackTreeMap<Name, V>,
}

impl<V> Default for SharedMap<V> {
    fn default() -> Self {
        Self {
            entries: RedBlackTreeMap::new(),
        }
    }
}

impl<V: Clone> SharedMap<V> {
    pub(super) fn get(&self, name: &Name) -> Option<&V> {
        self.entries.get(name)
    }

    pub(super) fn get_mut(&mut self, name: &Name) -> Option<&mut V> {
        self.entries.get_mut(name)
    }

    pub(super) fn contains(&self, name: &Name) -> bool {
        self.entries.contains_key(name)
    }

    pub(super) fn insert(&mut self, name: Name, value: V) {
        self.entries.insert_mut(name, value);
    }

    pub(super) fn remove(&mut self, name: &Name) -> Option<V> {
        let removed = self.entries.get(name).cloned();
        self.entries.remove_mut(name);
        removed
    }

    /// The entries, sorted by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Name, &V)> {
        self.entries.iter()
    }

    /// The values, sorted by name.
    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.entries.values()
    }

    /// Changes the values that `is_affected` selects; all others stay shared.
    pub(super) fn update(
        &mut self,
        is_affected: impl Fn(&Name, &V) -> bool,
        mut change: impl FnMut(&mut V),
    ) {
        for name in self.names_where(is_affected) {
            if let Some(value) = self.entries.get_mut(&name) {
                change(value);
            }
        }
    }

    /// Removes the entries that `is_gone` selects.
    pub(super) fn remove_where(&mut self, is_gone: impl Fn(&Name, &V) -> bool) {
        for name in self.names_where(is_gone) {
            self.entries.remove_mut(&name);
        }
    }

    fn names_where(&self, is_selected: impl Fn(&Name, &V) -> bool) -> Vec<Name> {
        let selected = self
            .entries
            .iter()
            .filter(|(name, value)| is_selected(name, value));
        selected.map(|(name, _)| name.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::*;

    /// Counts its copies.
    struct Counted(Rc<Cell<usize>>);

    impl Clone for Counted {
        fn clone(&self) -> Self {
            self.0.set(self.0.get() + 1);
            Self(Rc::clone(&self.0))
        }
    }

    #[test]
    fn a_change_of_a_copy_copies_only_what_it_changes() {
        let copies = Rc::new(Cell::new(0));
        let name = |number: usize| Name {
            schema: None,
            name: format!("t{number:04}"),
        };
        let mut map = SharedMap::default();
        for number in 0..1_000 {
            map.insert(name(number), Counted(Rc::clone(&copies)));
        }
        let mut copy = map.clone();
        copy.insert(name(1_000), Counted(Rc::clone(&copies)));
        copy.remove_where(|other, _| *other == name(5));
        assert_eq!(copies.get(), 0);
        assert!(copy.get_mut(&name(7)).is_some());
        copy.update(|other, _| *other == name(9), |_| ());
        assert_eq!(copies.get(), 2);
        assert!(map.contains(&name(5)) && !copy.contains(&name(5)));
        assert_eq!(
            (map.values().count(), copy.values().count()),
            (1_000, 1_000)
        );
    }
}
