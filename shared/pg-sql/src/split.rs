//! Splits a file into statements.
//!
//! Determines which semicolons end a statement: not those in parentheses (`CREATE RULE … DO (a; b)`) or in a `BEGIN ATOMIC`
//! body. Recognizes psql commands and the data of `COPY … FROM STDIN` so that they can be refused. `classify` interprets
//! the statements.

use super::classify::classify;
use super::lexer::{Lexer, Problem, SplitError, Token, TokenKind, line_end};
use super::statement::{Statement, StatementKind};

/// Splits a file into its statements; skips empty ones and a leading byte order mark.
///
/// A line that begins with a backslash, where a statement could begin, is a separate statement (`MetaCommand`). The data
/// lines after `COPY … FROM STDIN;`, up to `\.` or the end of the file as in psql, belong to no statement: the caller must
/// refuse `CopyFromStdin`.
///
/// # Errors
/// For an unclosed construct, an unmatched closing parenthesis, or a NUL byte.
pub fn split(sql: &str) -> Result<Vec<Statement<'_>>, SplitError> {
    if let Some(offset) = sql.bytes().position(|b| b == 0) {
        return Err(SplitError {
            offset,
            problem: Problem::NulByte,
        });
    }
    let mut lexer = Lexer::new(sql);
    if sql.starts_with('\u{feff}') {
        lexer.jump('\u{feff}'.len_utf8());
    }
    let mut statements = Vec::new();
    let mut open: Option<Open> = None;
    while let Some(token) = lexer.next_token()? {
        match &mut open {
            None if token.is_punctuation(b';') => {}
            None if token.kind == TokenKind::Backslash => {
                let end = line_end(sql.as_bytes(), token.start);
                lexer.jump(end);
                let line = &sql[token.start..end];
                statements.push(Statement {
                    text: line.trim_end_matches(|c: char| c == ';' || c.is_ascii_whitespace()),
                    offset: token.start,
                });
            }
            None => open = Some(Open::new(&token)?),
            Some(parts) if token.is_punctuation(b';') && parts.may_end() => {
                let statement = parts.finish(sql);
                statements.push(statement);
                if parts.opening == StatementStart::Copy
                    && classify(&statement) == StatementKind::CopyFromStdin
                {
                    lexer.jump(after_copy_data(sql, token.end()));
                }
                open = None;
            }
            Some(parts) => parts.add(&token)?,
        }
    }
    if let Some(parts) = open {
        parts.check_closed()?;
        statements.push(parts.finish(sql));
    }
    Ok(statements)
}

/// A statement whose end has not been found yet.
struct Open {
    start: usize,
    end: usize,
    parentheses: Vec<usize>,
    opening: StatementStart,
    /// The offset of the `BEGIN` of an open `BEGIN ATOMIC` body.
    body: Option<usize>,
    previous: Previous,
}

/// What the first words of a statement indicate.
#[derive(Clone, Copy, PartialEq, Eq)]
enum StatementStart {
    Nothing,
    Create,
    CreateOr,
    CreateOrReplace,
    /// A function or procedure, which may have a `BEGIN ATOMIC` body.
    Routine,
    Copy,
    Plain,
}

/// The relevant part of the previous token.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Previous {
    Begin(usize),
    /// `ATOMIC` or a semicolon in the body. Only here does `END` close the body: the `END` of a `CASE` and a column named `end`
    /// always follow another token.
    BodyBoundary,
    Any,
}

impl Open {
    fn new(first: &Token<'_>) -> Result<Self, SplitError> {
        let mut open = Self {
            start: first.start,
            end: first.end(),
            parentheses: Vec::new(),
            opening: StatementStart::Nothing,
            body: None,
            previous: Previous::Any,
        };
        open.add(first)?;
        Ok(open)
    }

    fn add(&mut self, token: &Token<'_>) -> Result<(), SplitError> {
        self.end = token.end();
        let mut previous = Previous::Any;
        match token.kind {
            TokenKind::Punctuation => match token.text.as_bytes() {
                b"(" => self.parentheses.push(token.start),
                b")" => {
                    self.parentheses.pop().ok_or(SplitError {
                        offset: token.start,
                        problem: Problem::UnmatchedParenthesis,
                    })?;
                }
                b";" if self.parentheses.is_empty() => previous = Previous::BodyBoundary,
                _ => {}
            },
            TokenKind::Word if self.parentheses.is_empty() => previous = self.word(token),
            _ => {}
        }
        self.opening = self.opening.followed_by(token);
        self.previous = previous;
        Ok(())
    }

