//! Lexes PostgreSQL 14 to 18 like `scan.l`.
//!
//! Determines where a string, a quoted name, a dollar quote, a comment or an operator begins and ends, with
//! `standard_conforming_strings` on. Other modules interpret the tokens (`split`, `classify`) and decode literals (`literal`).

use std::fmt;

/// Why a file cannot be split into statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Problem {
    /// A `'` is not closed.
    UnterminatedString,
    /// A `$tag$` is not closed.
    UnterminatedDollarQuote,
    /// A `/*` is not closed; block comments nest.
    UnterminatedComment,
    /// A `"` is not closed.
    UnterminatedName,
    /// A `BEGIN ATOMIC` has no `END`.
    UnterminatedBody,
    /// A `(` is not closed.
    UnclosedParenthesis,
    /// A `)` without a `(`.
    UnmatchedParenthesis,
    /// A NUL byte, which PostgreSQL's protocol cannot transmit.
    NulByte,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnterminatedString => "unterminated quoted string: add the missing '",
            Self::UnterminatedDollarQuote => {
                "unterminated dollar-quoted string: repeat its opening $tag$ at the end"
            }
            Self::UnterminatedComment => {
                "unterminated comment: add the missing */ (block comments nest)"
            }
            Self::UnterminatedName => "unterminated quoted identifier: add the missing \"",
            Self::UnterminatedBody => {
                "unterminated BEGIN ATOMIC body: end its last statement with ; and add END"
            }
            Self::UnclosedParenthesis => "unclosed parenthesis: add the missing )",
            Self::UnmatchedParenthesis => "closing parenthesis without an opening one: remove it",
            Self::NulByte => "NUL byte in the file: save it as UTF-8 text",
        })
    }
}

/// An error while splitting a file into statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SplitError {
    /// Byte offset of the problem: the start of an unclosed construct.
    pub offset: usize,
    pub problem: Problem,
}

impl fmt::Display for SplitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at byte {})", self.problem, self.offset)
    }
}

impl std::error::Error for SplitError {}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// An unquoted identifier or keyword.
    Word,
    /// `"…"`
    QuotedName,
    /// `U&"…"`
    UnicodeName,
    /// `'…'` and `N'…'`
    Text,
    /// `E'…'`
    EscapeText,
    /// `U&'…'`
    UnicodeText,
    /// `$tag$…$tag$`
    DollarText,
    /// `B'…'` and `X'…'`
    BitText,
    Number,
    /// `$1`
    Parameter,
    Operator,
    /// One byte: a parenthesis, bracket, comma, semicolon, dot or colon, or a byte that is not valid SQL.
    Punctuation,
    /// A backslash outside quotes, which is psql syntax rather than SQL.
    Backslash,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) kind: TokenKind,
    pub(super) text: &'a str,
    pub(super) start: usize,
}

impl Token<'_> {
    pub(super) fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// Compares in any case; a quoted identifier never matches.
    pub(super) fn is_word(&self, keyword: &str) -> bool {
        self.kind == TokenKind::Word && self.text.eq_ignore_ascii_case(keyword)
    }

    pub(super) fn is_punctuation(&self, mark: u8) -> bool {
        self.kind == TokenKind::Punctuation && self.text.as_bytes() == [mark]
    }
}

