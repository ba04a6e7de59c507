//! One line of a file with a mark below the error position.
//!
//! Responsible for tabs, wide and invisible characters and for overlong lines.

use unicode_width::UnicodeWidthChar;

use super::text::{REPLACEMENT, is_hidden};

const TAB: usize = 4;
const CUT: &str = "…";

/// A line of a file as shown, and the marked range.
#[derive(Debug, PartialEq, Eq)]
pub struct Snippet {
    /// The line, with tabs expanded, truncated to the available width.
    pub line: String,
    /// Columns to the left of the mark, and its width; `None` if only the line is known.
    pub mark: Option<(usize, usize)>,
}

/// One character as shown.
struct Cell {
    shown: String,
    width: usize,
    character: char,
}

impl Snippet {
    /// Prepares a line. `column` counts characters from 1; `room` is the available width.
    pub fn new(line: &str, column: Option<u32>, room: usize) -> Self {
        let cells = cells(line.trim_end());
        let marked = column.map(|column| {
            let start = index(column, &cells);
            (start, start + length_of_token(&cells[start..]))
        });
        Self::marked(&cells, marked, room)
    }

    /// Prepares a line with a mark from one column to before another, or to the end of the line.
    pub fn spanning(line: &str, column: u32, end: Option<u32>, room: usize) -> Self {
        let cells = cells(line.trim_end());
        let start = index(column, &cells);
        let end = end.map_or(cells.len(), |end| index(end, &cells));
        Self::marked(&cells, Some((start, end.max(start))), room)
    }

    fn marked(cells: &[Cell], marked: Option<(usize, usize)>, room: usize) -> Self {
        let (from, to) = window(cells, marked, room);
        let mut shown = String::new();
        if from > 0 {
            shown.push_str(CUT);
        }
        shown.extend(cells[from..to].iter().map(|cell| cell.shown.as_str()));
        if to < cells.len() {
            shown.push_str(CUT);
        }
        let mark = marked.map(|(start, end)| {
            let left = usize::from(from > 0) + total(&cells[from.min(start)..start]);
            (left, total(&cells[start..end.min(to).max(start)]).max(1))
        });
        Self { line: shown, mark }
    }

    /// The line below: blanks and carets.
    pub fn carets(&self) -> Option<String> {
        self.mark
            .map(|(left, length)| format!("{}{}", " ".repeat(left), "^".repeat(length)))
    }
}

/// Converts a column, counted from 1, to an index, clamped to the end.
fn index(column: u32, cells: &[Cell]) -> usize {
    usize::try_from(column.saturating_sub(1))
        .unwrap_or(usize::MAX)
        .min(cells.len())
}

fn cells(line: &str) -> Vec<Cell> {
    let mut at = 0;
    line.chars()
        .map(|character| {
            let (shown, width) = match character {
                '\t' => {
                    let width = TAB - at % TAB;
                    (" ".repeat(width), width)
                }
                other if is_hidden(other) => (REPLACEMENT.to_string(), 1),
                other => (other.to_string(), other.width().unwrap_or(0)),
            };
            at += width;
            Cell {
                shown,
                width,
                character,
            }
        })
        .collect()
}

/// The server reports only where a token starts: a word or a quoted name is marked whole, anything else by its first character.
fn length_of_token(cells: &[Cell]) -> usize {
    let is_word = |cell: &&Cell| cell.character.is_alphanumeric() || cell.character == '_';
    match cells.first().map(|cell| cell.character) {
        None => 0,
        Some('"') => cells
            .iter()
            .skip(1)
            .position(|cell| cell.character == '"')
            .map_or(1, |position| position + 2),
        Some(_) => cells.iter().take_while(is_word).count().max(1),
    }
}

/// The visible cells: all, or as many as fit around the mark, a third of them before it.
fn window(cells: &[Cell], marked: Option<(usize, usize)>, room: usize) -> (usize, usize) {
    if total(cells) <= room {
        return (0, cells.len());
    }
    let (start, end) = marked.unwrap_or((0, 0));
    let budget = room.saturating_sub(2).max(1);
    let longest_lead = budget.saturating_sub(total(&cells[start..end]).min(budget / 3));
    let after = total(&cells[start..]);
    // Near the end of the line, less fits after the mark, so more is shown before it.
    let lead = (budget / 3)
        .max(budget.saturating_sub(after))
        .min(longest_lead);
    let mut from = start;
    let mut used = 0;
    while from > 0 && used + cells[from - 1].width <= lead {
        from -= 1;
        used += cells[from].width;
    }
    let mut to = start;
    while to < cells.len() && used + cells[to].width <= budget {
        used += cells[to].width;
        to += 1;
    }
    (from, to)
}

