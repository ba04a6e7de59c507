//! Compares two snapshots.
//!
//! Pairs objects by kind and name and reports each difference once: the parts of a missing object are not
//! listed again. Does not judge or display differences.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::definition::definition_in;
use crate::kind::Kind;
use crate::object::{Object, ObjectId};
use crate::order::SortKey;
use crate::snapshot::Snapshot;
use crate::spelling::same;
use crate::versions::{beside, unknown_to_one};

/// The outcome of comparing two snapshots.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// What `pg_dump` would print differently: schemas first, then tables and their parts.
    pub differences: Vec<Difference>,
    /// Tables whose common columns have a different physical order. Never a difference.
    pub column_order: Vec<ColumnOrder>,
    /// Invalid indexes that only the found schema has. Not differences, because `pg_dump` omits them.
    pub invalid_indexes: Vec<String>,
}

impl Comparison {
    /// Whether the schemas are the same, column order and invalid indexes aside.
    pub fn is_same(&self) -> bool {
        self.differences.is_empty()
    }
}

/// One object that is missing, extra or different.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Difference {
    /// The kind of the object.
    pub kind: Kind,
    /// The SQL name of the object; see [`Object::name`].
    pub object: String,
    /// The expected definition; `None` for an extra object.
    pub expected: Option<String>,
    /// The definition found; `None` for a missing object.
    pub found: Option<String>,
    /// The attributes that differ, if both sides have the object.
    pub attributes: Vec<AttributeDifference>,
    /// The same attributes one by one: each privilege of each role is one fact, named `grant`. Includes the facts of
    /// an object that consists only of its facts, such as default privileges.
    pub facts: Vec<AttributeDifference>,
}

/// One attribute that differs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AttributeDifference {
    /// The attribute's name, such as `type` or `default`.
    pub name: String,
    /// The expected value; `None` if unset.
    pub expected: Option<String>,
    /// The value found; `None` if unset.
    pub found: Option<String>,
}

/// A table whose columns have a different physical order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ColumnOrder {
    /// The SQL name of the table.
    pub table: String,
    /// The common columns, in the expected order.
    pub expected: Vec<String>,
    /// The same columns, in the order found.
    pub found: Vec<String>,
}

/// Lists how `found` differs from `expected`.
pub fn compare(expected: &Snapshot, found: &Snapshot) -> Comparison {
    let left = by_id(expected);
    let right = by_id(found);
    let mut placed: Vec<(SortKey, Difference)> = Vec::new();
    let mut invalid_indexes = Vec::new();
    for (id, object) in &left {
        let difference = match right.get(id) {
            Some(other) => changed(object, other, expected, found),
            None if object.is_invalid_index() || covered_by_another(object, &left, &right) => None,
            None => Some(Difference {
                expected: Some(definition_in(expected, object)),
                facts: facts_alone(object, Side::Expected),
                ..difference(object)
            }),
        };
        placed.extend(difference.map(|difference| (SortKey::of(object, &left), difference)));
    }
    for (id, object) in right.iter().filter(|(id, _)| !left.contains_key(*id)) {
        if covered_by_another(object, &right, &left) {
            continue;
        }
        if object.is_invalid_index() {
            invalid_indexes.push(id.name.clone());
            continue;
        }
        let difference = Difference {
            found: Some(definition_in(found, object)),
            facts: facts_alone(object, Side::Found),
            ..difference(object)
        };
        placed.push((SortKey::of(object, &right), difference));
    }
    placed.sort();
    Comparison {
        differences: placed
            .into_iter()
            .map(|(_, difference)| difference)
            .collect(),
        column_order: column_orders(expected, found, &right),
        invalid_indexes,
    }
}

fn by_id(snapshot: &Snapshot) -> BTreeMap<ObjectId, &Object> {
    snapshot
        .objects()
        .map(|object| (object.id(), object))
        .collect()
}

