//! `--rename OLD=NEW` as statements.

use pg_sql::{quote_identifier as quote, quote_literal as literal};

use crate::model::{Model, bare};

/// The statement of a rename and its inverse. `None` if no object has the old name.
pub(crate) fn statements(model: &Model, text: &str) -> Option<(String, String)> {
    let (old, new) = text.split_once('=')?;
    let parts = split(old);
    let new_parts = split(new);
    let new_name = new_parts.last()?;
    if let [schema] = parts.as_slice() {
        model
            .entries
            .iter()
            .find(|it| it.kind == "SCHEMA" && &it.tag == schema)?;
        let (one, other) = (quote(schema), quote(new_name));
        let rename = |one: &str, other: &str| format!("ALTER SCHEMA {one} RENAME TO {other};");
        return Some((rename(&one, &other), rename(&other, &one)));
    }
    let (schema, name) = (parts.first()?, parts.get(1)?);
    let (from, to) = (quote(name), quote(new_name));
    let mut place = quote(schema);
    let entry = (model.entries.iter()).find(|it| {
        &it.schema == schema
            && &it.tag == name
            && [
                "TABLE",
                "VIEW",
                "MATERIALIZED VIEW",
                "FOREIGN TABLE",
                "SEQUENCE",
                "INDEX",
                "TYPE",
                "DOMAIN",
            ]
            .contains(&it.kind.as_str())
    });
    if let Some(part) = parts.get(2) {
        let (part, entry) = (part, entry?);
        let target = quote(new_name);
        if entry.kind == "TYPE" && model.labels(entry).is_some_and(|it| it.contains(part)) {
            let rename = |one: &str, other: &str| {
                let (one, other) = (literal(one), literal(other));
                format!("ALTER TYPE {place}.{from} RENAME VALUE {one} TO {other};")
            };
            return Some((rename(part, new_name), rename(new_name, part)));
        }
        let relation = model.relation(entry)?;
        let is_column = relation.columns.iter().any(|it| &bare(&it.name) == part);
        let is_constraint = (model.entries.iter()).any(|it| {
            it.kind.ends_with("CONSTRAINT")
                && &it.schema == schema
                && it.tag == format!("{name} {part}")
        });
        if !is_column && !is_constraint && !model.has_check(relation.oid, part) {
            return None;
        }
        let what = match (entry.kind.as_str(), is_column) {
            ("TYPE", true) => "ATTRIBUTE",
            (_, true) => "COLUMN",
            (_, false) => "CONSTRAINT",
        };
        let kind = &entry.kind;
        let rename = |one: &str, other: &str| {
            format!("ALTER {kind} {place}.{from} RENAME {what} {one} TO {other};")
        };
        return Some((rename(&quote(part), &target), rename(&target, &quote(part))));
    }
    // A function is tagged with the types of its arguments, which its statements require.
    let targets: Vec<(&str, &str)> = match entry {
        Some(entry) => vec![(entry.kind.as_str(), "")],
        None => (model.entries.iter())
            .filter(|it| ["FUNCTION", "PROCEDURE", "AGGREGATE"].contains(&it.kind.as_str()))
            .filter(|it| &it.schema == schema)
            .filter_map(|it| {
                let arguments = it.tag.strip_prefix(name.as_str())?;
                (arguments.starts_with('(')).then_some((it.kind.as_str(), arguments))
            })
            .collect(),
    };
    if targets.is_empty() {
        return None;
    }
    let mut up = Vec::new();
    let mut down = Vec::new();
    if let [new_schema, _] = new_parts.as_slice()
        && new_schema != schema
    {
        let new_place = quote(new_schema);
        if !model.has_schema(new_schema) {
            up.push(format!("CREATE SCHEMA {new_place};"));
            down.push(format!("DROP SCHEMA {new_place};"));
        }
        for (kind, arguments) in &targets {
            let change = |one: &str, other: &str| {
                format!("ALTER {kind} {one}.{from}{arguments} SET SCHEMA {other};")
            };
            up.push(change(&place, &new_place));
            down.push(change(&new_place, &place));
        }
        place = new_place;
    }
    if new_name != name {
        for (kind, arguments) in &targets {
            up.push(format!(
                "ALTER {kind} {place}.{from}{arguments} RENAME TO {to};"
            ));
            down.push(format!(
                "ALTER {kind} {place}.{to}{arguments} RENAME TO {from};"
            ));
        }
    }
    down.reverse();
    Some((up.join("\n"), down.join("\n")))
}

/// `public."my table".mail` as its names.
fn split(text: &str) -> Vec<String> {
    let mut names = vec![String::new()];
    let mut is_quoted = false;
    for c in text.trim().chars() {
        match c {
            '"' => is_quoted = !is_quoted,
            '.' if !is_quoted => names.push(String::new()),
            other => {
                if let Some(name) = names.last_mut() {
                    name.push(other);
                }
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn names_are_split_at_dots_outside_quotes() {
        assert_eq!(split("public.users.mail"), ["public", "users", "mail"]);
        assert_eq!(split("public.\"a.b\""), ["public", "a.b"]);
    }
}