    /// Follows the words of a routine outside parentheses to the start or end of its body.
    fn word(&mut self, token: &Token<'_>) -> Previous {
        if self.opening != StatementStart::Routine {
            return Previous::Any;
        }
        match (self.body, self.previous) {
            (Some(_), Previous::BodyBoundary) if token.is_word("end") => self.body = None,
            (None, Previous::Begin(start)) if token.is_word("atomic") => {
                self.body = Some(start);
                return Previous::BodyBoundary;
            }
            (None, _) if token.is_word("begin") => return Previous::Begin(token.start),
            _ => {}
        }
        Previous::Any
    }

    fn may_end(&self) -> bool {
        self.parentheses.is_empty() && self.body.is_none()
    }

    fn check_closed(&self) -> Result<(), SplitError> {
        let (offset, problem) = match (self.parentheses.last(), self.body) {
            (Some(&offset), _) => (offset, Problem::UnclosedParenthesis),
            (None, Some(offset)) => (offset, Problem::UnterminatedBody),
            (None, None) => return Ok(()),
        };
        Err(SplitError { offset, problem })
    }

    fn finish<'a>(&self, sql: &'a str) -> Statement<'a> {
        Statement {
            text: &sql[self.start..self.end],
            offset: self.start,
        }
    }
}

impl StatementStart {
    fn followed_by(self, token: &Token<'_>) -> Self {
        match self {
            Self::Nothing if token.is_word("create") => Self::Create,
            Self::Nothing if token.is_word("copy") => Self::Copy,
            Self::Create if token.is_word("or") => Self::CreateOr,
            Self::CreateOr if token.is_word("replace") => Self::CreateOrReplace,
            Self::Create | Self::CreateOrReplace
                if token.is_word("function") || token.is_word("procedure") =>
            {
                Self::Routine
            }
            Self::Routine | Self::Copy => self,
            _ => Self::Plain,
        }
    }
}

