//! The order in which tables are filled: referenced tables first.
//!
//! Breaks cycles at columns that may be NULL.

use std::collections::{BTreeMap, BTreeSet};

use super::tables::Table;

/// The tables in order, by index. In a cycle, the table with the fewest required references comes
/// first.
pub(super) fn order(tables: &[Table]) -> Vec<usize> {
    let places: BTreeMap<u32, usize> = tables
        .iter()
        .enumerate()
        .map(|(place, table)| (table.oid, place))
        .collect();
    let parents = |place: usize, required_only: bool| -> BTreeSet<usize> {
        let table = &tables[place];
        table
            .foreign_keys
            .iter()
            .filter(|key| {
                !required_only
                    || key.columns.iter().all(|number| {
                        table
                            .position(*number)
                            .is_some_and(|column| table.columns[column].required)
                    })
            })
            .filter_map(|key| places.get(&key.parent).copied())
            .filter(|parent| *parent != place)
            .collect()
    };
    let mut waiting: BTreeSet<usize> = (0..tables.len()).collect();
    let mut ordered = Vec::with_capacity(tables.len());
    while !waiting.is_empty() {
        let open = |place: usize, required_only| {
            parents(place, required_only).intersection(&waiting).count()
        };
        let ready: Vec<usize> = waiting
            .iter()
            .copied()
            .filter(|place| open(*place, false) == 0)
            .collect();
        let next = if ready.is_empty() {
            waiting
                .iter()
                .copied()
                .min_by_key(|place| (open(*place, true), open(*place, false), *place))
                .into_iter()
                .collect()
        } else {
            ready
        };
        for place in next {
            waiting.remove(&place);
            ordered.push(place);
        }
    }
    ordered
}
