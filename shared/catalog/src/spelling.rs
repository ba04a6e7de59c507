//! Treats two forms of one expression as equal.
//!
//! Covers only what the server itself prints differently after a dump and restore: a cast of an array becomes a cast
//! of each element. Not a general equivalence check.

use std::borrow::Cow;

use crate::kind::Kind;

/// Whether two values of an attribute mean the same.
///
/// The server stores `status IN ('a', 'b')` on a `varchar` as `(ARRAY[…])::text[]`. It reads pg_dump's output back as a
/// list of casts, so a restored database has the same constraint in a different form.
pub(crate) fn same(kind: Kind, name: &str, one: Option<&str>, other: Option<&str>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) if is_spelled_by_server(kind, name) => same_sql(one, other),
        _ => one == other,
    }
}

/// Whether two texts that the server generated mean the same.
pub fn same_sql(one: &str, other: &str) -> bool {
    one == other || each_cast(one) == each_cast(other)
}

/// Whether the server generates the text. Function bodies and comments are the user's own.
fn is_spelled_by_server(kind: Kind, name: &str) -> bool {
    matches!(
        kind,
        Kind::Column
            | Kind::Constraint
            | Kind::Domain
            | Kind::Index
            | Kind::MaterialisedView
            | Kind::Policy
            | Kind::Rule
            | Kind::Trigger
            | Kind::View
    ) && !name.ends_with("comment")
}

const LIST: &str = "(ARRAY[";

/// The text with each `(ARRAY[a, b])::t[]` rewritten as `ARRAY[(a)::t, (b)::t]`.
fn each_cast(text: &str) -> Cow<'_, str> {
    if !text.contains(LIST) {
        return Cow::Borrowed(text);
    }
    let mut spelled = String::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        if let Some(cast) = text[at..].strip_prefix(LIST).and_then(cast_list) {
            let elements: Vec<String> = cast
                .elements
                .iter()
                .map(|element| format!("({element})::{}", cast.of))
                .collect();
            spelled.push_str(&format!("ARRAY[{}]", elements.join(", ")));
            at += LIST.len() + cast.length;
            continue;
        }
        let end = at + piece(&text[at..]);
        spelled.push_str(&text[at..end]);
        at = end;
    }
    Cow::Owned(spelled)
}

/// A list followed by a cast.
struct CastList<'a> {
    elements: Vec<&'a str>,
    /// The element type.
    of: &'a str,
    /// The length in bytes.
    length: usize,
}

/// Parses `a, b])::t[]`, which follows the opening bracket.
fn cast_list(text: &str) -> Option<CastList<'_>> {
    let (mut at, mut start, mut depth) = (0, 0, 0_usize);
    let mut elements = Vec::new();
    loop {
        match *text.as_bytes().get(at)? {
            b'(' | b'[' => depth += 1,
            b']' if depth == 0 => break,
            b')' | b']' => depth = depth.checked_sub(1)?,
            b',' if depth == 0 => {
                elements.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
        at += piece(&text[at..]);
    }
    elements.push(text[start..at].trim());
    let behind = text[at..].strip_prefix("])::")?;
    // Nested lists are excluded, and so are types with a length, whose casts truncate.
    let length = behind.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '.' && c != ' ')?;
    if !behind[length..].starts_with("[]") || text.starts_with("ARRAY[") {
        return None;
    }
    Some(CastList {
        elements,
        of: &behind[..length],
        length: at + "])::".len() + length + "[]".len(),
    })
}

/// The length of the next piece: a quoted text or one character.
fn piece(text: &str) -> usize {
    match text.chars().next() {
        // A doubled quote counts as two adjacent quoted pieces, which end at the same position.
        Some(quote @ ('\'' | '"')) => text[1..].find(quote).map_or(text.len(), |end| end + 2),
        Some(other) => other.len_utf8(),
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::same;
    use crate::kind::Kind;

    fn equal(one: &str, other: &str) -> bool {
        same(Kind::Constraint, "definition", Some(one), Some(other))
    }

    #[test]
    fn user_text_is_compared_verbatim() {
        let (one, other) = (Some("(ARRAY[a])::text[]"), Some("ARRAY[(a)::text]"));
        assert!(same(Kind::View, "definition", one, other));
        assert!(!same(Kind::Function, "definition", one, other));
        assert!(!same(Kind::View, "comment", one, other));
    }

    #[test]
    fn a_restored_check_is_equal() {
        let created = "CHECK (((c)::text = ANY ((ARRAY['a,]'::character varying, 'b'::character varying])::text[])))";
        let restored = "CHECK (((c)::text = ANY (ARRAY[('a,]'::character varying)::text, ('b'::character varying)::text])))";
        assert!(equal(created, restored));
        assert!(!equal(created, &restored.replace("'b'", "'c'")));
        assert!(!equal(
            created,
            &restored.replace(", ('b'::character varying)::text", "")
        ));
    }

    #[test]
    fn two_casts_in_one_text_are_rewritten() {
        let created = "((ARRAY['x'::name])::text[] || (ARRAY[f(a, b)])::text[])";
        assert!(equal(
            created,
            "(ARRAY[('x'::name)::text] || ARRAY[(f(a, b))::text])"
        ));
    }

    #[test]
    fn quoted_text_is_compared_verbatim() {
        assert!(!equal("'(ARRAY[1])::text[]'", "'ARRAY[(1)::text]'"));
        assert!(!equal(r#""(ARRAY[1])::t[]""#, r#""ARRAY[(1)::t]""#));
    }

    #[test]
    fn other_types_and_lists_of_lists_differ() {
        assert!(!equal("(ARRAY[a])::text[]", "ARRAY[(a)::name]"));
        assert!(!equal("(ARRAY[a])::varchar(3)[]", "ARRAY[(a)::varchar]"));
        assert!(!equal(
            "(ARRAY[ARRAY[a]])::text[]",
            "ARRAY[(ARRAY[a])::text]"
        ));
        assert!(!same(Kind::View, "definition", Some("a"), None));
    }
}
