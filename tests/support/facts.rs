//! What a schema holds, as data: read from a server or from a fixture, and compared object by object.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::Server;

/// The kinds of objects that are compared. Extensions are apart: undoing a migration may leave them.
const KINDS: [&str; 5] = ["enums", "tables", "functions", "views", "sequences"];

/// The lists below a table that have no order of their own.
const TABLE_LISTS: [&str; 5] = [
    "unique_constraints",
    "check_constraints",
    "foreign_keys",
    "indexes",
    "triggers",
];

/// Enums, tables, functions and so on of a database's schema `public`.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts(Value);

/// The facts after one legacy migration.
pub struct LegacyFacts {
    /// The migration.
    pub version: i64,
    /// The name of its class in TypeORM, which stands in its row.
    pub class: String,
    /// The service's database.
    pub database: String,
    /// What its schema holds then.
    pub facts: Facts,
}

/// The legacy facts of a service, migration by migration.
pub fn legacy_facts(service: &str) -> Vec<LegacyFacts> {
    let folder = fixtures().join("legacy").join(service);
    let mut found: Vec<LegacyFacts> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| {
            let path = entry.expect("a file").path();
            let text = std::fs::read_to_string(&path).expect("a fixture");
            let value: Value = serde_json::from_str(&text).expect("a fixture is JSON");
            LegacyFacts {
                version: value["version"].as_i64().expect("a version"),
                class: list(&value["migrations"])
                    .last()
                    .and_then(|row| row["name"].as_str())
                    .expect("the row of the migration")
                    .to_owned(),
                database: value["database"].as_str().expect("a database").to_owned(),
                facts: Facts::normalised(value),
            }
        })
        .collect();
    found.sort_by_key(|facts| facts.version);
    assert!(!found.is_empty(), "{} is empty", folder.display());
    found
}

/// The facts of a service's database after its last legacy migration and the application's synchronisation.
pub fn synchronised_facts(service: &str) -> Facts {
    Facts::normalised(synchronised_document(service))
}

/// The same as it stands in the fixture.
pub(crate) fn synchronised_document(service: &str) -> Value {
    let file = fixtures()
        .join("synchronised")
        .join(format!("{service}.json"));
    let text = std::fs::read_to_string(&file)
        .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_json::from_str(&text).expect("a fixture is JSON")
}

impl Facts {
    /// The facts of a live database.
    pub fn of(server: &Server, database: &str) -> Self {
        let text = server.value(database, include_str!("facts.sql"));
        Self::normalised(serde_json::from_str(&text).expect("the query gives JSON"))
    }

    /// The facts of a database without any object.
    pub fn none() -> Self {
        Self::normalised(Value::Object(Map::new()))
    }

    /// The same without a table and the sequence of its ids.
    pub(crate) fn without(mut self, table: &str) -> Self {
        let sequence = format!("{table}_id_seq");
        for (kind, name) in [("tables", table), ("sequences", sequence.as_str())] {
            if let Some(objects) = self.0[kind].as_array_mut() {
                objects.retain(|object| object["name"] != name);
            }
        }
        self
    }

    /// Lists sorted by name, absent ones empty, and only what is compared.
    fn normalised(mut value: Value) -> Self {
        let mut facts = Map::new();
        for kind in KINDS.into_iter().chain(["extensions"]) {
            facts.insert(kind.to_owned(), Value::Array(named(value[kind].take())));
        }
        for extension in list_mut(&mut facts["extensions"]) {
            // Depends on the version of the server.
            extension
                .as_object_mut()
                .map(|object| object.remove("version"));
        }
        for table in list_mut(&mut facts["tables"]) {
            for list in TABLE_LISTS {
                table[list] = Value::Array(named(table[list].take()));
            }
            for column in list_mut(&mut table["columns"]) {
                if column.get("comment").is_none() {
                    column["comment"] = Value::Null;
                }
            }
        }
        Self(Value::Object(facts))
    }

    /// Panics with the first object that differs from what is expected, extensions included.
    #[track_caller]
    pub fn assert_are(&self, expected: &Self, when: &str) {
        if let Some(difference) = first_difference("", &self.0, &expected.0) {
            panic!("{when}: {difference}");
        }
    }

    /// As `assert_are`, but the columns may stand in any order: synchronisation drops columns and adds them at the end.
    #[track_caller]
    pub fn assert_are_but_for_the_order_of_columns(&self, expected: &Self, when: &str) {
        let compared = |facts: &Self| {
            let mut facts = facts.clone();
            for table in list_mut(&mut facts.0["tables"]) {
                table["columns"] = Value::Array(named(table["columns"].take()));
            }
            facts
        };
        compared(self).assert_are(&compared(expected), when);
    }

    /// As `assert_are`, after an undo of what made `undone`: extensions may stay, and a column that was dropped in
    /// between may stand elsewhere among the columns.
    #[track_caller]
    pub fn assert_are_restored(&self, expected: &Self, undone: &Self, when: &str) {
        let compared = |facts: &Self| {
            let mut value = facts.0.clone();
            value["extensions"] = Value::Null;
            for table in list_mut(&mut value["tables"]) {
                let kept: Vec<Value> = list(&table["columns"])
                    .iter()
                    .filter(|column| undone.has_column(&table["name"], column))
                    .map(|column| column["name"].clone())
                    .collect();
                table["columns"] = Value::Array(named(table["columns"].take()));
                table["order of the columns that stayed"] = Value::Array(kept);
            }
            value
        };
        if let Some(difference) = first_difference("", &compared(self), &compared(expected)) {
            panic!("{when}: {difference}");
        }
        for extension in list(&expected.0["extensions"]) {
            assert!(
                list(&self.0["extensions"]).contains(extension),
                "{when}: {extension} is gone"
            );
        }
    }

