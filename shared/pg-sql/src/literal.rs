//! Decodes literals and quoted names.
//!
//! Resolves quotes, escapes and dollar quotes as PostgreSQL does. `name` folds and truncates identifiers.

use super::lexer::{Token, TokenKind, continuation};

/// The value of a string or quoted name; `None` for other tokens and for values that PostgreSQL rejects, such as half a
/// surrogate pair. `unicode_escape` is the escape character of `U&` forms: a backslash unless `UESCAPE` sets another.
pub(super) fn value(token: &Token<'_>, unicode_escape: char) -> Option<String> {
    match token.kind {
        TokenKind::Text => unquote(token.text, b'\'', false),
        TokenKind::EscapeText => unquote(token.text, b'\'', true),
        TokenKind::QuotedName => unquote(token.text, b'"', false),
        TokenKind::UnicodeText => unicode(&unquote(token.text, b'\'', false)?, unicode_escape),
        TokenKind::UnicodeName => unicode(&unquote(token.text, b'"', false)?, unicode_escape),
        TokenKind::DollarText => {
            let tag = token.text[1..].find('$')? + 2;
            let body = token.text.get(tag..token.text.len().checked_sub(tag)?)?;
            Some(body.to_owned())
        }
        _ => None,
    }
}

fn unquote(text: &str, quote: u8, escapes: bool) -> Option<String> {
    let bytes = text.as_bytes();
    let mut at = bytes.iter().position(|&b| b == quote)? + 1;
    let mut plain = Vec::with_capacity(bytes.len());
    let mut codes = CodeUnits::default();
    loop {
        let byte = *bytes.get(at)?;
        if escapes && byte == b'\\' {
            at = escaped(bytes, at + 1, &mut codes, &mut plain)?;
            continue;
        }
        codes.expect_none()?;
        at += 1;
        if byte != quote {
            plain.push(byte);
        } else if bytes.get(at) == Some(&quote) {
            plain.push(quote);
            at += 1;
        } else if quote == b'\''
            && let Some(next) = continuation(bytes, at)
        {
            at = next;
        } else {
            return String::from_utf8(plain).ok();
        }
    }
}

/// Decodes the escape after a backslash at `at` in `E'…'`; returns its end.
fn escaped(bytes: &[u8], at: usize, codes: &mut CodeUnits, plain: &mut Vec<u8>) -> Option<usize> {
    let byte = *bytes.get(at)?;
    let (first_digit, radix, most) = match byte {
        b'u' | b'U' => {
            let length = if byte == b'u' { 4 } else { 8 };
            let (code, end) = digits(bytes, at + 1, 16, length)?;
            if end != at + 1 + length {
                return None;
            }
            if let Some(character) = codes.join(code)? {
                plain.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            return Some(end);
        }
        b'x' => (at + 1, 16, 2),
        _ => (at, 8, 3),
    };
    codes.expect_none()?;
    if let Some((code, end)) = digits(bytes, first_digit, radix, most) {
        // As in PostgreSQL, an octal escape above \377 keeps only its low eight bits.
        plain.push((code & 0xff) as u8);
        return Some(end);
    }
    plain.push(match byte {
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        other => other,
    });
    Some(at + 1)
}

/// A number of one to `most` digits at `at`, and its end.
fn digits(bytes: &[u8], at: usize, radix: u32, most: usize) -> Option<(u32, usize)> {
    let length = bytes
        .get(at..)?
        .iter()
        .take(most)
        .take_while(|&&b| char::from(b).is_digit(radix))
        .count();
    let text = std::str::from_utf8(&bytes[at..at + length]).ok()?;
    Some((u32::from_str_radix(text, radix).ok()?, at + length))
}

fn unicode(text: &str, escape: char) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut codes = CodeUnits::default();
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let after = &rest[character.len_utf8()..];
        if character != escape {
            codes.expect_none()?;
            plain.push(character);
            rest = after;
        } else if let Some(after) = after.strip_prefix(escape) {
            codes.expect_none()?;
            plain.push(escape);
            rest = after;
        } else {
            let (skip, length) = if after.starts_with('+') {
                (1, 6)
            } else {
                (0, 4)
            };
            let (code, end) = digits(after.as_bytes(), skip, 16, length)?;
            if end != skip + length {
                return None;
            }
            plain.extend(codes.join(code)?);
            rest = &after[end..];
        }
    }
    codes.expect_none()?;
    Some(plain)
}

/// Joins surrogate pairs, which both escape styles allow.
#[derive(Default)]
struct CodeUnits {
    high: Option<u32>,
}

impl CodeUnits {
    /// `Some(None)` after the first half of a pair, `None` for an invalid character.
    fn join(&mut self, code: u32) -> Option<Option<char>> {
        match (self.high.take(), code) {
            (None, 0xd800..=0xdbff) => {
                self.high = Some(code);
                Some(None)
            }
            (Some(high), 0xdc00..=0xdfff) => {
                char::from_u32(0x10000 + ((high - 0xd800) << 10) + (code - 0xdc00)).map(Some)
            }
            (None, _) => char::from_u32(code).map(Some),
            (Some(_), _) => None,
        }
    }

    fn expect_none(&self) -> Option<()> {
        self.high.is_none().then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::lexer::Lexer;
    use super::*;

    #[test]
    fn literals_decode_as_in_postgresql() {
        let cases = [
            ("'it''s'", Some("it's")),
            (r"'a\n'", Some(r"a\n")),
            ("'a'\n -- it's\n 'b'", Some("ab")),
            ("N'a'", Some("a")),
            (r"E'a\n\t\'\\''\q'", Some("a\n\t'\\'q")),
            (
                r"e'\101\x42\x4g\u00e9\U0001F600\ud83d\ude00'",
                Some("AB\u{4}gé😀😀"),
            ),
            (r"E'\xc3\xa9'", Some("é")),
            (r"E'\xff'", None),
            (r"E'\ud83dx'", None),
            (r"E'\u12'", None),
            (r"U&'d\0061t\+000061\\'", Some(r"data\")),
            (r"U&'\d83d\de00'", Some("😀")),
            (r"U&'\d83d'", None),
            ("$$a'$$", Some("a'")),
            ("$t$$$$t$", Some("$$")),
            ("\"A\"\"b\"", Some("A\"b")),
            ("U&\"\\0041\"", Some("A")),
            ("B'1'", None),
            ("a", None),
        ];
        for (sql, expected) in cases {
            let token = Lexer::new(sql).next_token().unwrap().unwrap();
            assert_eq!(value(&token, '\\').as_deref(), expected, "{sql}");
        }
        let token = Lexer::new("U&'d!0061!!'").next_token().unwrap().unwrap();
        assert_eq!(value(&token, '!').as_deref(), Some("da!"));
    }
}