/// Iterates over the tokens of a text; a clone saves the position.
#[derive(Debug, Clone)]
pub(super) struct Lexer<'a> {
    sql: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(sql: &'a str) -> Self {
        Self { sql, at: 0 }
    }

    /// The text after the current position.
    pub(super) fn rest(&self) -> &'a str {
        self.sql.get(self.at..).unwrap_or_default()
    }

    /// Continues at `offset`, which must be a character boundary.
    pub(super) fn jump(&mut self, offset: usize) {
        self.at = offset.min(self.sql.len());
    }

    /// The next token after white space and comments.
    pub(super) fn next_token(&mut self) -> Result<Option<Token<'a>>, SplitError> {
        self.at = skip_blank(self.sql.as_bytes(), self.at)?;
        let start = self.at;
        let Some(first) = self.byte(start) else {
            return Ok(None);
        };
        let kind = match first {
            b'\'' => self.text(start, start + 1, TokenKind::Text)?,
            b'"' => self.quoted_name(start, start + 1, TokenKind::QuotedName)?,
            b'$' => self.dollar(start)?,
            b'\\' => self.take(1, TokenKind::Backslash),
            b'0'..=b'9' => self.number(),
            _ if is_name_start(first) => self.word(start, first)?,
            _ if is_operator(first) => self.operator(start),
            _ => self.take(1, TokenKind::Punctuation),
        };
        Ok(Some(Token {
            kind,
            text: &self.sql[start..self.at],
            start,
        }))
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.sql.as_bytes().get(at).copied()
    }

    fn take(&mut self, length: usize, kind: TokenKind) -> TokenKind {
        self.at += length;
        kind
    }

    fn word(&mut self, start: usize, first: u8) -> Result<TokenKind, SplitError> {
        match (first, self.byte(start + 1), self.byte(start + 2)) {
            (b'e' | b'E', Some(b'\''), _) => {
                return self.text(start, start + 2, TokenKind::EscapeText);
            }
            (b'n' | b'N', Some(b'\''), _) => return self.text(start, start + 2, TokenKind::Text),
            (b'b' | b'B' | b'x' | b'X', Some(b'\''), _) => {
                return self.text(start, start + 2, TokenKind::BitText);
            }
            (b'u' | b'U', Some(b'&'), Some(b'\'')) => {
                return self.text(start, start + 3, TokenKind::UnicodeText);
            }
            (b'u' | b'U', Some(b'&'), Some(b'"')) => {
                return self.quoted_name(start, start + 3, TokenKind::UnicodeName);
            }
            _ => {}
        }
        self.at = self.run(start, |b| {
            is_name_start(b) || b.is_ascii_digit() || b == b'$'
        });
        Ok(TokenKind::Word)
    }

    /// Digits and adjacent letters (`0x1F`, `1_000`, `1e`); a `$` after a number may open a dollar quote.
    fn number(&mut self) -> TokenKind {
        self.at = self.run(self.at, |b| is_name_start(b) || b.is_ascii_digit());
        TokenKind::Number
    }

    /// An operator ends at a comment: `+/*` and `<--` are an operator followed by a comment.
    fn operator(&mut self, start: usize) -> TokenKind {
        let bytes = self.sql.as_bytes();
        let end = self.run(start, is_operator);
        self.at = (start + 1..end)
            .find(|&at| opens_comment(bytes, at))
            .unwrap_or(end);
        TokenKind::Operator
    }

    fn run(&self, from: usize, belongs: impl Fn(u8) -> bool) -> usize {
        let rest = &self.sql.as_bytes()[from..];
        let length = rest.iter().position(|&b| !belongs(b));
        from + length.unwrap_or(rest.len())
    }

    fn text(
        &mut self,
        start: usize,
        body: usize,
        kind: TokenKind,
    ) -> Result<TokenKind, SplitError> {
        let bytes = self.sql.as_bytes();
        let escapes = kind == TokenKind::EscapeText;
        let mut at = body;
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            let Some(found) = rest
                .iter()
                .position(|&b| b == b'\'' || (escapes && b == b'\\'))
            else {
                return Err(SplitError {
                    offset: start,
                    problem: Problem::UnterminatedString,
                });
            };
            at += found;
            if bytes[at] == b'\\' || bytes.get(at + 1) == Some(&b'\'') {
                at += 2;
            } else if let Some(next) = continuation(bytes, at + 1) {
                // The next piece is lexed by the rules of the first: after an E'…', backslashes escape in it too.
                at = next;
            } else {
                self.at = at + 1;
                return Ok(kind);
            }
        }
    }

    fn quoted_name(
        &mut self,
        start: usize,
        body: usize,
        kind: TokenKind,
    ) -> Result<TokenKind, SplitError> {
        let bytes = self.sql.as_bytes();
        let mut at = body;
        while let Some(found) = bytes[at..].iter().position(|&b| b == b'"') {
            at += found + 1;
            if bytes.get(at) != Some(&b'"') {
                self.at = at;
                return Ok(kind);
            }
            at += 1;
        }
        Err(SplitError {
            offset: start,
            problem: Problem::UnterminatedName,
        })
    }

    fn dollar(&mut self, start: usize) -> Result<TokenKind, SplitError> {
        if self.byte(start + 1).is_some_and(|b| b.is_ascii_digit()) {
            self.at = self.run(start + 1, |b| b.is_ascii_digit());
            return Ok(TokenKind::Parameter);
        }
        let tag_end = self.run(start + 1, |b| is_name_start(b) || b.is_ascii_digit());
        if self.byte(tag_end) != Some(b'$') {
            return Ok(self.take(1, TokenKind::Punctuation));
        }
        let delimiter = &self.sql[start..=tag_end];
        let body = tag_end + 1;
        match self.sql[body..].find(delimiter) {
            Some(length) => {
                self.at = body + length + delimiter.len();
                Ok(TokenKind::DollarText)
            }
            None => Err(SplitError {
                offset: start,
                problem: Problem::UnterminatedDollarQuote,
            }),
        }
    }
}