fn difference(object: &Object) -> Difference {
    Difference {
        kind: object.kind,
        object: object.name.clone(),
        expected: None,
        found: None,
        attributes: Vec::new(),
        facts: Vec::new(),
    }
}

#[derive(Clone, Copy)]
enum Side {
    Expected,
    Found,
}

impl Side {
    /// An attribute that only this side has.
    fn alone(self, name: &str, value: String) -> AttributeDifference {
        let (expected, found) = match self {
            Self::Expected => (Some(value), None),
            Self::Found => (None, Some(value)),
        };
        AttributeDifference {
            name: name.to_owned(),
            expected,
            found,
        }
    }
}

/// The facts of an object that only one side has, if the object consists only of its facts.
fn facts_alone(object: &Object, side: Side) -> Vec<AttributeDifference> {
    let is_said_only = match object.kind {
        Kind::Privileges | Kind::DefaultPrivileges => true,
        // The columns of a view are part of its definition.
        Kind::Column => object.parent.as_ref().is_some_and(|parent| {
            matches!(
                parent.kind,
                Kind::View | Kind::MaterialisedView | Kind::Composite
            )
        }),
        _ => false,
    };
    if !is_said_only {
        return Vec::new();
    }
    let others = object
        .attributes
        .iter()
        .filter(|(name, _)| **name != GRANTS);
    let mut facts: Vec<AttributeDifference> = others
        .map(|(name, value)| side.alone(name, value.clone()))
        .collect();
    let grants = object.grant_statements();
    facts.extend(grants.into_iter().map(|grant| side.alone(GRANT, grant)));
    facts
}

/// The attribute that lists all grants, and the name of a single grant as a fact.
const GRANTS: &str = "grants";
const GRANT: &str = "grant";

/// The attributes that differ, with each grant as a separate attribute.
fn one_by_one(
    attributes: &[AttributeDifference],
    object: &Object,
    other: &Object,
) -> Vec<AttributeDifference> {
    let mut facts = Vec::new();
    for attribute in attributes {
        if attribute.name != GRANTS {
            facts.push(attribute.clone());
            continue;
        }
        let (expected, found) = (object.grant_statements(), other.grant_statements());
        let missing = expected.difference(&found).cloned();
        facts.extend(missing.map(|grant| Side::Expected.alone(GRANT, grant)));
        let extra = found.difference(&expected).cloned();
        facts.extend(extra.map(|grant| Side::Found.alone(GRANT, grant)));
    }
    facts
}

/// The difference between two objects with the same name, if any.
fn changed(
    object: &Object,
    other: &Object,
    expected: &Snapshot,
    found: &Snapshot,
) -> Option<Difference> {
    if object.attributes == other.attributes
        || (object.is_invalid_index() && other.is_invalid_index())
    {
        return None;
    }
    let (object, other) = (
        &beside(object, expected, found),
        &beside(other, found, expected),
    );
    let unknown = unknown_to_one(object.kind, expected, found);
    let names: BTreeSet<&str> = object
        .attributes
        .keys()
        .chain(other.attributes.keys())
        .copied()
        .collect();
    let attributes: Vec<AttributeDifference> = names
        .into_iter()
        .filter(|name| !unknown.contains(name))
        .filter(|name| {
            !same(
                object.kind,
                name,
                object.attribute(name),
                other.attribute(name),
            )
        })
        .map(|name| AttributeDifference {
            name: name.to_owned(),
            expected: object.attribute(name).map(str::to_owned),
            found: other.attribute(name).map(str::to_owned),
        })
        .collect();
    if attributes.is_empty() {
        return None;
    }
    Some(Difference {
        expected: Some(definition_in(expected, object)),
        found: Some(definition_in(found, other)),
        facts: one_by_one(&attributes, object, other),
        attributes,
        ..difference(object)
    })
}

