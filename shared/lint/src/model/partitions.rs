//! The partitioned tables and their partitions, as far as they are known from the text.

use pg_sql::Name;

use super::{Model, Table};
use crate::change::{Constraint, ConstraintKind};

impl Model {
    /// The partitions of a table that the text names.
    pub fn partitions<'a>(&'a self, of: &'a Name) -> impl Iterator<Item = (&'a Name, &'a Table)> {
        self.tables.iter().filter(move |(_, table)| {
            let partition = table.partition.as_ref();
            partition.is_some_and(|partition| partition.of == *of)
        })
    }

    /// Whether a table is partitioned; `None` if the text does not name it.
    pub fn is_partitioned(&self, table: &Name) -> Option<bool> {
        self.find(table).map(|table| table.partitioned)
    }

    /// Whether an index, which may belong to a key, is on a partitioned table.
    pub fn is_partitioned_index(&self, index: &Name) -> bool {
        let by_index = self.in_any_schema(index, |index| {
            let table = &self.index(index)?.table;
            self.is_partitioned(table)
        });
        by_index.unwrap_or_else(|| {
            let mut tables = self.tables.values().filter(|table| table.partitioned);
            tables.any(|table| {
                let mut names = table.constraints.iter().map(|it| it.name.as_ref());
                names.any(|name| name == Some(&index.name))
            })
        })
    }

    /// Whether a table has a default partition.
    pub fn has_default_partition(&self, table: &Name) -> bool {
        let qualified = self.in_any_schema(table, |name| {
            self.tables.contains(name).then(|| name.clone())
        });
        qualified.is_some_and(|table| {
            let mut partitions = self.partitions(&table);
            partitions.any(|(_, it)| it.partition.as_ref().is_some_and(|it| it.default))
        })
    }

    /// Whether all partitions have a foreign key, so that one on the partitioned table reuses theirs.
    pub fn partitions_have_key(&self, table: &Name, key: &Constraint) -> bool {
        let ConstraintKind::ForeignKey { to, .. } = &key.kind else {
            return false;
        };
        let has_it = |table: &Table| {
            table.constraints.iter().any(|own| {
                let is_to = matches!(&own.kind, ConstraintKind::ForeignKey { to: target, .. } if target == to);
                is_to && own.columns == key.columns && !own.not_valid
            })
        };
        if self.is_partitioned(table) != Some(true) {
            return false;
        }
        let mut partitions = self.partitions(table).peekable();
        partitions.peek().is_some()
            && partitions.all(|(name, partition)| {
                has_it(partition) || partition.partitioned && self.partitions_have_key(name, key)
            })
    }
}
