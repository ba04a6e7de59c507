//! Tables without borders: aligned columns, no trailing blanks.
//!
//! On a narrow terminal, text columns are truncated, dispensable columns are omitted, and the last column is wrapped. Cells
//! store their color separately from their text, so that escape sequences never count as width.

use super::style::{Palette, Role};
use super::text::{clean, cut, width, wrap};

const GAP: &str = "  ";
/// The minimum width of the last column.
const LEAST: usize = 16;
/// The minimum width of other text columns.
const SHORTEST: usize = 10;

/// The alignment of a column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Align {
    /// Text.
    #[default]
    Left,
    /// Numbers.
    Right,
}

/// A cell: one line of text and its role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    text: String,
    role: Role,
}

impl Cell {
    /// A cell in the color of its role.
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

/// Lays out a table with headers. Every line ends with a line end.
///
/// A short row is padded with empty cells. `limit` is the width of the terminal: text columns that do not fit are truncated with
/// `…`, and the last column is wrapped.
pub fn columns(
    headers: &[&str],
    rows: &[Vec<Cell>],
    alignments: &[Align],
    palette: Palette,
    limit: Option<usize>,
) -> String {
    columns_without(&[], headers, rows, alignments, palette, limit)
}

/// As [`columns`], but on a narrow terminal the columns of `dispensable` are omitted, in this order.
pub fn columns_without(
    dispensable: &[usize],
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
    let mut facts: Vec<Column> = (0..number)
        .map(|index| Column::of(index, alignments, &all))
        .collect();
    if let Some(limit) = limit {
        for dropped in dispensable {
            if total(&facts, Column::least) <= limit {
                break;
            }
            facts.retain(|column| column.index != *dropped);
        }
        fit(&mut facts, limit);
    }
    let layout = Layout {
        columns: facts,
        palette,
    };
    all.iter().map(|row| layout.row(row)).collect()
}

/// A laid-out column.
#[derive(Clone, Copy, Debug)]
struct Column {
    index: usize,
    width: usize,
    align: Align,
    /// Whether it contains text, which can be truncated: numbers and times cannot.
    is_words: bool,
}

impl Column {
    fn of(index: usize, alignments: &[Align], rows: &[&[Cell]]) -> Self {
        let cells = || rows.iter().filter_map(|row| row.get(index));
        Self {
            index,
            width: cells().map(|cell| width(&cell.text)).max().unwrap_or(0),
            align: alignments.get(index).copied().unwrap_or_default(),
            is_words: cells()
                .skip(1)
                .any(|cell| cell.text.starts_with(char::is_alphabetic)),
        }
    }

    fn least(&self) -> usize {
        if self.is_words {
            self.width.min(SHORTEST)
        } else {
            self.width
        }
    }
}

fn total(columns: &[Column], width: impl Fn(&Column) -> usize) -> usize {
    let gaps = columns.len().saturating_sub(1) * GAP.len();
    columns.iter().map(width).sum::<usize>() + gaps
}

/// Narrows the widest text column until all fit; then the last one, down to its minimum width.
fn fit(columns: &mut [Column], limit: usize) {
    let last = columns.len().saturating_sub(1);
    while total(columns, |column| column.width) > limit {
        let widest = columns[..last]
            .iter_mut()
            .filter(|column| column.is_words && column.width > SHORTEST)
            .max_by_key(|column| column.width);
        match widest {
            Some(column) => column.width -= 1,
            None => break,
        }
    }
    let over = total(columns, |column| column.width).saturating_sub(limit);
    if let Some(last) = columns.last_mut() {
        last.width = last.width.saturating_sub(over).max(LEAST.min(last.width));
    }
}

struct Layout {
    columns: Vec<Column>,
    palette: Palette,
}

impl Layout {
    fn row(&self, cells: &[Cell]) -> String {
        let last = self.columns.len().saturating_sub(1);
        let mut line = String::new();
        let mut indent = 0;
        // Blanks are written only when something follows, so that no line ends with one.
        let mut owed = 0;
        let mut rest = Vec::new();
        for (place, column) in self.columns.iter().enumerate() {
            let Some(cell) = cells.get(column.index) else {
                continue;
            };
            let mut text = cut(&cell.text, column.width);
            if place == last {
                let mut broken = wrap(&cell.text, Some(column.width)).into_iter();
                text = broken.next().unwrap_or_default();
                rest = broken.map(|line| (cell.role, line)).collect();
            }
            let room = column.width.saturating_sub(width(&text));
            if column.align == Align::Right {
                owed += room;
            }
            if !text.is_empty() {
                line.push_str(&" ".repeat(owed));
                line.push_str(&self.palette.paint(cell.role, &text));
                owed = 0;
            }
            if column.align == Align::Left {
                owed += room;
            }
            owed += GAP.len();
            if place < last {
                indent += column.width + GAP.len();
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
    fn words_are_cut_and_what_can_be_spared_is_left_out() {
        let rows = [vec![
            "auth".into(),
            "1753250000000".into(),
            "a_name_that_is_too_long_for_this".into(),
            "2025-07-23 10:11:12".into(),
            "applied".into(),
        ]];
        let shown = |limit| {
            columns_without(
                &[3],
                &["service", "version", "name", "on", "state"],
                &rows,
                &[],
                Palette::default(),
                Some(limit),
            )
        };
        insta::assert_snapshot!(shown(70), @r"
        service  version        name              on                   state
        auth     1753250000000  a_name_that_is_…  2025-07-23 10:11:12  applied
        ");
        insta::assert_snapshot!(shown(60), @r"
        service  version        name                         state
        auth     1753250000000  a_name_that_is_too_long_fo…  applied
        ");
        assert!(shown(70).lines().all(|line| width(line) <= 70));
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