fn total(cells: &[Cell]) -> usize {
    cells.iter().map(|cell| cell.width).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(line: &str, column: u32, room: usize) -> String {
        let snippet = Snippet::new(line, Some(column), room);
        format!("{}\n{}", snippet.line, snippet.carets().unwrap_or_default())
    }

    #[test]
    fn a_word_is_marked_whole() {
        assert_eq!(
            drawn("SELECT titel FROM x", 8, 80),
            "SELECT titel FROM x\n       ^^^^^"
        );
        assert_eq!(
            drawn("SELECT \"a b\" FROM x", 8, 80),
            "SELECT \"a b\" FROM x\n       ^^^^^"
        );
        assert_eq!(drawn("x = = 1", 5, 80), "x = = 1\n    ^");
    }

    #[test]
    fn tabs_are_expanded_before_the_mark() {
        assert_eq!(drawn("\ta\tb", 4, 80), "    a   b\n        ^");
    }

    #[test]
    fn wide_and_invisible_characters_count_as_they_are_drawn() {
        assert_eq!(drawn("'日本' , x", 8, 80), "'日本' , x\n         ^");
        assert_eq!(drawn("e\u{301} x", 4, 80), "e\u{301} x\n  ^");
        assert_eq!(drawn("日本", 1, 80), "日本\n^^^^");
    }

    #[test]
    fn a_column_behind_the_end_is_marked_behind_the_end() {
        assert_eq!(drawn("CREATE TABLE", 13, 80), "CREATE TABLE\n            ^");
        assert_eq!(drawn("CREATE TABLE", 99, 80), "CREATE TABLE\n            ^");
        assert_eq!(drawn("", 1, 80), "\n^");
    }

    #[test]
    fn a_long_line_is_cut_around_the_mark() {
        let line = format!("{} here {}", "a".repeat(50), "b".repeat(50));
        assert_eq!(
            drawn(&line, 52, 26),
            "…aaaaaaa here bbbbbbbbbbb…\n         ^^^^"
        );
        assert_eq!(drawn(&line, 1, 12), "aaaaaaaaaa…\n^^^^^^^^^^");
        let end = Snippet::new(&line, Some(107), 26);
        assert!(
            end.line.ends_with("bbb") && end.line.starts_with('…'),
            "{}",
            end.line
        );
    }

    #[test]
    fn cutting_never_exceeds_the_room_nor_loses_the_mark() {
        let line = "日本語 \t select 'ä' from \"wide table\" where x = 1 and y in (select 1)";
        for room in 4..80 {
            for column in 1..70 {
                let snippet = Snippet::new(line, Some(column), room);
                let drawn = crate::text::width(&snippet.line);
                let (left, length) = snippet.mark.unwrap_or_default();
                assert!(drawn <= room, "{room} {column}: {}", snippet.line);
                assert!(left + length <= room + 1, "{room} {column}: {snippet:?}");
            }
        }
    }

    #[test]
    fn a_span_is_marked_from_column_to_column() {
        let spanned = |end, room| {
            let snippet = Snippet::spanning("ALTER TABLE t DROP a, DROP b;", 15, end, room);
            format!("{}\n{}", snippet.line, snippet.carets().unwrap_or_default())
        };
        assert_eq!(
            spanned(Some(21), 80),
            "ALTER TABLE t DROP a, DROP b;\n              ^^^^^^"
        );
        assert_eq!(
            spanned(None, 80),
            "ALTER TABLE t DROP a, DROP b;\n              ^^^^^^^^^^^^^^^"
        );
        for room in 4..40 {
            let snippet = Snippet::spanning("ALTER TABLE t DROP a, DROP b;", 15, None, room);
            let (left, length) = snippet.mark.unwrap_or_default();
            assert!(left + length <= room + 1, "{room}: {snippet:?}");
        }
    }

    #[test]
    fn without_a_column_there_is_no_mark() {
        assert_eq!(Snippet::new("BEGIN;", None, 80).carets(), None);
    }
}