/// Whether another difference already covers the absence of `object` from `others`: its parent, or the object that
/// it refers to, is absent too.
fn covered_by_another(
    object: &Object,
    own: &BTreeMap<ObjectId, &Object>,
    others: &BTreeMap<ObjectId, &Object>,
) -> bool {
    let lacks = |id: &Option<ObjectId>| {
        id.as_ref()
            .is_some_and(|id| own.contains_key(id) && !others.contains_key(id))
    };
    lacks(&object.parent) || lacks(&object.mentions)
}

/// The tables in both snapshots whose common columns have a different physical order.
fn column_orders(
    expected: &Snapshot,
    found: &Snapshot,
    right: &BTreeMap<ObjectId, &Object>,
) -> Vec<ColumnOrder> {
    let names = |snapshot: &Snapshot, table: &str| -> Vec<String> {
        snapshot
            .column_objects(table)
            .into_iter()
            .map(|column| column.bare_name().to_owned())
            .collect()
    };
    expected
        .objects()
        .filter(|table| {
            matches!(table.kind, Kind::Table | Kind::ForeignTable)
                && right.contains_key(&table.id())
        })
        .filter_map(|table| {
            let (mut left, mut right) = (names(expected, &table.name), names(found, &table.name));
            if left == right {
                return None;
            }
            let common: BTreeSet<String> = left
                .iter()
                .filter(|name| right.contains(name))
                .cloned()
                .collect();
            left.retain(|name| common.contains(name));
            right.retain(|name| common.contains(name));
            (left != right).then(|| ColumnOrder {
                table: table.name.clone(),
                expected: left,
                found: right,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::compare;
    use crate::kind::Kind;
    use crate::object::{Object, ObjectId, RoleFacts};
    use crate::privileges::relative;
    use crate::role::Role;
    use crate::snapshot::Snapshot;

    fn object(
        kind: Kind,
        name: &str,
        parent: Option<(Kind, &str)>,
        facts: &[(&'static str, &str)],
    ) -> Object {
        Object {
            kind,
            schema: Some("public".to_owned()),
            name: name.to_owned(),
            parent: parent.map(|(kind, name)| ObjectId {
                kind,
                name: name.to_owned(),
            }),
            attributes: facts
                .iter()
                .map(|(name, value)| (*name, (*value).to_owned()))
                .collect::<BTreeMap<_, _>>(),
            bare_name: name.rsplit('.').next().unwrap_or_default().to_owned(),
            position: None,
            mentions: None,
            roles: RoleFacts::default(),
        }
    }

    fn table() -> Object {
        object(Kind::Table, "public.t", None, &[])
    }

    fn column(name: &str, position: i32, facts: &[(&'static str, &str)]) -> Object {
        let mut column = object(
            Kind::Column,
            &format!("public.t.{name}"),
            Some((Kind::Table, "public.t")),
            facts,
        );
        column.position = Some(position);
        column
    }

    fn snapshot(objects: Vec<Object>) -> Snapshot {
        Snapshot::new(150_000, true, objects)
    }

    #[test]
    fn a_missing_table_is_one_difference_with_its_columns_in_the_definition() {
        let full = snapshot(vec![
            table(),
            column("a", 1, &[("type", "integer"), ("nullable", "no")]),
        ]);
        let comparison = compare(&full, &snapshot(vec![]));
        assert_eq!(comparison.differences.len(), 1);
        assert_eq!(comparison.differences[0].object, "public.t");
        assert!(
            comparison.differences[0]
                .expected
                .as_deref()
                .is_some_and(|text| text.contains("a integer NOT NULL"))
        );
        assert_eq!(comparison.differences[0].found, None);
    }

    #[test]
    fn a_changed_attribute_is_reported_with_both_values() {
        let left = snapshot(vec![
            table(),
            column("a", 1, &[("type", "integer"), ("nullable", "no")]),
        ]);
        let right = snapshot(vec![
            table(),
            column("a", 1, &[("type", "bigint"), ("nullable", "no")]),
        ]);
        let comparison = compare(&left, &right);
        let facts = &comparison.differences[0].attributes;
        assert_eq!(facts.len(), 1);
        assert_eq!(
            (facts[0].name.as_str(), facts[0].found.as_deref()),
            ("type", Some("bigint"))
        );
    }

    #[test]
    fn each_privilege_is_a_fact_of_its_own() {
        let granted = |acl: &str| {
            let owner = Role::named("o");
            let mut table = table();
            table.roles.grants = relative(acl, "", 'r', Some(&owner));
            table.spell_roles();
            snapshot(vec![table])
        };
        let comparison = compare(
            &granted("app=r/o\nb=arwdDxt/o"),
            &granted("app=rw/o\nb=arwdDxt/o\nc=rd/o"),
        );
        let facts: Vec<(&str, Option<&str>)> = comparison.differences[0]
            .facts
            .iter()
            .map(|fact| (fact.name.as_str(), fact.found.as_deref()))
            .collect();
        assert_eq!(
            facts,
            [
                ("grant", Some("GRANT DELETE TO c")),
                ("grant", Some("GRANT SELECT TO c")),
                ("grant", Some("GRANT UPDATE TO app")),
            ]
        );
        // ALL means each of its privileges: a smaller set differs in the remaining ones.
        let comparison = compare(&granted("b=arwdDx/o"), &granted("b=arwdDxt/o"));
        assert_eq!(comparison.differences[0].facts.len(), 1);
        assert_eq!(
            comparison.differences[0].facts[0].found.as_deref(),
            Some("GRANT TRIGGER TO b")
        );
    }

    #[test]
    fn column_order_is_reported_separately_and_only_for_common_columns() {
        let facts: &[(&'static str, &str)] = &[("type", "integer")];
        let left = snapshot(vec![table(), column("a", 1, facts), column("b", 2, facts)]);
        let moved = snapshot(vec![table(), column("a", 3, facts), column("b", 2, facts)]);
        let comparison = compare(&left, &moved);
        assert!(comparison.is_same());
        assert_eq!(comparison.column_order[0].found, ["b", "a"]);
        let shorter = snapshot(vec![table(), column("b", 2, facts)]);
        assert!(compare(&left, &shorter).column_order.is_empty());
    }

    #[test]
    fn an_invalid_index_is_a_difference_only_if_a_valid_one_is_expected() {
        let index = |valid| {
            object(
                Kind::Index,
                "public.i",
                Some((Kind::Table, "public.t")),
                &[("valid", valid)],
            )
        };
        let without = snapshot(vec![table()]);
        let invalid = snapshot(vec![table(), index("no")]);
        let valid = snapshot(vec![table(), index("yes")]);
        let comparison = compare(&without, &invalid);
        assert!(comparison.is_same());
        assert_eq!(comparison.invalid_indexes, ["public.i"]);
        assert_eq!(compare(&valid, &invalid).differences.len(), 1);
    }

    #[test]
    fn parts_of_a_missing_column_are_not_reported_again() {
        let sequence = object(
            Kind::Sequence,
            "public.t_a_seq",
            Some((Kind::Column, "public.t.a")),
            &[("start", "1")],
        );
        let left = snapshot(vec![
            table(),
            column("a", 1, &[("type", "integer")]),
            sequence,
        ]);
        let right = snapshot(vec![table()]);
        let comparison = compare(&left, &right).differences;
        assert_eq!(comparison.len(), 1);
        assert_eq!(comparison[0].object, "public.t.a");
    }

    #[test]
    fn tables_sort_by_name_and_parts_follow_their_table() {
        let other = object(Kind::Table, "public.a", None, &[]);
        let index = object(
            Kind::Index,
            "public.a_idx",
            Some((Kind::Table, "public.t")),
            &[("valid", "yes")],
        );
        let left = snapshot(vec![table(), column("x", 1, &[("type", "text")])]);
        let right = snapshot(vec![other, table(), index]);
        let names: Vec<String> = compare(&left, &right)
            .differences
            .into_iter()
            .map(|d| d.object)
            .collect();
        assert_eq!(names, ["public.a", "public.t.x", "public.a_idx"]);
    }
}
