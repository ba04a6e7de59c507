//! The statements that lead from one schema to another.
//!
//! What depends on a change is dropped first, in the reverse order of the old schema; then everything is changed and created in the
//! order of the new schema; types and schemas that are no longer used are dropped last.

mod change;
mod drops;
mod text;
mod twins;

use std::collections::{BTreeMap, BTreeSet};

use catalog::same_sql;
use pg_sql::quote_identifier as quote;

use crate::archive::Entry;
use crate::facts::Relation;
use crate::model::{Model, is_table, key, qualified};
use crate::table::TableChange;

pub(crate) use twins::same_by_another_name;

/// One statement of a migration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The SQL, which ends in a semicolon. May consist of several statements.
    pub sql: String,
    /// What the statement and its neighbors do.
    pub about: String,
    /// Whether it adds a value to an enum, which the same transaction cannot use.
    pub adds_value: bool,
}

/// What the migration would delete for good.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Loss {
    /// The rule of `check`: `drop-table` and `drop-column` are found in the plan, `loses-data`, `needs-empty-table` and
    /// `fails-on-rows` with generated rows.
    pub rule: &'static str,
    /// The table or column, as in `public.users.mail`.
    pub object: String,
}

/// A drop and an addition that may be a rename.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Likely {
    /// The old object, as in `public.users.mail`.
    pub old: String,
    pub new: String,
}

/// The way from one schema to another.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) statements: Vec<Statement>,
    pub(crate) losses: Vec<Loss>,
    pub(crate) likely: Vec<Likely>,
}

/// What may only go after everything that used it.
const LAST: [&str; 6] = [
    "TYPE",
    "SHELL TYPE",
    "DOMAIN",
    "SCHEMA",
    "EXTENSION",
    "ACCESS METHOD",
];
/// What changes in place and is never dropped because of a dependency.
const IN_PLACE: [&str; 8] = [
    "TABLE",
    "SEQUENCE",
    "SEQUENCE OWNED BY",
    "SCHEMA",
    "EXTENSION",
    "TYPE",
    "DOMAIN",
    "TABLE ATTACH",
];
/// What a change of a column's type does not rebuild by itself.
const BLOCKING: [&str; 9] = [
    "VIEW",
    "MATERIALIZED VIEW",
    "RULE",
    "POLICY",
    "TRIGGER",
    "FUNCTION",
    "PROCEDURE",
    "PUBLICATION TABLE",
    "FK CONSTRAINT",
];

pub(crate) struct Planner<'a> {
    old: &'a Model,
    new: &'a Model,
    changes: BTreeMap<usize, TableChange>,
    /// The types that a new one of the same name replaces.
    replaced: BTreeSet<usize>,
    /// The entries that are dropped, of which those that `new` has too are created again.
    dropped: BTreeSet<usize>,
    in_one: bool,
    plan: Plan,
}

/// The statements from one schema to another.
pub(crate) fn plan(from: &Model, to: &Model) -> Plan {
    Planner::plan(&mut from.clone(), &mut to.clone(), false)
}

impl<'a> Planner<'a> {
    /// Plans the way from `old` to `new`. With `in_one`, no statement adds a value to an enum, which the same transaction could not
    /// use: the enum is replaced.
    pub(crate) fn plan(old: &'a mut Model, new: &'a mut Model, in_one: bool) -> Plan {
        old.separate(&new.keys());
        new.separate(&old.keys());
        // A partition that is detached and attached again does not follow its parent.
        for (schema, tag) in Model::moved_partitions(old, new) {
            old.detach(&schema, &tag);
            new.detach(&schema, &tag);
        }
        let mut planner = Self {
            old,
            new,
            changes: BTreeMap::new(),
            replaced: BTreeSet::new(),
            dropped: BTreeSet::new(),
            in_one,
            plan: Plan::default(),
        };
        planner.find_replaced_types();
        planner.find_table_changes();
        planner.find_dropped();
        planner.drop_first();
        planner.change_and_create();
        planner.drop_last();
        planner.find_likely_renames();
        planner.plan
    }

