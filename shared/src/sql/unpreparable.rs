//! What keeps a transaction from being prepared, as far as a statement shows it.
//!
//! Responsible for: temporary objects and notifications (PostgreSQL documentation, "PREPARE TRANSACTION", notes). Not for: what a
//! function does, which only the server sees; nor for cursors `WITH HOLD`, which are closed before.
//! Floor 0: pure.

use super::cursor::Cursor;
use super::statement::Statement;

/// What of a statement forbids `PREPARE TRANSACTION`, in words.
pub fn unpreparable(statement: &Statement<'_>) -> Option<&'static str> {
    let mut cursor = Cursor::new(statement.text);
    for (keyword, words) in [
        ("listen", "LISTEN"),
        ("unlisten", "UNLISTEN"),
        ("notify", "NOTIFY"),
    ] {
        if cursor.accept(keyword) {
            return Some(words);
        }
    }
    if cursor.accept("create") {
        cursor.accept_all(&["or", "replace"]);
        cursor.accept_any(&["global", "local"]);
        return is_temporary(&mut cursor).then_some("a temporary object");
    }
    if cursor.accept_any(&["select", "with"]) {
        loop {
            cursor.skip_parentheses();
            if cursor.accept("into") && is_temporary(&mut cursor) {
                return Some("a temporary object");
            }
            cursor.next()?;
        }
    }
    None
}

fn is_temporary(cursor: &mut Cursor<'_>) -> bool {
    cursor.accept_any(&["temp", "temporary"])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<&'static str> {
        unpreparable(&Statement { text, offset: 0 })
    }

    #[test]
    fn temporary_objects_and_notifications_are_seen() {
        for sql in [
            "CREATE TEMP TABLE t (id int)",
            "create temporary sequence s",
            "CREATE OR REPLACE TEMP VIEW v AS SELECT 1",
            "CREATE LOCAL TEMPORARY TABLE t AS SELECT 1",
            "SELECT id, (SELECT 1) INTO TEMP t FROM u",
            "WITH x AS (SELECT 1) SELECT * INTO TEMPORARY TABLE t FROM x",
        ] {
            assert_eq!(found(sql), Some("a temporary object"), "{sql}");
        }
        assert_eq!(found("LISTEN news"), Some("LISTEN"));
        assert_eq!(found("UNLISTEN *"), Some("UNLISTEN"));
        assert_eq!(found("NOTIFY news, 'x'"), Some("NOTIFY"));
    }

    #[test]
    fn all_else_is_left_to_the_server() {
        for sql in [
            "CREATE TABLE temp (id int)",
            "CREATE TABLE t (temporary bool)",
            "SELECT 1 INTO t",
            "SELECT into_temp FROM t",
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql SET search_path = pg_temp AS 'SELECT 1'",
            "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
            "INSERT INTO temp VALUES (1)",
            "",
        ] {
            assert_eq!(found(sql), None, "{sql}");
        }
    }
}
