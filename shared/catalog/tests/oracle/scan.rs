//! Scans the SQL text of dumps, skipping quoted strings, dollar quotes and comments. Does not parse statements.

/// The end of the token that begins at `start`: a string, a quoted identifier, a comment, or one character.
fn piece_end(text: &str, start: usize) -> usize {
    let rest = &text[start..];
    let Some(first) = rest.chars().next() else {
        return start;
    };
    match first {
        '\'' if is_escape_string(text, start) => escape_string_end(text, start),
        '\'' | '"' => quoted_end(text, start, first),
        '$' if !follows_word(text, start) => dollar_end(text, start),
        '-' if rest.starts_with("--") => rest
            .find('\n')
            .map_or(text.len(), |newline| start + newline),
        _ => start + first.len_utf8(),
    }
}

fn quoted_end(text: &str, start: usize, quote: char) -> usize {
    // A doubled quote counts as two adjacent strings, which end at the same position.
    text[start + 1..]
        .find(quote)
        .map_or(text.len(), |end| start + end + 2)
}

fn is_escape_string(text: &str, start: usize) -> bool {
    start > 0 && matches!(text.as_bytes()[start - 1], b'E' | b'e') && !follows_word(text, start - 1)
}

fn escape_string_end(text: &str, start: usize) -> usize {
    let mut escaped = false;
    for (index, byte) in text.bytes().enumerate().skip(start + 1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'\'' => return index + 1,
            _ => {}
        }
    }
    text.len()
}

fn dollar_end(text: &str, start: usize) -> usize {
    let rest = &text[start + 1..];
    let Some(tag) = rest.find('$') else {
        return start + 1;
    };
    let is_tag = rest[..tag].chars().all(|c| c == '_' || c.is_alphanumeric())
        && !rest.starts_with(|c: char| c.is_ascii_digit());
    if !is_tag {
        return start + 1;
    }
    let fence = &text[start..start + tag + 2];
    let body = start + fence.len();
    text[body..]
        .find(fence)
        .map_or(text.len(), |end| body + end + fence.len())
}

fn follows_word(text: &str, start: usize) -> bool {
    text[..start]
        .chars()
        .next_back()
        .is_some_and(|c| c == '_' || c == '$' || c.is_alphanumeric())
}

/// The offsets outside quotes and brackets at which `pattern` begins.
pub fn places(text: &str, pattern: &str) -> Vec<usize> {
    let mut found = Vec::new();
    let (mut at, mut depth) = (0, 0_usize);
    while at < text.len() {
        if depth == 0 && text[at..].starts_with(pattern) {
            found.push(at);
        }
        match text.as_bytes()[at] {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at = piece_end(text, at);
    }
    found
}

/// Splits at a separator outside quotes and brackets, and trims each part.
pub fn split<'a>(text: &'a str, separator: &str) -> Vec<&'a str> {
    let mut parts = Vec::new();
    let mut start = 0;
    for place in places(text, separator) {
        parts.push(text[start..place].trim());
        start = place + separator.len();
    }
    parts.push(text[start..].trim());
    parts.retain(|part| !part.is_empty());
    parts
}

/// The start and end of the contents of the first brackets.
pub fn first_brackets(text: &str) -> Option<(usize, usize)> {
    let mut at = 0;
    let (mut open, mut depth) = (None, 0_usize);
    while at < text.len() {
        match text.as_bytes()[at] {
            b'(' => {
                depth += 1;
                open.get_or_insert(at + 1);
            }
            b')' => {
                depth = depth.saturating_sub(1);
                if let (0, Some(open)) = (depth, open) {
                    return Some((open, at));
                }
            }
            _ => {}
        }
        at = piece_end(text, at);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{first_brackets, split};

    #[test]
    fn quoted_text_is_skipped() {
        let text = r#"a 'x;''y' ; "b;" ; $t$ ; $$ $t$ ; E'\';' ; c"#;
        assert_eq!(
            split(text, ";"),
            ["a 'x;''y'", "\"b;\"", "$t$ ; $$ $t$", r"E'\';'", "c"]
        );
    }

    #[test]
    fn commas_in_brackets_are_skipped() {
        assert_eq!(
            split("a numeric(1,2), b text", ","),
            ["a numeric(1,2)", "b text"]
        );
        let text = r#"CREATE TABLE "(" (a int CHECK (a > 0), b int) PARTITION BY LIST (a)"#;
        let (start, end) = first_brackets(text).expect("brackets");
        assert_eq!(&text[start..end], "a int CHECK (a > 0), b int");
    }
}
