//! Recognizes statements that differ only in their literals, such as the inserts of a data file.

use super::cursor::Cursor;
use super::lexer::{Token, TokenKind};
use super::statement::Statement;

/// Whether both statements write rows of the same table in the same way: they are equal except for literals.
pub fn are_alike(one: &Statement<'_>, other: &Statement<'_>) -> bool {
    let (mut one, mut other) = (Cursor::new(one.text), Cursor::new(other.text));
    let writes = |token: &Token<'_>| {
        ["insert", "update", "delete"]
            .iter()
            .any(|it| token.is_word(it))
    };
    if !one.clone().next().is_some_and(|token| writes(&token)) {
        return false;
    }
    loop {
        match (next(&mut one), next(&mut other)) {
            (None, None) => return true,
            (Some(one), Some(other)) if is_same(&one, &other) => {}
            _ => return false,
        }
    }
}

/// The next token; a number is one token, without its sign.
fn next<'a>(cursor: &mut Cursor<'a>) -> Option<Token<'a>> {
    let number = |token: &Token<'_>| token.kind == TokenKind::Number;
    let mut token = cursor.next()?;
    if token.kind == TokenKind::Operator && matches!(token.text, "-" | "+") {
        token = cursor.accept_if(number).unwrap_or(token);
    }
    if number(&token) && cursor.accept_mark(b'.') {
        cursor.accept_if(number);
    }
    Some(token)
}

fn is_same(one: &Token<'_>, other: &Token<'_>) -> bool {
    match (is_literal(one), is_literal(other)) {
        (true, true) => true,
        (false, false) if one.kind == TokenKind::Word => other.is_word(one.text),
        (false, false) => one.kind == other.kind && one.text == other.text,
        _ => false,
    }
}

fn is_literal(token: &Token<'_>) -> bool {
    match token.kind {
        TokenKind::Text
        | TokenKind::EscapeText
        | TokenKind::UnicodeText
        | TokenKind::DollarText
        | TokenKind::BitText
        | TokenKind::Number => true,
        TokenKind::Word => ["null", "true", "false"].iter().any(|it| token.is_word(it)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_that_differ_only_in_literals_are_alike() {
        let alike = |one: &str, other: &str| {
            let statement = |text| Statement { text, offset: 0 };
            are_alike(&statement(one), &statement(other))
        };
        let insert = "INSERT INTO t (id, name) VALUES (1, 'a')";
        assert!(alike(
            insert,
            "insert into t (id, name)\n VALUES (-22.5, NULL)"
        ));
        assert!(alike(
            insert,
            "INSERT INTO t (id, name) VALUES (3, $$b''c$$)"
        ));
        assert!(alike(
            "UPDATE t SET name = 'a' WHERE id = 1",
            "UPDATE t SET name = 'b' WHERE id = 2"
        ));
        for other in [
            "INSERT INTO u (id, name) VALUES (1, 'a')",
            "INSERT INTO t (id, \"name\") VALUES (1, 'a')",
            "INSERT INTO t (id, name) VALUES (1, f('a'))",
            "INSERT INTO t (id, name) VALUES (1, 'a'), (2, 'b')",
            "INSERT INTO t (id, name) VALUES (1, 'a') RETURNING id",
            "DELETE FROM t WHERE id = 1",
        ] {
            assert!(!alike(insert, other), "{other}");
        }
        // What else a statement does may depend on its literals.
        assert!(!alike("SELECT f(1)", "SELECT f(2)"));
        assert!(!alike("TRUNCATE t", "TRUNCATE t"));
    }
}
