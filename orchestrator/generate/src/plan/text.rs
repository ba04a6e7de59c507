//! Statements made from those of the archive, and what they are about.

use crate::archive::Entry;
use crate::facts::Relation;
use crate::model::bare;

pub(super) fn options_of(entry: &Entry) -> &str {
    let rest = match is_identity(entry) {
        true => entry
            .create
            .split_once('\n')
            .and_then(|(_, rest)| rest.split_once('\n')),
        false => entry.create.split_once('\n'),
    };
    rest.map(|(_, rest)| rest.trim_end_matches([';', ')', '\n']))
        .unwrap_or_default()
}

pub(super) fn is_identity(entry: &Entry) -> bool {
    entry.create.starts_with("ALTER TABLE")
}

pub(super) fn drop_identity(create: &str) -> String {
    let head = create.split(" ADD GENERATED ").next().unwrap_or_default();
    format!("{head} DROP IDENTITY;")
}

/// The name of an object until the new one of its name is in use.
pub(super) fn replaced_name(name: &str) -> String {
    let kept: String = name.chars().take(50).collect();
    format!("{kept}__old")
}

/// `COMMENT ON … IS '…';` as `COMMENT ON … IS NULL;`.
pub(super) fn without_comment(create: &str) -> String {
    let head = create.split(" IS '").next().unwrap_or_default();
    format!("{head} IS NULL;")
}

/// The inverse of the grants and revokes that `kept` does not contain.
pub(super) fn inverse_grants(create: &str, kept: &str) -> String {
    let lines: Vec<String> = (create.lines().rev())
        .filter(|line| !kept.lines().any(|it| it == *line))
        .filter_map(|line| {
            let option = " WITH GRANT OPTION";
            let plain = line.replace(option, "");
            if let Some((head, rest)) = plain.split_once("GRANT ") {
                let (what, whom) = rest.rsplit_once(" TO ")?;
                return Some(format!("{head}REVOKE {what} FROM {whom}"));
            }
            let (head, rest) = plain.split_once("REVOKE ")?;
            let (what, whom) = rest.rsplit_once(" FROM ")?;
            Some(format!("{head}GRANT {what} TO {whom}"))
        })
        .collect();
    lines.join("\n")
}

pub(super) fn about_table(relation: &Relation) -> String {
    format!("Table {}.", bare(&relation.bare_name))
}

/// What the statements for an entry do, in a comment.
pub(super) fn about(entry: &Entry) -> String {
    let plural = match entry.kind.as_str() {
        "TYPE" | "SHELL TYPE" | "DOMAIN" => "Types",
        "TABLE" => return format!("Table {}.", entry.tag),
        "FUNCTION" | "PROCEDURE" | "AGGREGATE" => "Functions",
        "VIEW" | "MATERIALIZED VIEW" | "RULE" => "Views",
        "INDEX" | "INDEX ATTACH" | "STATISTICS" => "Indexes",
        "CONSTRAINT" | "CHECK CONSTRAINT" | "FK CONSTRAINT" => "Constraints",
        "DEFAULT" => "Defaults",
        "SEQUENCE" | "SEQUENCE OWNED BY" => "Sequences",
        "TRIGGER" | "EVENT TRIGGER" => "Triggers",
        "POLICY" | "ROW SECURITY" => "Row-level security",
        "ACL" | "DEFAULT ACL" => "Privileges",
        "COMMENT" => "Comments",
        "EXTENSION" => "Extensions",
        "SCHEMA" => "Schemas",
        _ => "Other objects",
    };
    format!("{plural}.")
}
