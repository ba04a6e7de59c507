//! What is shown of a statement that another session runs: its literals may hold anything, secrets too.
//!
//! Floor 0.

use super::{is_verbose, mask_secrets};

/// Words behind which the name of a relation, or of another object, stands.
const BEFORE_NAME: [&str; 22] = [
    "FROM",
    "INTO",
    "UPDATE",
    "TABLE",
    "INDEX",
    "VIEW",
    "SEQUENCE",
    "SCHEMA",
    "DATABASE",
    "FUNCTION",
    "PROCEDURE",
    "TRIGGER",
    "ROLE",
    "USER",
    "TYPE",
    "EXTENSION",
    "TRUNCATE",
    "LOCK",
    "VACUUM",
    "ANALYZE",
    "COPY",
    "CALL",
];
/// Words that may stand between.
const BETWEEN: [&str; 8] = [
    "ONLY",
    "IF",
    "NOT",
    "EXISTS",
    "CONCURRENTLY",
    "LATERAL",
    "FULL",
    "VERBOSE",
];
/// Statements whose kind is two words.
const OF_OBJECTS: [&str; 6] = ["CREATE", "ALTER", "DROP", "COMMENT", "REFRESH", "REINDEX"];

/// The kind of a statement and the first object that it names: `UPDATE policies`. With `-v` its text, secrets masked.
pub fn shown_query(text: &str) -> String {
    if is_verbose() {
        mask_secrets(text).into_owned()
    } else {
        kind_of(text)
    }
}

fn kind_of(text: &str) -> String {
    // The server's own words for its own work, which name a table and why.
    if text.starts_with("autovacuum: ") {
        return text.to_owned();
    }
    let tokens = tokens(text);
    let Some((first, rest)) = tokens.split_first() else {
        return String::new();
    };
    let verb = first.to_ascii_uppercase();
    if !verb.chars().all(|c| c.is_ascii_alphabetic()) {
        return String::new();
    }
    let upper: Vec<String> = tokens
        .iter()
        .map(|token| token.to_ascii_uppercase())
        .collect();
    let marker = upper
        .iter()
        .position(|word| BEFORE_NAME.contains(&word.as_str()));
    let Some(marker) = marker else {
        return verb;
    };
    let mut kind = verb.clone();
    if marker > 0 && OF_OBJECTS.contains(&verb.as_str()) {
        kind.push(' ');
        kind.push_str(&upper[marker]);
    }
    let name = rest
        .iter()
        .zip(upper.iter().skip(1))
        .skip(marker)
        .find(|(_, word)| {
            !BETWEEN.contains(&word.as_str()) && !BEFORE_NAME.contains(&word.as_str())
        });
    match name {
        Some((name, _)) => format!("{kind} {name}"),
        None => kind,
    }
}

/// Words and names up to the first literal, behind which nothing is certain.
fn tokens(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '"');
        if rest.starts_with("/*") {
            match rest.find("*/") {
                Some(end) => rest = &rest[end + 2..],
                None => return found,
            }
        } else if rest.starts_with("--") {
            match rest.find('\n') {
                Some(end) => rest = &rest[end..],
                None => return found,
            }
        } else if rest.starts_with(is_name) {
            let mut quoted = false;
            let end = rest
                .find(|c: char| {
                    quoted ^= c == '"';
                    !quoted && !is_name(c)
                })
                .unwrap_or(rest.len());
            let (token, after) = rest.split_at(end);
            // The prefix of a literal: E'…', N'…'.
            if after.starts_with('\'') {
                return found;
            }
            found.push(token);
            rest = after;
        } else {
            match rest.chars().next() {
                None | Some('\'' | '$') => return found,
                Some(other) => rest = &rest[other.len_utf8()..],
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::kind_of;

    #[test]
    fn a_statement_is_told_by_its_kind_and_first_object() {
        for (text, kind) in [
            ("UPDATE policies SET title = 'S3CRET'", "UPDATE policies"),
            (
                "/* S3CRET */ select * from only app.users where x = 1",
                "SELECT app.users",
            ),
            ("SELECT login('S3CRET') FROM users", "SELECT"),
            (
                "INSERT INTO \"My Table\" VALUES ('S3CRET')",
                "INSERT \"My Table\"",
            ),
            (
                "ALTER TABLE IF EXISTS policies ADD c int",
                "ALTER TABLE policies",
            ),
            ("CREATE ROLE app PASSWORD 'S3CRET'", "CREATE ROLE app"),
            ("LOCK TABLE policies", "LOCK policies"),
            ("TRUNCATE policies", "TRUNCATE policies"),
            ("COMMIT", "COMMIT"),
            (
                "autovacuum: VACUUM public.t (to prevent wraparound)",
                "autovacuum: VACUUM public.t (to prevent wraparound)",
            ),
            ("", ""),
            ("$$S3CRET", ""),
        ] {
            assert_eq!(kind_of(text), kind, "{text}");
        }
    }
}
