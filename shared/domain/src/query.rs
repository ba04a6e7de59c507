//! Shortens the statement of another session for display, because its literals may contain secrets.

use super::{is_verbose, mask_secrets};

/// Keywords that precede the name of a relation or another object.
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
/// Keywords that may appear between such a keyword and the name.
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
/// Verbs that form the kind together with a second keyword.
const OF_OBJECTS: [&str; 6] = ["CREATE", "ALTER", "DROP", "COMMENT", "REFRESH", "REINDEX"];

/// The kind of a statement and the first object that it names: `UPDATE policies`. With `-v`, its text with secrets masked.
pub fn shown_query(text: &str) -> String {
    if is_verbose() {
        mask_secrets(text).into_owned()
    } else {
        kind_of(text)
    }
}

fn kind_of(text: &str) -> String {
    // The server's description of its own work, which names a table and the reason.
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

/// The keywords and names before the first literal. After it, the tokens are not reliable.
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
    fn a_statement_is_shown_as_its_kind_and_first_object() {
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
