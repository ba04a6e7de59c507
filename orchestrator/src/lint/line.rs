//! A line of a file as a range of bytes. Floor 3.

use std::ops::Range;

/// A line, counted from 1, without the blanks around it, in bytes of the text.
pub fn line(text: &str, number: u32) -> Range<usize> {
    let before = usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
    let start = match before {
        0 => 0,
        _ => text
            .match_indices('\n')
            .nth(before - 1)
            .map_or(text.len(), |(at, _)| at + 1),
    };
    let line = text[start..].split('\n').next().unwrap_or_default();
    let lead = line.len() - line.trim_start().len();
    start + lead..start + lead.max(line.trim_end().len())
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn a_line_stands_without_its_blanks() {
        let text = "a\n  b c  \r\n\nd";
        let found: Vec<&str> = (1..6).map(|number| &text[line(text, number)]).collect();
        assert_eq!(found, ["a", "b c", "", "d", ""]);
    }
}
