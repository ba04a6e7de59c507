//! Detects statements that prevent a transaction from being prepared.
//!
//! Covers temporary objects, notifications and exported snapshots (PostgreSQL documentation, "PREPARE TRANSACTION", notes),
//! including in `DO` blocks. Functions are checked only by the server, and cursors `WITH HOLD` are closed before.

use super::cursor::Cursor;
use super::literal;
use super::statement::Statement;

const TEMPORARY: &str = "a temporary object";

/// The part of a statement that forbids `PREPARE TRANSACTION`, as text.
pub fn unpreparable(statement: &Statement<'_>) -> Option<&'static str> {
    let mut cursor = Cursor::new(statement.text);
    if cursor.accept("do") {
        return cursor
            .find_map(|token| literal::value(&token, '\\'))
            .and_then(|body| in_code(&body));
    }
    if cursor.accept_all(&["refresh", "materialized", "view", "concurrently"]) {
        return Some("REFRESH MATERIALIZED VIEW CONCURRENTLY");
    }
    if let Some(found) = called(statement.text) {
        return Some(found);
    }
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
        return is_temporary(&mut cursor).then_some(TEMPORARY);
    }
    if cursor.accept_any(&["select", "with"]) {
        loop {
            cursor.skip_parentheses();
            if cursor.accept("into") && is_temporary(&mut cursor) {
                return Some(TEMPORARY);
            }
            cursor.next()?;
        }
    }
    None
}

/// Functions and schemas by name, anywhere in the text.
fn called(text: &str) -> Option<&'static str> {
    let mut cursor = Cursor::new(text);
    loop {
        let mut ahead = cursor.clone();
        for (name, next, words) in [
            ("pg_notify", b'(', "NOTIFY"),
            ("pg_export_snapshot", b'(', "an exported snapshot"),
            ("pg_temp", b'.', TEMPORARY),
        ] {
            if ahead.accept(name) && ahead.accept_mark(next) {
                return Some(words);
            }
        }
        cursor.next()?;
    }
}

/// A block of code, in which a statement may begin at any word.
fn in_code(body: &str) -> Option<&'static str> {
    let mut cursor = Cursor::new(body);
    loop {
        let mut ahead = cursor.clone();
        if ahead.accept_all(&["refresh", "materialized", "view", "concurrently"]) {
            return Some("REFRESH MATERIALIZED VIEW CONCURRENTLY");
        }
        if ahead.accept("create") {
            ahead.accept_all(&["or", "replace"]);
            ahead.accept_any(&["global", "local"]);
            if is_temporary(&mut ahead) {
                return Some(TEMPORARY);
            }
        }
        if cursor.next().is_none() {
            return called(body);
        }
    }
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
    fn temporary_objects_and_notifications_are_detected() {
        for sql in [
            "CREATE TEMP TABLE t (id int)",
            "create temporary sequence s",
            "CREATE OR REPLACE TEMP VIEW v AS SELECT 1",
            "CREATE LOCAL TEMPORARY TABLE t AS SELECT 1",
            "SELECT id, (SELECT 1) INTO TEMP t FROM u",
            "WITH x AS (SELECT 1) SELECT * INTO TEMPORARY TABLE t FROM x",
            "CREATE TABLE pg_temp.t (id int)",
            "DO $$ BEGIN CREATE TEMP TABLE t (id int); END $$",
        ] {
            assert_eq!(found(sql), Some("a temporary object"), "{sql}");
        }
        for sql in [
            "REFRESH MATERIALIZED VIEW CONCURRENTLY v",
            "do language plpgsql 'begin refresh materialized view concurrently v; end'",
        ] {
            assert_eq!(
                found(sql),
                Some("REFRESH MATERIALIZED VIEW CONCURRENTLY"),
                "{sql}"
            );
        }
        assert_eq!(found("SELECT pg_notify('a', 'b')"), Some("NOTIFY"));
        assert_eq!(
            found("DO $$ BEGIN PERFORM pg_notify('a', 'b'); END $$"),
            Some("NOTIFY")
        );
        assert_eq!(
            found("SELECT pg_catalog.pg_export_snapshot()"),
            Some("an exported snapshot")
        );
        assert_eq!(found("LISTEN news"), Some("LISTEN"));
        assert_eq!(found("UNLISTEN *"), Some("UNLISTEN"));
        assert_eq!(found("NOTIFY news, 'x'"), Some("NOTIFY"));
    }

    #[test]
    fn everything_else_is_checked_by_the_server() {
        for sql in [
            "CREATE TABLE temp (id int)",
            "CREATE TABLE t (temporary bool)",
            "SELECT 1 INTO t",
            "SELECT into_temp FROM t",
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql SET search_path = pg_temp AS 'SELECT 1'",
            "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
            "INSERT INTO temp VALUES (1)",
            "REFRESH MATERIALIZED VIEW v",
            "SELECT 'pg_notify(a)'",
            "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$ SELECT pg_notify('a', 'b') $$",
            "",
        ] {
            assert_eq!(found(sql), None, "{sql}");
        }
    }
}
