//! Offsets, lines and columns, and the comments at the start of a file.
//!
//! Converts a byte offset to an editor position and PostgreSQL's character position to a byte offset, and lists the leading
//! `--` lines. `directives` interprets the comments.

use std::fmt;

use super::lexer::{block_comment_end, is_blank, line_end};

const BYTE_ORDER_MARK: char = '\u{feff}';

/// A position in a file, as editors show it; printed as `12:5`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Counted from 1; a newline ends a line.
    pub line: u32,
    /// Counted from 1, in characters.
    pub column: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// The line and column of a byte offset. An offset inside a character counts as its start, and one past the end as the end. A
/// byte order mark has no width.
pub fn position_at(sql: &str, byte_offset: usize) -> Position {
    let before = &sql[..sql.floor_char_boundary(byte_offset)];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = &before[line_start..];
    let line = match line_start {
        0 => line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line),
        _ => line,
    };
    Position {
        line: counted(before.bytes().filter(|&b| b == b'\n').count()),
        column: counted(line.chars().count()),
    }
}

/// The line starts of a text, for repeated lookups: each is faster than scanning the text from its start.
#[derive(Debug, Clone)]
pub struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    /// Indexes a text.
    pub fn of(text: &'a str) -> Self {
        let after = text.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            text,
            starts: std::iter::once(0).chain(after).collect(),
        }
    }

    /// The same result as [`position_at`].
    pub fn position_at(&self, byte_offset: usize) -> Position {
        let offset = self.text.floor_char_boundary(byte_offset);
        let before = self.starts.partition_point(|start| *start <= offset) - 1;
        let start = self.starts[before];
        Position {
            line: counted(before),
            // A line without its newline is a text of one line; only the first line can begin with a byte order mark.
            column: match before {
                0 => position_at(&self.text[..offset], offset).column,
                _ => counted(self.text[start..offset].chars().count()),
            },
        }
    }

    /// The line with this number (from 1), without its newline.
    pub fn line(&self, number: u32) -> Option<&'a str> {
        let line = self.text.get(self.start(number)?..)?;
        line.split('\n').next()
    }

    /// The byte offset of the end.
    pub fn end(&self) -> usize {
        self.text.len()
    }

    /// The byte offset at which the line with this number (from 1) begins.
    pub fn start(&self, number: u32) -> Option<usize> {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        self.starts.get(index).copied()
    }
}

fn counted(before: usize) -> u32 {
    u32::try_from(before).unwrap_or(u32::MAX).saturating_add(1)
}

/// The byte offset of the character that an error of PostgreSQL refers to: its `position` field counts the characters of the
/// query from 1. One more than the last is the end of the text.
pub fn position_of_character(sql: &str, char_index_1_based: u32) -> Option<usize> {
    let index = usize::try_from(char_index_1_based).ok()?.checked_sub(1)?;
    sql.char_indices()
        .map(|(offset, _)| offset)
        .chain(std::iter::once(sql.len()))
        .nth(index)
}

/// The `--` comments before the first token, each with its line number (from 1) and its trimmed text after the dashes. Skips
/// blank lines and `/* */` comments. Reads no further than the first token.
pub fn leading_comment_lines(sql: &str) -> impl Iterator<Item = (u32, &str)> {
    let bytes = sql.as_bytes();
    let mut line = 1_u32;
    let mut at = match sql.chars().next() {
        Some(BYTE_ORDER_MARK) => BYTE_ORDER_MARK.len_utf8(),
        _ => 0,
    };
    std::iter::from_fn(move || {
        loop {
            match (*bytes.get(at)?, bytes.get(at + 1)) {
                (b'-', Some(b'-')) => {
                    let start = at + 2;
                    at = line_end(bytes, at);
                    return Some((line, sql[start..at].trim()));
                }
                (b'/', Some(b'*')) => {
                    let end = block_comment_end(bytes, at)?;
                    let newlines = bytes[at..end].iter().filter(|&&b| b == b'\n').count();
                    line = line.saturating_add(u32::try_from(newlines).unwrap_or(u32::MAX));
                    at = end;
                }
                (byte, _) if is_blank(byte) => {
                    line = line.saturating_add(u32::from(byte == b'\n'));
                    at += 1;
                }
                _ => return None,
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let sql = "aé\r\nb\n\nçd";
        let cases = [
            (0, (1, 1)),
            (1, (1, 2)),
            (2, (1, 2)),
            (3, (1, 3)),
            (5, (2, 1)),
            (7, (3, 1)),
            (8, (4, 1)),
            (10, (4, 2)),
            (99, (4, 3)),
        ];
        for (offset, (line, column)) in cases {
            assert_eq!(
                position_at(sql, offset),
                Position { line, column },
                "{offset}"
            );
            assert_eq!(Lines::of(sql).position_at(offset), position_at(sql, offset));
        }
        assert_eq!(Lines::of(sql).line(2), Some("b"));
        assert_eq!(Lines::of(sql).line(4), Some("çd"));
        assert_eq!(Lines::of(sql).line(5), None);
        assert_eq!(Lines::of("\u{feff}ab").position_at(4).column, 2);
        assert_eq!(position_at("\u{feff}ab", 4).to_string(), "1:2");
        assert_eq!(position_at("\u{feff}ab", 0).to_string(), "1:1");
    }

    #[test]
    fn postgresql_counts_characters_from_one() {
        let sql = "sélect é";
        let cases = [
            (0, None),
            (1, Some(0)),
            (3, Some(3)),
            (8, Some(8)),
            (9, Some(10)),
            (10, None),
        ];
        for (index, expected) in cases {
            assert_eq!(position_of_character(sql, index), expected, "{index}");
        }
    }

    #[test]
    fn comments_before_the_first_token() {
        let sql = "\u{feff}-- one\r\n\n/* two\n /* -- no */ */ --three  \n\t---four\nselect 1; -- five\n-- six";
        let found: Vec<_> = leading_comment_lines(sql).collect();
        assert_eq!(found, [(1, "one"), (4, "three"), (5, "-four")]);
        for none in ["", "select 1 -- a", ";-- a", "/* -- a", "- - a", "\\x -- a"] {
            assert_eq!(leading_comment_lines(none).count(), 0, "{none}");
        }
        assert_eq!(leading_comment_lines("--").collect::<Vec<_>>(), [(1, "")]);
    }
}
