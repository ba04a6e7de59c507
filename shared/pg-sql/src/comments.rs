//! Finds the comments of a file, and whether a statement precedes each. Ignores quoted text. `directives` interprets comments.

use super::lexer::{Lexer, block_comment_end, is_blank, line_end, opens_comment};

/// A comment, or what other languages would treat as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Comment<'a> {
    /// The text, including its dashes or its `/*` and `*/`.
    pub text: &'a str,
    /// Byte offset of the start.
    pub offset: usize,
    /// Whether it precedes the first token of the file.
    pub is_leading: bool,
}

/// All comments of a file in order, including lines that begin with `#` or `//`, which are comments in other languages.
/// Stops early at an unterminated construct, which `split` reports.
pub fn comments(sql: &str) -> Vec<Comment<'_>> {
    let bytes = sql.as_bytes();
    let mut lexer = Lexer::new(sql);
    let mut found = Vec::new();
    let mut at = match sql.starts_with('\u{feff}') {
        true => '\u{feff}'.len_utf8(),
        false => 0,
    };
    let mut is_leading = true;
    loop {
        while let Some(&byte) = bytes.get(at) {
            let end = if is_blank(byte) {
                at += 1;
                continue;
            } else if !opens_comment(bytes, at) {
                break;
            } else if byte == b'-' {
                line_end(bytes, at)
            } else {
                match block_comment_end(bytes, at) {
                    Some(end) => end,
                    None => return found,
                }
            };
            found.push(Comment {
                text: &sql[at..end],
                offset: at,
                is_leading,
            });
            at = end;
        }
        lexer.jump(at);
        let Ok(Some(token)) = lexer.next_token() else {
            return found;
        };
        // A line may be as long as the file: it is looked back on only where it matters, and no further than to the token before.
        let opens_line = || {
            let is_gap = |c: char| c.is_whitespace() && c != '\n';
            let before = sql[..token.start].trim_end_matches(is_gap);
            before.is_empty() || before.ends_with('\n')
        };
        if (token.text.starts_with('#') || token.text.starts_with("//")) && opens_line() {
            found.push(Comment {
                text: &sql[token.start..line_end(bytes, token.start)],
                offset: token.start,
                is_leading,
            });
        }
        is_leading = false;
        at = token.end();
    }
}

#[cfg(test)]
mod tests {
    use super::comments;

    #[test]
    fn comments_are_found_around_statements_but_not_in_quotes() {
        let sql = "\u{feff}-- one\n/* two\n/* in */ */ select '-- no', $$ -- no\n$$, \"/*no*/\" -- three\n+ 1; /*four*/\n# five\n  //six\n";
        let found: Vec<_> = comments(sql)
            .into_iter()
            .map(|comment| (comment.text, comment.is_leading))
            .collect();
        assert_eq!(
            found,
            [
                ("-- one", true),
                ("/* two\n/* in */ */", true),
                ("-- three", false),
                ("/*four*/", false),
                ("# five", false),
                ("//six", false),
            ]
        );
        assert_eq!(comments("select 'open -- no").len(), 0);
    }

    #[test]
    fn a_line_of_a_million_words_takes_no_longer_than_a_million_lines() {
        let words = "1 # 1, ".repeat(200_000);
        let started = std::time::Instant::now();
        assert_eq!(comments(&format!("select {words} 1; -- end")).len(), 1);
        // A look back over the whole line for each word takes minutes.
        assert!(started.elapsed() < std::time::Duration::from_secs(20));
    }
}