    fn pair(&self, index: usize) -> Option<(&'a Entry, &'a Entry)> {
        let old = &self.old.entries[index];
        let new = self.new.find(&key(old))?;
        Some((old, &self.new.entries[new]))
    }

    fn find_replaced_types(&mut self) {
        for index in 0..self.old.entries.len() {
            let Some((old, new)) = self.pair(index) else {
                continue;
            };
            let is_replaced = match old.kind.as_str() {
                "TYPE" => match (self.old.labels(old), self.new.labels(new)) {
                    (Some(before), Some(after)) => {
                        !is_subsequence(before, after) || (self.in_one && before != after)
                    }
                    (None, None) => {
                        old.create != new.create
                            && !match (self.old.relation(old), self.new.relation(new)) {
                                (Some(one), Some(other)) => {
                                    same_attributes(one, other) || !self.old.is_in_use(old.oid)
                                }
                                _ => false,
                            }
                    }
                    _ => true,
                },
                "DOMAIN" => {
                    self.old.domain(old).map(|it| &it.base)
                        != self.new.domain(new).map(|it| &it.base)
                        // The server adds no check to a domain whose array is a column.
                        || (self.old.checks_of_domain(old) != self.new.checks_of_domain(new)
                            && self.old.is_array_in_use(old.oid))
                }
                _ => false,
            };
            if is_replaced {
                self.replaced.insert(index);
            }
        }
        // A domain over a replaced type is replaced too.
        loop {
            let more: Vec<usize> = (self.old.edges.iter())
                .filter(|edge| {
                    self.replaced.contains(&edge.to) && !self.replaced.contains(&edge.from)
                })
                .map(|edge| edge.from)
                .filter(|from| {
                    ["TYPE", "DOMAIN"].contains(&self.old.entries[*from].kind.as_str())
                        && self.pair(*from).is_some()
                })
                .collect();
            if more.is_empty() {
                return;
            }
            self.replaced.extend(more);
        }
    }

    fn is_replaced(&self, type_oid: i64) -> bool {
        self.old
            .type_entry(type_oid)
            .is_some_and(|it| self.replaced.contains(&it))
    }

    fn find_table_changes(&mut self) {
        for (index, relation) in self.old.tables() {
            let Some((_, entry)) = self.pair(index) else {
                continue;
            };
            let Some(other) = self.new.relation(entry) else {
                continue;
            };
            let change = TableChange::new(self.old, (relation, other), |oid| self.is_replaced(oid));
            for name in &change.lost {
                self.plan.losses.push(Loss {
                    rule: "drop-column",
                    object: format!("{}.{name}", relation.name),
                });
            }
            self.changes.insert(index, change);
        }
    }

    fn find_dropped(&mut self) {
        for index in 0..self.old.entries.len() {
            let is_dropped = match self.pair(index) {
                None => {
                    let entry = &self.old.entries[index];
                    if is_table(entry) {
                        self.plan.losses.push(Loss {
                            rule: "drop-table",
                            object: qualified(entry),
                        });
                    }
                    true
                }
                Some((old, new)) => {
                    !same_sql(&old.create, &new.create) && self.must_recreate(old, new)
                }
            };
            if is_dropped {
                self.dropped.insert(index);
            }
        }
        self.recreate_comments_of_domain_checks();
        loop {
            let is_rebuilding = self.rebuild_generated_columns();
            self.recreate_what_belongs_to_rebuilt_columns();
            let more: Vec<usize> = (self.old.edges.iter())
                .filter(|edge| !self.dropped.contains(&edge.from))
                .filter(|edge| self.is_disturbed(edge.from, edge.to, edge.to_column, edge.is_part))
                .map(|edge| edge.from)
                .collect();
            if more.is_empty() && !is_rebuilding {
                break;
            }
            self.dropped.extend(more);
        }
        self.suspend_default_privileges();
    }