/// The offset at which SQL continues after a `COPY … FROM STDIN;` that ended at `end`. Data begins on the next line; if more
/// SQL follows on the same line, there is no data to skip.
fn after_copy_data(sql: &str, end: usize) -> usize {
    let (line, mut rest) = sql[end..].split_once('\n').unwrap_or((&sql[end..], ""));
    if !line.trim_start().is_empty() && !line.trim_start().starts_with("--") {
        return end;
    }
    while !rest.is_empty() {
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        rest = after;
        if line.strip_suffix('\r').unwrap_or(line) == "\\." {
            break;
        }
    }
    sql.len() - rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(sql: &str) -> Vec<&str> {
        split(sql)
            .unwrap_or_else(|error| panic!("{error}: {sql}"))
            .into_iter()
            .map(|statement| statement.text)
            .collect()
    }

    #[test]
    fn only_statement_ending_semicolons_split() {
        let cases: &[(&str, &[&str])] = &[
            ("", &[]),
            (" ;; \n;", &[]),
            ("-- only\n/* comments; */", &[]),
            ("select 1", &["select 1"]),
            ("select 1;select 2 ; -- end", &["select 1", "select 2"]),
            (
                "select 1 -- one;\n + 2 /* ; */ ;",
                &["select 1 -- one;\n + 2"],
            ),
            (
                "-- a\r\nselect 1;\r\n\r\nselect\r\n2;\r\n",
                &["select 1", "select\r\n2"],
            ),
            ("\u{feff}select 1;", &["select 1"]),
            ("\u{feff}-- only", &[]),
            (
                "create rule r as on insert to t do also (insert into a values (1); select 2); select 3",
                &[
                    "create rule r as on insert to t do also (insert into a values (1); select 2)",
                    "select 3",
                ],
            ),
            (
                "create schema s create table t (a int) create view v as select 1; select 2",
                &[
                    "create schema s create table t (a int) create view v as select 1",
                    "select 2",
                ],
            ),
            (
                "do $$ begin; commit; end $$; begin; end;",
                &["do $$ begin; commit; end $$", "begin", "end"],
            ),
        ];
        for (sql, expected) in cases {
            assert_eq!(texts(sql), *expected, "{sql}");
        }
    }

    #[test]
    fn the_body_of_a_routine_is_one_statement() {
        let whole = [
            "create function f() returns int language sql begin atomic select 1; end",
            "create or replace procedure p() begin atomic end",
            "CREATE FUNCTION f(a int) RETURNS int BEGIN ATOMIC SELECT CASE a WHEN 1 THEN 2 END; SELECT 3; END",
            "create function f() returns int begin /* x */ atomic select 1 as end; select 1 end; select t.end from t; end",
            "create function begin(atomic int) returns begin language sql set x to begin begin atomic; ; select 1; END",
            "create function f() returns table (begin atomic) begin atomic select (select 1 as \"begin\"); end",
            "create function f() returns void begin atomic select 'x; end;'; select \"end\" from t; end",
        ];
        for sql in whole {
            assert_eq!(
                texts(&format!("{sql}; select 1")),
                [sql, "select 1"],
                "{sql}"
            );
        }
        let apart: &[(&str, usize)] = &[
            (
                "create function begin() returns int as 'select 1' language sql; select 2",
                2,
            ),
            (
                "create function f(begin int, atomic int) returns int return 1; select 2",
                2,
            ),
            (
                "create table begin (atomic int); select begin atomic from t; end",
                3,
            ),
            ("create view v as select begin atomic from t; select 2", 2),
            ("create \"function\" begin atomic; end", 2),
            (
                "begin; create function f() returns int begin atomic select 1; end; commit",
                3,
            ),
        ];
        for (sql, count) in apart {
            assert_eq!(texts(sql).len(), *count, "{sql}");
        }
    }

    #[test]
    fn psql_commands_are_separate_statements() {
        assert_eq!(
            texts("\\set x 'it''s (\r\nselect 1; \\echo :) ;\n\\i a.sql"),
            ["\\set x 'it''s (", "select 1", "\\echo :)", "\\i a.sql"]
        );
        assert_eq!(
            texts("select 1 \\gexec\nselect 2;"),
            ["select 1 \\gexec\nselect 2"]
        );
    }

    #[test]
    fn copy_data_belongs_to_no_statement() {
        let cases: &[(&str, &[&str])] = &[
            (
                "copy t (a) from stdin;\nit's (\n\\.x\n\\.\nselect 1;",
                &["copy t (a) from stdin", "select 1"],
            ),
            (
                "COPY t FROM STDIN WITH (FORMAT csv); -- data\r\n'\r\n\\.\r\nselect 1",
                &["COPY t FROM STDIN WITH (FORMAT csv)", "select 1"],
            ),
            ("copy t from stdin;\n'", &["copy t from stdin"]),
            (
                "copy t from stdin; select 1;",
                &["copy t from stdin", "select 1"],
            ),
            (
                "copy t from 'stdin';\nselect 1",
                &["copy t from 'stdin'", "select 1"],
            ),
            (
                "copy (select 1 from stdin) to stdout;\nselect 1",
                &["copy (select 1 from stdin) to stdout", "select 1"],
            ),
        ];
        for (sql, expected) in cases {
            assert_eq!(texts(sql), *expected, "{sql}");
        }
    }

    #[test]
    fn split_errors_report_the_offset() {
        let cases = [
            (
                "select 1; select ((2); select 3",
                17,
                Problem::UnclosedParenthesis,
            ),
            ("select 1); select 2", 8, Problem::UnmatchedParenthesis),
            (")", 0, Problem::UnmatchedParenthesis),
            (
                "create function f() returns int begin atomic select 1 end;",
                32,
                Problem::UnterminatedBody,
            ),
            ("select 'a\0'", 9, Problem::NulByte),
            ("select 1; select 'a", 17, Problem::UnterminatedString),
        ];
        for (sql, offset, problem) in cases {
            assert_eq!(split(sql), Err(SplitError { offset, problem }), "{sql}");
        }
    }
}
