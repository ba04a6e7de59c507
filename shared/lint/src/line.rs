//! The range of a line in bytes.

use std::ops::Range;

use pg_sql::Lines;

/// The range of a line, counted from 1, without surrounding blanks, in bytes of the text.
pub fn line(text: &str, number: u32) -> Range<usize> {
    trimmed_line(&Lines::of(text), number)
}

/// The same, with precomputed lines.
pub(super) fn trimmed_line(lines: &Lines<'_>, number: u32) -> Range<usize> {
    let start = lines.start(number).unwrap_or(lines.end());
    let line = lines.line(number).unwrap_or_default();
    let lead = line.len() - line.trim_start().len();
    start + lead..start + lead.max(line.trim_end().len())
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn a_line_excludes_surrounding_blanks() {
        let text = "a\n  b c  \r\n\nd";
        let found: Vec<&str> = (1..6).map(|number| &text[line(text, number)]).collect();
        assert_eq!(found, ["a", "b c", "", "d", ""]);
    }
}
