//! Detects the settings that a text changes.
//!
//! Finds the setting of a `SET` or `RESET`, and names in a text that may be custom settings. Cannot see what functions set.

use std::collections::BTreeSet;

use super::cursor::Cursor;
use super::statement::Statement;

/// The maximum number of custom setting names to look up.
const MOST_NAMES: usize = 500;

/// The setting that a `SET` or `RESET` changes, in lower case, and whether only until the end of the transaction.
pub fn changed_setting(statement: &Statement<'_>) -> Option<(String, bool)> {
    let mut cursor = Cursor::new(statement.text);
    let resets = cursor.accept("reset");
    if !resets && !cursor.accept("set") {
        return None;
    }
    let local = !resets && cursor.accept("local");
    if !local && !resets && cursor.accept("session") && cursor.accept("authorization") {
        return Some(("session_authorization".to_owned(), false));
    }
    if cursor.accept_all(&["session", "authorization"]) {
        return Some(("session_authorization".to_owned(), local));
    }
    if cursor.accept_all(&["time", "zone"]) {
        return Some(("timezone".to_owned(), local));
    }
    if cursor.accept("schema") {
        return Some(("search_path".to_owned(), local));
    }
    let name = cursor.name()?;
    let name = match name.schema {
        Some(class) => format!("{class}.{}", name.name),
        None => name.name,
    };
    Some((name.to_lowercase(), local))
}

/// Every `word.word` in a text, in lower case: the server does not list custom settings, but returns the value of a known name.
pub fn dotted_names(text: &str) -> BTreeSet<String> {
    let belongs = |c: char| c.is_alphanumeric() || "_$.\"".contains(c);
    text.split(|c| !belongs(c))
        .map(|word| word.replace('"', "").to_lowercase())
        .filter(|word| {
            let mut parts = word.split('.');
            let is_name = |part: Option<&str>| {
                part.is_some_and(|part| part.starts_with(|c: char| c.is_alphabetic() || c == '_'))
            };
            is_name(parts.next()) && is_name(parts.next()) && parts.all(|part| is_name(Some(part)))
        })
        .take(MOST_NAMES)
        .collect()
}

/// Whether a text contains this word, in any case.
pub fn mentions(text: &str, word: &str) -> bool {
    let (text, word) = (text.to_lowercase(), word.to_lowercase());
    let belongs = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    text.match_indices(&word).any(|(at, _)| {
        !text[..at].ends_with(belongs) && !text[at + word.len()..].starts_with(belongs)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_setting_that_a_statement_changes() {
        for (text, name, local) in [
            ("SET search_path = a", "search_path", false),
            ("set session Search_Path to a", "search_path", false),
            ("SET LOCAL \"app\".Tenant = 'x'", "app.tenant", true),
            ("RESET lock_timeout", "lock_timeout", false),
            ("SET TIME ZONE 'UTC'", "timezone", false),
            ("SET LOCAL SCHEMA 'a'", "search_path", true),
            ("SET ROLE a", "role", false),
            (
                "SET SESSION AUTHORIZATION a",
                "session_authorization",
                false,
            ),
            (
                "SET LOCAL SESSION AUTHORIZATION a",
                "session_authorization",
                true,
            ),
        ] {
            let changed = changed_setting(&Statement { text, offset: 0 });
            assert_eq!(changed, Some((name.to_owned(), local)), "{text}");
        }
        let other = Statement {
            text: "SELECT set",
            offset: 0,
        };
        assert_eq!(changed_setting(&other), None);
    }

    #[test]
    fn names_and_words_in_a_text() {
        let names = dotted_names("SET \"App\".tenant = 1.5; DO $$ x.y.z $$; 'a.b' .c d. 1.e");
        assert_eq!(
            names.into_iter().collect::<Vec<_>>(),
            ["a.b", "app.tenant", "x.y.z"]
        );
        assert!(mentions("INSERT INTO \"Work\" SELECT", "work"));
        assert!(!mentions("INSERT INTO works, work_1, my_work", "work"));
    }
}
