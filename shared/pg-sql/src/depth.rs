//! Estimates how deeply a piece of SQL nests, before it is parsed: a recursive-descent parser and each walk over its tree need
//! stack for every level, and a stack overflow ends the program.
//!
//! Computes an upper bound in one pass over the tokens.

use super::lexer::{Lexer, TokenKind};

/// The maximum number of tokens since the last separator, summed over all open levels, for a text that is analyzed.
/// PostgreSQL's own parser fails at about this depth (`max_stack_depth`); hand-written SQL stays far below it.
pub const DEEPEST: usize = 5_000;

/// One level: a parenthesis, a bracket, CASE, or a PL/pgSQL block.
#[derive(Clone, Copy, Default)]
struct Level {
    /// Tokens since the last separator: a chain of operators nests one level per token.
    since: usize,
    /// UNION and similar operators chain whole queries, including their commas.
    sets: usize,
}

/// The byte offset at which a text may nest deeper than [`DEEPEST`] levels. `block` marks the body of a PL/pgSQL block.
pub fn too_deep(text: &str, block: bool) -> Option<usize> {
    let mut lexer = Lexer::new(text);
    let mut levels = vec![Level::default()];
    // The number of tokens in all `levels`.
    let mut depth = 0;
    let mut after_end = false;
    let mut after_if: Option<u8> = None;
    // A lexing error is reported elsewhere, and the text is not parsed beyond it.
    while let Ok(Some(token)) = lexer.next_token() {
        let word = match token.kind {
            TokenKind::Word => token.text.to_ascii_lowercase(),
            _ => String::new(),
        };
        if let Some(seen) = after_if.take() {
            match (seen, word.as_str()) {
                (0, "not") => after_if = Some(0),
                (0, "exists") => after_if = Some(1),
                // `IF EXISTS name` belongs to a statement; `IF EXISTS (SELECT …)` begins a block.
                (1, _) if !token.is_punctuation(b'(') => {}
                _ => levels.push(Level::default()),
            }
        }
        let opens = match word.as_str() {
            "case" => !after_end,
            "begin" | "loop" if block => !after_end,
            "if" if block && !after_end => {
                after_if = Some(0);
                false
            }
            _ => token.is_punctuation(b'(') || token.is_punctuation(b'['),
        };
        let closes = word == "end" || token.is_punctuation(b')') || token.is_punctuation(b']');
        let separates = token.is_punctuation(b',') || token.is_punctuation(b';');
        if closes && levels.len() > 1 {
            let gone = levels.pop().unwrap_or_default();
            depth -= gone.since + gone.sets;
        }
        if let Some(level) = levels.last_mut() {
            let is_set = matches!(word.as_str(), "union" | "intersect" | "except");
            if token.is_punctuation(b';') {
                depth -= level.since + level.sets;
                *level = Level::default();
            } else if separates {
                depth -= level.since;
                level.since = 0;
            } else if is_set {
                level.sets += 1;
                depth += 1;
            } else {
                level.since += 1;
                depth += 1;
            }
        }
        if opens {
            levels.push(Level::default());
        }
        after_end = word == "end";
        if depth + levels.len() > DEEPEST {
            return Some(token.start);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{DEEPEST, too_deep};

    #[test]
    fn nesting_is_counted() {
        let n = DEEPEST + 10;
        let nested =
            |open: &str, close: &str| format!("SELECT {}1{};", open.repeat(n), close.repeat(n));
        for sql in [
            nested("(", ")"),
            nested("(SELECT a, ", ")"),
            nested("ARRAY[", "]"),
            nested("CASE WHEN a THEN ", " END"),
            nested("f(1, ", ")"),
            nested("", " || 'a'"),
            nested("", "::int"),
            nested("", ".b"),
            nested("", "[1]"),
            nested("", " AND b OR c"),
            nested("", " UNION SELECT 1, 2"),
            nested("NOT ", ""),
            nested("- ", ""),
            format!("{} SELECT 1", "EXPLAIN ".repeat(n)),
            format!("SELECT 1 FROM a{}", " JOIN b USING (a, b)".repeat(n)),
        ] {
            assert!(too_deep(&sql, false).is_some(), "{}", &sql[..60]);
        }
        for block in [
            format!("{} NULL; {}", "BEGIN NULL; ".repeat(n), "END; ".repeat(n)),
            format!(
                "BEGIN {} {} END",
                "IF a THEN NULL; ".repeat(n),
                "END IF; ".repeat(n)
            ),
            format!(
                "BEGIN {} {} END",
                "IF NOT EXISTS (SELECT 1) THEN NULL; ".repeat(n),
                "END IF; ".repeat(n)
            ),
            format!(
                "BEGIN {} {} END",
                "LOOP NULL; ".repeat(n),
                "END LOOP; ".repeat(n)
            ),
        ] {
            assert!(too_deep(&block, true).is_some(), "{}", &block[..60]);
        }
    }

    #[test]
    fn length_without_nesting_is_not_counted() {
        let n = 4 * DEEPEST;
        for sql in [
            "UPDATE t SET a = 1 WHERE id = 2;\n".repeat(n),
            format!("INSERT INTO t VALUES {}(1, 2);", "(1, 'a b c'), ".repeat(n)),
            format!(
                "CREATE TABLE t ({} a int);",
                "a int NOT NULL DEFAULT 1, ".repeat(n)
            ),
            "SELECT CASE WHEN a THEN f(1) END;\n".repeat(n),
            format!("SELECT '{}';", "(".repeat(n)),
            format!("SELECT $a${}$a$;", "(".repeat(n)),
            "BEGIN;\nSELECT 1;\nEND;\n".repeat(n),
        ] {
            assert_eq!(too_deep(&sql, false), None, "{}", &sql[..60]);
        }
        let block = format!(
            "BEGIN {} END",
            "IF a THEN DROP TABLE IF EXISTS t; ALTER TABLE IF EXISTS t ADD COLUMN IF NOT EXISTS a int; END IF; \
             FOR r IN SELECT 1 LOOP NULL; END LOOP; BEGIN NULL; END; CASE a WHEN 1 THEN NULL; END CASE; "
                .repeat(n)
        );
        assert_eq!(too_deep(&block, true), None);
    }
}
