//! Whether two definitions of a function differ only in whitespace: a revert that recreates a function with other indentation
//! restores the same function. Pure.

/// Whether two texts differ only in the whitespace between tokens.
pub(super) fn differ_in_layout_only(one: &str, other: &str) -> bool {
    one != other && normalized(one) == normalized(other)
}

/// The text with whitespace only where it separates tokens. Quoted text and the ends of line comments are unchanged.
fn normalized(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    let mut is_apart = false;
    while let Some(first) = rest.chars().next() {
        if first.is_whitespace() {
            is_apart = true;
            rest = &rest[first.len_utf8()..];
            continue;
        }
        if let Some(tag) = dollar_tag(rest) {
            let is_body = tag.starts_with("$function");
            let behind = &rest[tag.len()..];
            let length = match behind.find(tag) {
                Some(end) if !is_body => end + 2 * tag.len(),
                _ => tag.len(),
            };
            kept.push_str(&rest[..length]);
            // Whitespace at the ends of the body is not significant.
            kept.push('\n');
            is_apart = false;
            rest = &rest[length..];
            continue;
        }
        let last = kept.chars().next_back();
        if is_apart && last.is_some_and(|last| separates(last, first)) {
            kept.push(' ');
        }
        is_apart = false;
        let length = if rest.starts_with("--") {
            rest.find('\n').unwrap_or(rest.len())
        } else if first == '\'' || first == '"' {
            rest[1..].find(first).map_or(rest.len(), |end| end + 2)
        } else {
            first.len_utf8()
        };
        kept.push_str(&rest[..length]);
        if rest.starts_with("--") {
            kept.truncate(kept.trim_end().len());
            kept.push('\n');
        }
        rest = &rest[length..];
    }
    kept
}

/// The dollar quote that starts a text: `$function$` from `pg_get_functiondef`, or one within a body.
fn dollar_tag(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('$')?;
    let end = inner.find(|c: char| !c.is_alphanumeric() && c != '_')?;
    let is_tag = inner[end..].starts_with('$') && !inner.starts_with(|c: char| c.is_ascii_digit());
    is_tag.then(|| &text[..end + 2])
}

/// Whether whitespace between two characters is significant: `a b`, `- -`, `E 'x'`.
fn separates(last: char, first: char) -> bool {
    let kind = |character: char| match character {
        '(' | ')' | ',' | ';' | '\n' => 0,
        '\'' | '"' => 1,
        other if other.is_alphanumeric() || other == '_' || other == '$' || other == '.' => 1,
        _ => 2,
    };
    kind(last) == kind(first) && kind(last) != 0
}

#[cfg(test)]
mod tests {
    use super::differ_in_layout_only;

    #[test]
    fn only_insignificant_whitespace_is_ignored() {
        for (one, other, is_layout) in [
            (
                "BEGIN RETURN  NEW;\nEND",
                "BEGIN\n\tRETURN NEW; END\n",
                true,
            ),
            ("f( a,b )", "f(a, b)", true),
            ("a = 1", "a=1", true),
            ("a -- why \n+ 1", "a -- why\n  + 1", true),
            ("a -- why\n+ 1", "a -- why + 1", false),
            ("a - -1", "a --1", false),
            ("'a  b'", "'a b'", false),
            (
                "AS $function$SELECT 1$function$",
                "AS $function$\n  SELECT   1\n$function$\n",
                true,
            ),
            (
                "AS $function$ SELECT $q$a  b$q$ $function$",
                "AS $function$ SELECT $q$a b$q$ $function$",
                false,
            ),
            ("$1 $2", "$1  $2", true),
            ("\"a  b\"", "\"a b\"", false),
            ("E 'a'", "E'a'", false),
            ("a b", "ab", false),
            ("a", "b", false),
            ("a", "a", false),
        ] {
            assert_eq!(
                differ_in_layout_only(one, other),
                is_layout,
                "{one:?} {other:?}"
            );
        }
    }
}