/// The start of the next piece of a string (after its quote), if the string that closed before `at` continues: only white
/// space and `--` comments, with at least one newline, separate the pieces.
pub(super) fn continuation(bytes: &[u8], mut at: usize) -> Option<usize> {
    let mut newline = false;
    loop {
        match bytes.get(at)? {
            b'\n' | b'\r' => newline = true,
            b' ' | b'\t' | 0x0b | 0x0c => {}
            b'-' if bytes.get(at + 1) == Some(&b'-') => {
                at = line_end(bytes, at);
                continue;
            }
            b'\'' if newline => return Some(at + 1),
            _ => return None,
        }
        at += 1;
    }
}

/// The offset of the first byte at or after `at` that is neither white space nor in a comment.
fn skip_blank(bytes: &[u8], mut at: usize) -> Result<usize, SplitError> {
    while let Some(&byte) = bytes.get(at) {
        if is_blank(byte) {
            at += 1;
        } else if !opens_comment(bytes, at) {
            break;
        } else if byte == b'-' {
            at = line_end(bytes, at);
        } else {
            at = block_comment_end(bytes, at).ok_or(SplitError {
                offset: at,
                problem: Problem::UnterminatedComment,
            })?;
        }
    }
    Ok(at)
}

/// The offset after the comment that opens at `at`, which may contain nested comments.
pub(super) fn block_comment_end(bytes: &[u8], at: usize) -> Option<usize> {
    let mut at = at + 2;
    let mut depth = 1_usize;
    loop {
        at += bytes
            .get(at..)?
            .iter()
            .position(|&b| b == b'*' || b == b'/')?;
        match (bytes[at], bytes.get(at + 1)) {
            (b'/', Some(b'*')) => {
                depth += 1;
                at += 2;
            }
            (b'*', Some(b'/')) => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => at += 1,
        }
    }
}

/// The offset of the newline that ends the line of `at`, or the end of the text. A lone carriage return also ends a line.
pub(super) fn line_end(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    let length = rest.iter().position(|&b| b == b'\n' || b == b'\r');
    at + length.unwrap_or(rest.len())
}

pub(super) fn opens_comment(bytes: &[u8], at: usize) -> bool {
    matches!(bytes.get(at..at + 2), Some(b"--" | b"/*"))
}

pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn is_operator(byte: u8) -> bool {
    matches!(
        byte,
        b'~' | b'!'
            | b'@'
            | b'#'
            | b'^'
            | b'&'
            | b'|'
            | b'`'
            | b'?'
            | b'+'
            | b'-'
            | b'*'
            | b'/'
            | b'%'
            | b'<'
            | b'>'
            | b'='
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(sql: &str) -> Vec<&str> {
        let mut lexer = Lexer::new(sql);
        let mut found = Vec::new();
        while let Some(token) = lexer.next_token().unwrap() {
            found.push(token.text);
        }
        found
    }

    #[test]
    fn tokens_end_where_postgresql_ends_them() {
        let cases: &[(&str, &[&str])] = &[
            ("a 'b''c;' d", &["a", "'b''c;'", "d"]),
            (r"'a\' b", &[r"'a\'", "b"]),
            (r"E'a\';' b", &[r"E'a\';'", "b"]),
            (r"e'\\' b", &[r"e'\\'", "b"]),
            (r"ae'\' b", &["ae", r"'\'", "b"]),
            ("E'a'\n'b\\';' c", &["E'a'\n'b\\';'", "c"]),
            ("E'a' -- it's\n 'b\\';' c", &["E'a' -- it's\n 'b\\';'", "c"]),
            (r"E'a' '\' c", &["E'a'", r"'\'", "c"]),
            ("'a'/**/\n'b'", &["'a'", "'b'"]),
            (r"U&'\' u&'a'", &[r"U&'\'", "u&'a'"]),
            (r#"U&"a""b" u & "c""#, &[r#"U&"a""b""#, "u", "&", r#""c""#]),
            ("B'1' x'f' N'a' n", &["B'1'", "x'f'", "N'a'", "n"]),
            ("$$a;$$ $t$ $$ $u$ $t$", &["$$a;$$", "$t$ $$ $u$ $t$"]),
            ("$a$ $b$a$ c", &["$a$ $b$a$", "c"]),
            ("a$b$c $1 $2$x$;$x$", &["a$b$c", "$1", "$2", "$x$;$x$"]),
            ("1$a$;$a$", &["1", "$a$;$a$"]),
            ("$a b $", &["$", "a", "b", "$"]),
            ("$é1$;$é1$", &["$é1$;$é1$"]),
            ("$1a$ b", &["$1", "a$", "b"]),
            ("a--b\nc", &["a", "c"]),
            ("a--b\rc", &["a", "c"]),
            ("1+--x\n2", &["1", "+", "2"]),
            ("1+/*x*/2", &["1", "+", "2"]),
            ("1*/*x*/2", &["1", "*", "2"]),
            ("a/* /* */ ; */b", &["a", "b"]),
            ("a/*/ */b", &["a", "b"]),
            ("a/***/b", &["a", "b"]),
            ("a/*//* */ */b", &["a", "b"]),
            ("größe;ÄB$1", &["größe", ";", "ÄB$1"]),
            (
                "a<=b::int[1:2]",
                &["a", "<=", "b", ":", ":", "int", "[", "1", ":", "2", "]"],
            ),
            ("0x1F 1_000 1.5", &["0x1F", "1_000", "1", ".", "5"]),
            ("a\u{b}b\u{c}c", &["a", "b", "c"]),
        ];
        for (sql, expected) in cases {
            assert_eq!(tokens(sql), *expected, "{sql}");
        }
    }

    #[test]
    fn unclosed_constructs_are_reported_where_they_begin() {
        let cases = [
            ("a 'b", 2, Problem::UnterminatedString),
            ("a 'b''", 2, Problem::UnterminatedString),
            ("a E'b\\'", 2, Problem::UnterminatedString),
            ("a E'b\\", 2, Problem::UnterminatedString),
            ("a 'b'\n'c", 2, Problem::UnterminatedString),
            ("a \"b\"\"", 2, Problem::UnterminatedName),
            ("a $b$ $c$ $b $", 2, Problem::UnterminatedDollarQuote),
            ("a /* /* */", 2, Problem::UnterminatedComment),
            ("a /*/", 2, Problem::UnterminatedComment),
        ];
        for (sql, offset, problem) in cases {
            let mut lexer = Lexer::new(sql);
            lexer.next_token().unwrap();
            assert_eq!(
                lexer.next_token(),
                Err(SplitError { offset, problem }),
                "{sql}"
            );
        }
    }
}
