//! Tables without borders: columns that line up, no blanks at the end of a line.
//!
//! Only the last column is broken when the terminal is narrow: it holds the words, the others hold what people compare. Cells
//! carry their colour beside their text, so that escape sequences never count as width. Floor 4.

use super::style::{Palette, Role};
use super::text::{clean, width, wrap};

const GAP: &str = "  ";
/// Narrower than this the last column is not made.
const LEAST: usize = 16;

/// On which side a column is flush.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Align {
    /// Words.
    #[default]
    Left,
    /// Numbers.
    Right,
}

/// A cell: one line of text and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    text: String,
    role: Role,
}

impl Cell {
    /// A cell in the colour of its role.
    pub fn new(role: Role, text: impl Into<String>) -> Self {
        Self {
            text: clean(&text.into()).replace(['\n', '\t'], " "),
            role,
        }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(Role::Plain, text)
    }
}

/// Lays out a table, the headers above. Every line ends with a line end.
///
/// A row that is too short is filled with empty cells. `limit` is the width of the terminal.
pub fn columns(
    headers: &[&str],
    rows: &[Vec<Cell>],
    alignments: &[Align],
    palette: Palette,
    limit: Option<usize>,
) -> String {
    let headings: Vec<Cell> = headers
        .iter()
        .map(|header| Cell::new(Role::Quiet, *header))
        .collect();
    let all: Vec<&[Cell]> = std::iter::once(headings.as_slice())
        .chain(rows.iter().map(Vec::as_slice))
        .collect();
    let number = all.iter().map(|row| row.len()).max().unwrap_or(0);
    let mut widths = vec![0; number];
    for row in &all {
        for (widest, cell) in widths.iter_mut().zip(*row) {
            *widest = width(&cell.text).max(*widest);
        }
    }
    if let (Some(limit), Some((last, others))) = (limit, widths.split_last_mut()) {
        let before: usize = others.iter().map(|width| width + GAP.len()).sum();
        *last = (*last).min(limit.saturating_sub(before).max(LEAST));
    }
    let layout = Layout {
        widths,
        alignments,
        palette,
    };
    all.iter().map(|row| layout.row(row)).collect()
}

struct Layout<'a> {
    widths: Vec<usize>,
    alignments: &'a [Align],
    palette: Palette,
}

impl Layout<'_> {
    fn row(&self, cells: &[Cell]) -> String {
        let last = self.widths.len().saturating_sub(1);
        let mut line = String::new();
        let mut indent = 0;
        // Blanks are owed until something follows them, so that no line ends with one.
        let mut owed = 0;
        let mut rest = Vec::new();
        for (column, cell) in cells.iter().enumerate() {
            let mut text = cell.text.clone();
            if column == last {
                let mut broken = wrap(&cell.text, self.widths.get(column).copied()).into_iter();
                text = broken.next().unwrap_or_default();
                rest = broken.map(|line| (cell.role, line)).collect();
            }
            let room = self.widths[column].saturating_sub(width(&text));
            let align = self.alignments.get(column).copied().unwrap_or_default();
            if align == Align::Right {
                owed += room;
            }
            if !text.is_empty() {
                line.push_str(&" ".repeat(owed));
                line.push_str(&self.palette.paint(cell.role, &text));
                owed = 0;
            }
            if align == Align::Left {
                owed += room;
            }
            owed += GAP.len();
            if column < last {
                indent += self.widths[column] + GAP.len();
            }
        }
        line.push('\n');
        for (role, text) in rest {
            line.push_str(&" ".repeat(indent));
            line.push_str(&self.palette.paint(role, &text));
            line.push('\n');
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(limit: Option<usize>, palette: Palette) -> String {
        let rows = [
            vec!["auth".into(), "2".into(), Cell::new(Role::Good, "done")],
            vec!["日本".into(), "".into(), "".into()],
            vec![
                "policy".into(),
                "12".into(),
                "skipped: auth failed before it".into(),
            ],
        ];
        columns(
            &["service", "applied", "state"],
            &rows,
            &[Align::Left, Align::Right, Align::Left],
            palette,
            limit,
        )
    }

    #[test]
    fn columns_line_up_without_blanks_at_the_end() {
        insta::assert_snapshot!(sample(None, Palette::default()), @r"
        service  applied  state
        auth           2  done
        日本
        policy        12  skipped: auth failed before it
        ");
    }

    #[test]
    fn a_narrow_terminal_breaks_the_last_column() {
        insta::assert_snapshot!(sample(Some(36), Palette::default()), @r"
        service  applied  state
        auth           2  done
        日本
        policy        12  skipped: auth
                          failed before it
        ");
    }

    #[test]
    fn colours_take_no_room() {
        let painted = sample(None, Palette::new(true));
        assert!(
            painted.contains("auth           2  \u{1b}[32mdone\u{1b}[0m\n"),
            "{painted}"
        );
    }
}