    /// Generated columns whose expression uses what is dropped. Answers whether there are more of them.
    fn rebuild_generated_columns(&mut self) -> bool {
        let mut is_rebuilding = false;
        let gone: BTreeSet<usize> = self.dropped.union(&self.replaced).copied().collect();
        for (index, change) in &mut self.changes {
            let Some(table) = self.old.relation(&self.old.entries[*index]) else {
                continue;
            };
            for number in self.old.generated_using(table, &gone) {
                is_rebuilding |= change.rebuild(number);
            }
        }
        is_rebuilding
    }

    /// Comments on the checks of a domain that are dropped and added again.
    fn recreate_comments_of_domain_checks(&mut self) {
        for index in 0..self.old.entries.len() {
            let Some((old, new)) = self.pair(index).filter(|(old, _)| old.kind == "DOMAIN") else {
                continue;
            };
            let after = self.new.checks_of_domain(new);
            for (name, definition) in self.old.checks_of_domain(old) {
                let is_same = (after.get(name)).is_some_and(|it| same_sql(it, definition));
                let tag = format!("CONSTRAINT {name} ON DOMAIN {}", quote(&old.tag));
                let comment = ("COMMENT".to_owned(), old.schema.clone(), tag);
                self.dropped
                    .extend(self.old.find(&comment).filter(|_| !is_same));
            }
        }
    }

    /// Default privileges would apply to what is created, whose own privileges are complete.
    fn suspend_default_privileges(&mut self) {
        let creates = (self.new.entries.iter()).any(|entry| {
            let others = ["ACL", "COMMENT", "DEFAULT", "CONSTRAINT"];
            !others.iter().any(|it| entry.kind.ends_with(it))
                && (self.old.find(&key(entry))).is_none_or(|it| self.dropped.contains(&it))
        });
        for (index, entry) in self.old.entries.iter().enumerate() {
            if creates && entry.kind == "DEFAULT ACL" {
                self.dropped.insert(index);
            }
        }
    }

    fn must_recreate(&self, old: &Entry, new: &Entry) -> bool {
        match old.kind.as_str() {
            "ACL" | "DEFAULT ACL" | "COMMENT" | "DEFAULT" | "SECURITY LABEL" => false,
            kind if IN_PLACE.contains(&kind) => kind == "TABLE ATTACH",
            "VIEW" => !match (self.old.relation(old), self.new.relation(new)) {
                (Some(old), Some(new)) => {
                    old.columns.len() <= new.columns.len()
                        && old.columns.iter().zip(&new.columns).all(|(one, other)| {
                            (&one.name, &one.type_name, &one.collation)
                                == (&other.name, &other.type_name, &other.collation)
                        })
                        && old.options == new.options
                }
                _ => false,
            },
            "FUNCTION" | "PROCEDURE" => !match (self.old.signature(old), self.new.signature(new)) {
                (Some(old), Some(new)) => old.fixed == new.fixed && old.defaults <= new.defaults,
                _ => false,
            },
            _ => true,
        }
    }

    /// The tags of the comments and privileges of columns.
    fn tags_of_columns(
        &self,
        numbers: impl Fn(&TableChange) -> &BTreeSet<i32>,
    ) -> BTreeSet<(String, String)> {
        let mut tags = BTreeSet::new();
        for (index, change) in &self.changes {
            let entry = &self.old.entries[*index];
            for column in self.old.relation(entry).iter().flat_map(|it| &it.columns) {
                if numbers(change).contains(&column.number) {
                    let tag = format!("COLUMN {}.{}", quote(&entry.tag), column.name);
                    tags.insert((entry.schema.clone(), tag));
                }
            }
        }
        tags
    }