    /// Whether a table has a column of this name and type.
    fn has_column(&self, table: &Value, column: &Value) -> bool {
        list(&self.0["tables"])
            .iter()
            .filter(|candidate| candidate["name"] == *table)
            .flat_map(|candidate| list(&candidate["columns"]))
            .any(|candidate| {
                candidate["name"] == column["name"] && candidate["type"] == column["type"]
            })
    }

    /// The tables with a trigger.
    pub fn tables_with_triggers(&self) -> impl Iterator<Item = &str> {
        list(&self.0["tables"])
            .iter()
            .filter(|table| !list(&table["triggers"]).is_empty())
            .filter_map(|table| table["name"].as_str())
    }
}

/// Where the fixtures are.
fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn list_mut(value: &mut Value) -> &mut [Value] {
    value.as_array_mut().map_or(&mut [], Vec::as_mut_slice)
}

/// The objects of a list, by name.
fn named(value: Value) -> Vec<Value> {
    let Value::Array(mut objects) = value else {
        return Vec::new();
    };
    objects.sort_by(|a, b| a["name"].as_str().cmp(&b["name"].as_str()));
    objects
}

/// The first place where two values differ, in words: which object, what it is, what it should be.
fn first_difference(place: &str, actual: &Value, expected: &Value) -> Option<String> {
    if actual == expected {
        return None;
    }
    match (actual, expected) {
        (Value::Object(a), Value::Object(e)) => {
            let mut keys: Vec<&String> = a.keys().chain(e.keys()).collect();
            keys.dedup();
            keys.into_iter().find_map(|key| {
                let (a, e) = (a.get(key), e.get(key));
                first_difference(
                    &format!("{place} {key}"),
                    a.unwrap_or(&Value::Null),
                    e.unwrap_or(&Value::Null),
                )
            })
        }
        (Value::Array(a), Value::Array(e)) => {
            let name = |value: &Value| value["name"].as_str().map(str::to_owned);
            let there = |list: &[Value], object: &Value| {
                name(object).is_some() && list.iter().any(|other| other["name"] == object["name"])
            };
            let stranger = |from: &[Value], to: &[Value]| {
                from.iter()
                    .find(|object| name(object).is_some() && !there(to, object))
                    .and_then(name)
            };
            if let Some(lost) = stranger(e, a) {
                return Some(format!("{place}: {lost} is missing"));
            }
            if let Some(added) = stranger(a, e) {
                return Some(format!("{place}: {added} should not be there"));
            }
            let at = |value: &Value, index: usize| {
                name(value).unwrap_or_else(|| format!("#{}", index + 1))
            };
            a.iter()
                .zip(e)
                .enumerate()
                .find_map(|(index, (a, e))| {
                    first_difference(&format!("{place} {}", at(e, index)), a, e)
                })
                .or_else(|| Some(format!("{place}: {actual} instead of {expected}")))
        }
        _ => Some(format!("{place}: {actual} instead of {expected}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Facts;

    fn facts(columns: serde_json::Value) -> Facts {
        Facts::normalised(json!({"tables": [{"name": "t", "columns": columns}]}))
    }

    #[test]
    #[should_panic(expected = "now:  tables t columns b type: \"text\" instead of \"uuid\"")]
    fn the_first_difference_is_named() {
        facts(json!([{"name": "a", "type": "int"}, {"name": "b", "type": "text"}])).assert_are(
            &facts(json!([{"name": "a", "type": "int"}, {"name": "b", "type": "uuid"}])),
            "now",
        );
    }

    #[test]
    #[should_panic(expected = "enums: e is missing")]
    fn an_absent_object_is_a_difference() {
        Facts::none().assert_are(
            &Facts::normalised(json!({"enums": [{"name": "e", "labels": ["x"]}]})),
            "now",
        );
    }

    #[test]
    fn columns_may_stand_in_another_order_where_that_is_allowed() {
        facts(json!([{"name": "b", "type": "int"}, {"name": "a", "type": "int"}]))
            .assert_are_but_for_the_order_of_columns(
                &facts(json!([{"name": "a", "type": "int"}, {"name": "b", "type": "int"}])),
                "now",
            );
    }

    #[test]
    #[should_panic(expected = "\"text\" instead of \"int\"")]
    fn but_they_may_not_differ_otherwise() {
        facts(json!([{"name": "b", "type": "int"}, {"name": "a", "type": "text"}]))
            .assert_are_but_for_the_order_of_columns(
                &facts(json!([{"name": "a", "type": "int"}, {"name": "b", "type": "int"}])),
                "now",
            );
    }

    #[test]
    fn a_column_that_was_dropped_may_come_back_elsewhere() {
        let before = facts(json!([{"name": "a", "type": "int"}, {"name": "b", "type": "int"}]));
        let between = facts(json!([{"name": "b", "type": "int"}]));
        let after = facts(json!([{"name": "b", "type": "int"}, {"name": "a", "type": "int"}]));
        after.assert_are_restored(&before, &between, "now");
    }

    #[test]
    #[should_panic(expected = "order of the columns that stayed")]
    fn a_column_that_stayed_may_not() {
        let before = facts(json!([{"name": "a", "type": "int"}, {"name": "b", "type": "int"}]));
        let after = facts(json!([{"name": "b", "type": "int"}, {"name": "a", "type": "int"}]));
        after.assert_are_restored(&before, &before, "now");
    }
}
