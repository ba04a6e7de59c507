//! Objects that differ only in their name.

use std::collections::BTreeSet;

use pg_sql::quote_identifier as quote;

use crate::archive::Entry;
use crate::model::{Key, Model, bare, key};

/// Objects of one side that differ from one of the other only in their name: the statement that renames each, and its inverse.
pub(crate) fn same_by_another_name(old: &Model, new: &Model) -> Vec<(String, String)> {
    let mut taken: BTreeSet<Key> = BTreeSet::new();
    let mut renames = Vec::new();
    let alone = |one: &Model, other: &Model| -> Vec<Entry> {
        (one.entries.iter())
            .filter(|it| {
                ["INDEX", "CONSTRAINT", "FK CONSTRAINT", "SEQUENCE"].contains(&it.kind.as_str())
            })
            .filter(|it| other.find(&key(it)).is_none())
            .cloned()
            .collect()
    };
    for entry in old.entries.iter().filter(|it| it.kind == "EXTENSION") {
        let schema = |it: &Entry| -> Option<String> {
            let (_, schema) = it.create.rsplit_once(" WITH SCHEMA ")?;
            Some(schema.trim_end_matches(';').to_owned())
        };
        let other = new.find(&key(entry)).map(|it| &new.entries[it]);
        let (Some(from), Some(to)) = (schema(entry), other.and_then(schema)) else {
            continue;
        };
        if from != to {
            let name = quote(&entry.tag);
            let change = |to: &str| format!("ALTER EXTENSION {name} SET SCHEMA {to};");
            let (mut up, mut down) = (change(&to), change(&from));
            if !old.has_schema(&bare(&to)) {
                up = format!("CREATE SCHEMA {to};\n{up}");
                down = format!("{down}\nDROP SCHEMA {to};");
            }
            renames.push((up, down));
        }
    }
    let additions = alone(new, old);
    for entry in alone(old, new) {
        // A constraint is tagged with its table and its name.
        let split = |it: &Entry| match it.tag.rsplit_once(' ') {
            Some((table, name)) if it.kind.ends_with("CONSTRAINT") => {
                (table.to_owned(), name.to_owned())
            }
            _ => (String::new(), it.tag.clone()),
        };
        let (table, name) = split(&entry);
        let twin = additions.iter().find(|it| {
            let (other_table, other_name) = split(it);
            !taken.contains(&key(it))
                && (&it.kind, &it.schema, &other_table) == (&entry.kind, &entry.schema, &table)
                && entry.create.replace(&quote(&name), &quote(&other_name)) == it.create
        });
        let Some(twin) = twin else {
            continue;
        };
        taken.insert(key(twin));
        let (_, other_name) = split(twin);
        let schema = quote(&entry.schema);
        let rename = |from: &str, to: &str| match entry.kind.as_str() {
            "INDEX" => format!(
                "ALTER INDEX {schema}.{} RENAME TO {};",
                quote(from),
                quote(to)
            ),
            "SEQUENCE" => format!(
                "ALTER SEQUENCE {schema}.{} RENAME TO {};",
                quote(from),
                quote(to)
            ),
            _ => format!(
                "ALTER TABLE {schema}.{} RENAME CONSTRAINT {} TO {};",
                quote(&table),
                quote(from),
                quote(to)
            ),
        };
        renames.push((rename(&name, &other_name), rename(&other_name, &name)));
    }
    renames
}