    /// Comments and privileges of a column that is dropped and added again.
    fn recreate_what_belongs_to_rebuilt_columns(&mut self) {
        let tags = self.tags_of_columns(|it| &it.rebuilt);
        for (index, entry) in self.old.entries.iter().enumerate() {
            if tags.contains(&(entry.schema.clone(), entry.tag.clone())) {
                self.dropped.insert(index);
            }
        }
    }

    /// Whether a change of `to` requires that `from` is created again.
    fn is_disturbed(&self, from: usize, to: usize, column: i32, is_part: bool) -> bool {
        let kind = self.old.entries[from].kind.as_str();
        if IN_PLACE.contains(&kind) && !(kind == "TABLE ATTACH" && self.dropped.contains(&to)) {
            // The ownership of a sequence that stays is set again with the sequence.
            return kind == "SEQUENCE OWNED BY" && self.dropped.contains(&to);
        }
        if self.dropped.contains(&to) {
            return true;
        }
        if self.replaced.contains(&to) {
            return true;
        }
        self.changes.get(&to).is_some_and(|change| {
            column != 0
                && ((change.retyped.contains(&column)
                    && (BLOCKING.contains(&kind)
                        || (kind == "DEFAULT" && is_part && self.is_default_in_the_way(from))))
                    || (change.gone.contains(&column) && kind != "DEFAULT"))
        })
    }

    /// Whether a default has to go before the type of its column changes.
    fn is_default_in_the_way(&self, index: usize) -> bool {
        self.pair(index)
            .is_none_or(|(old, new)| old.create != new.create)
    }

    fn emit(&mut self, about: impl Into<String>, sql: impl Into<String>) {
        let sql = sql.into();
        if !sql.is_empty() {
            self.plan.statements.push(Statement {
                sql,
                about: about.into(),
                adds_value: false,
            });
        }
    }

    fn find_likely_renames(&mut self) {
        let shape = |relation: &Relation| -> Vec<(String, String)> {
            let columns = relation.columns.iter();
            columns
                .map(|it| (it.name.clone(), it.type_name.clone()))
                .collect()
        };
        for (index, old) in self.old.tables() {
            if let Some(change) = self.changes.get(&index) {
                let Some(new) = self.pair(index).and_then(|(_, it)| self.new.relation(it)) else {
                    continue;
                };
                let mut taken = BTreeSet::new();
                for column in old
                    .columns
                    .iter()
                    .filter(|it| change.lost.contains(&it.name))
                {
                    let twin = (new.columns.iter()).find(|it| {
                        change.added.contains(&it.name)
                            && !taken.contains(&it.name)
                            && it.type_name == column.type_name
                            && it.generated.is_empty()
                    });
                    taken.extend(twin.map(|it| &it.name));
                    self.plan.likely.extend(twin.map(|twin| Likely {
                        old: format!("{}.{}", old.name, column.name),
                        new: twin.name.clone(),
                    }));
                }
            } else if self.dropped.contains(&index) {
                let twin = (self.new.tables())
                    .find(|(it, new)| {
                        self.old.find(&key(&self.new.entries[*it])).is_none()
                            && shape(new) == shape(old)
                    })
                    .map(|(_, new)| new);
                self.plan.likely.extend(twin.map(|twin| Likely {
                    old: old.name.clone(),
                    new: match twin.schema == old.schema {
                        true => quote(&twin.bare_name),
                        false => twin.name.clone(),
                    },
                }));
            }
        }
    }
}

/// Whether the attributes that two composite types share have the same types.
fn same_attributes(one: &Relation, other: &Relation) -> bool {
    one.columns.iter().all(|it| {
        (other.columns.iter()).all(|twin| twin.name != it.name || twin.type_name == it.type_name)
    })
}

fn is_subsequence(part: &[String], whole: &[String]) -> bool {
    let mut rest = whole.iter();
    part.iter().all(|label| rest.any(|it| it == label))
}
