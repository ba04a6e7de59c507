//! The tokens of PostgreSQL 14 to 18, as `scan.l` cuts them.
//!
//! Responsible for: where a string, a quoted name, a dollar quote, a comment or an operator begins and ends, with
//! `standard_conforming_strings` on.
//! Not for: what the tokens mean (`split`, `classify`), nor the value of a literal (`literal`).
//! Floor 0: pure.

use std::fmt;

/// What keeps a file from being cut into statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Problem {
    /// A `'` without its partner.
    UnterminatedString,
    /// A `$tag$` without its partner.
    UnterminatedDollarQuote,
    /// A `/*` without its `*/`; such comments nest.
    UnterminatedComment,
    /// A `"` without its partner.
    UnterminatedName,
    /// A `BEGIN ATOMIC` without its `END`.
    UnterminatedBody,
    /// A `(` without its `)`.
    UnclosedParenthesis,
    /// A `)` without its `(`.
    UnmatchedParenthesis,
    /// A NUL byte, which PostgreSQL's protocol cannot carry.
    NulByte,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnterminatedString => "quoted string is never closed: add the missing '",
            Self::UnterminatedDollarQuote => {
                "dollar-quoted string is never closed: repeat its opening $tag$ at its end"
            }
            Self::UnterminatedComment => {
                "comment is never closed: add the missing */ (such comments nest)"
            }
            Self::UnterminatedName => "quoted identifier is never closed: add the missing \"",
            Self::UnterminatedBody => {
                "BEGIN ATOMIC body is never closed: end its last statement with ; and add END"
            }
            Self::UnclosedParenthesis => "parenthesis is never closed: add the missing )",
            Self::UnmatchedParenthesis => "closing parenthesis without an opening one: remove it",
            Self::NulByte => "NUL byte in the file: save it as UTF-8 text",
        })
    }
}

/// A file that cannot be cut into statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SplitError {
    /// Byte offset of what is wrong: where the construct begins that is never closed.
    pub offset: usize,
    /// What is wrong there.
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
    /// One byte: parentheses, brackets, comma, semicolon, dot, colon, and whatever is no SQL at all.
    Punctuation,
    /// Outside quotes it is no SQL, but psql's.
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

    /// `keyword` may be in any case: quoted identifiers never match.
    pub(super) fn is_word(&self, keyword: &str) -> bool {
        self.kind == TokenKind::Word && self.text.eq_ignore_ascii_case(keyword)
    }

    pub(super) fn is_punctuation(&self, mark: u8) -> bool {
        self.kind == TokenKind::Punctuation && self.text.as_bytes() == [mark]
    }
}

/// Walks over a text token by token; a clone is a bookmark.
#[derive(Debug, Clone)]
pub(super) struct Lexer<'a> {
    sql: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(sql: &'a str) -> Self {
        Self { sql, at: 0 }
    }

    /// What has not been walked over.
    pub(super) fn rest(&self) -> &'a str {
        self.sql.get(self.at..).unwrap_or_default()
    }

    /// Goes on at `offset`, which must lie on a character boundary.
    pub(super) fn jump(&mut self, offset: usize) {
        self.at = offset.min(self.sql.len());
    }

    /// The next token after blanks and comments.
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

    /// Digits and the letters stuck to them (`0x1F`, `1_000`, `1e`); a `$` after a number may open a dollar quote.
    fn number(&mut self) -> TokenKind {
        self.at = self.run(self.at, |b| is_name_start(b) || b.is_ascii_digit());
        TokenKind::Number
    }

    /// An operator ends where a comment begins: `+/*` and `<--` are an operator and a comment.
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
                // The next piece is read by the rules of the first: backslashes escape in it after an E'…'.
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

/// Where the next piece of a string begins (after its quote), when a string that closed before `at` goes on: only blanks
/// and `--` comments, among them a newline, stand between the pieces.
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

/// The offset of the first byte at or after `at` that is neither blank nor in a comment.
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

/// The offset after the comment that opens at `at` and may hold others.
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

/// The offset of the newline that ends the line of `at`, or the end of the text. A lone carriage return ends a line too.
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
    fn what_is_never_closed_is_reported_where_it_begins() {
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
