//! Text that fits: widths in columns, cutting, wrapping, and making foreign text safe to print.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The width of a text without escape sequences.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// The replacement for characters that must not reach the terminal.
pub(super) const REPLACEMENT: char = '\u{fffd}';

/// Whether a character controls the terminal or the reading order, or is invisible and carries text: control characters,
/// bidirectional marks ("Trojan Source"), line separators, tags.
pub(super) const fn is_hidden(character: char) -> bool {
    matches!(
        character,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}'
    )
}

/// Text from a server or a file without characters that control the terminal. Line ends and tabs stay.
pub fn clean(text: &str) -> String {
    text.chars()
        .filter(|character| *character != '\r')
        .map(|character| match character {
            '\n' | '\t' => character,
            other if is_hidden(other) => REPLACEMENT,
            other => other,
        })
        .collect()
}

/// Foreign text as one line of at most `most` columns; what does not fit becomes `…`.
pub fn one_line(text: &str, most: usize) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    cut(&clean(&words.join(" ")), most)
}

/// At most `most` columns of a text.
pub(super) fn cut(text: &str, most: usize) -> String {
    if width(text) <= most {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 0;
    for character in text.chars() {
        used += character.width().unwrap_or(0);
        if used >= most {
            break;
        }
        kept.push(character);
    }
    kept.truncate(kept.trim_end().len());
    kept.push('…');
    kept
}

/// The lines of a text, broken between words to fit `most` columns. A longer word gets its own unbroken line: it may be a
/// path or a command to copy.
pub(super) fn wrap(text: &str, most: Option<usize>) -> Vec<String> {
    let Some(most) = most else {
        return text.lines().map(str::to_owned).collect();
    };
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        if width(paragraph) <= most {
            lines.push(paragraph.to_owned());
            continue;
        }
        let mut line = String::new();
        for word in paragraph.split(' ').filter(|word| !word.is_empty()) {
            if !line.is_empty() && width(&line) + 1 + width(word) > most {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

/// `first` and then the text, with further lines aligned below the first.
pub fn hanging(first: &str, text: &str, limit: Option<usize>) -> Vec<String> {
    let indent = width(first);
    // Below some width, wrapping makes it less readable.
    let most = limit.map(|limit| limit.saturating_sub(indent).max(24));
    let mut lines = wrap(text, most);
    if lines.is_empty() {
        lines.push(String::new());
    }
    for (index, line) in lines.iter_mut().enumerate() {
        let lead = if index == 0 {
            first.to_owned()
        } else {
            " ".repeat(indent)
        };
        *line = format!("{lead}{line}").trim_end().to_owned();
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_cannot_steer_the_terminal() {
        assert_eq!(clean("a\u{1b}[31mb\r\nc\td"), "a\u{fffd}[31mb\nc\td");
    }

    #[test]
    fn one_line_joins_and_cuts() {
        assert_eq!(
            one_line("UPDATE policies\n   SET x = 1", 80),
            "UPDATE policies SET x = 1"
        );
        assert_eq!(one_line("UPDATE policies SET x", 10), "UPDATE po…");
        assert_eq!(one_line("日本語テスト", 7), "日本語…");
    }

    #[test]
    fn wrapping_counts_columns_and_keeps_long_words() {
        assert_eq!(wrap("one two three", Some(7)), ["one two", "three"]);
        assert_eq!(wrap("日本 日本", Some(6)), ["日本", "日本"]);
        assert_eq!(
            wrap("a verylongword b", Some(4)),
            ["a", "verylongword", "b"]
        );
        assert_eq!(wrap("one two three", None), ["one two three"]);
    }

    #[test]
    fn further_lines_stand_below_the_first() {
        assert_eq!(hanging("hint: ", "a\nb", None), ["hint: a", "      b"]);
    }
}
