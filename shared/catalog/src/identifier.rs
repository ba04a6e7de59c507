//! Quotes identifiers and literals.
//!
//! Quotes identifiers the same way for every server version: `quote_ident` follows the keyword list of its own
//! version, so a column `json` would have different names on 14 and 16.

/// Words that must be quoted as a name: reserved keywords and type or function names, in any version from 14 to 18.
const RESERVED: &[&str] = &[
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "authorization",
    "binary",
    "both",
    "case",
    "cast",
    "check",
    "collate",
    "collation",
    "column",
    "concurrently",
    "constraint",
    "create",
    "cross",
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "false",
    "fetch",
    "for",
    "foreign",
    "freeze",
    "from",
    "full",
    "grant",
    "group",
    "having",
    "ilike",
    "in",
    "initially",
    "inner",
    "intersect",
    "into",
    "is",
    "isnull",
    "join",
    "lateral",
    "leading",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "natural",
    "not",
    "notnull",
    "null",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "outer",
    "overlaps",
    "placing",
    "primary",
    "references",
    "returning",
    "right",
    "select",
    "session_user",
    "similar",
    "some",
    "symmetric",
    "system_user",
    "table",
    "tablesample",
    "then",
    "to",
    "trailing",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "variadic",
    "verbose",
    "when",
    "where",
    "window",
    "with",
];

/// The identifier as written in SQL: in double quotes only if needed.
pub fn quote(name: &str) -> String {
    let mut letters = name.chars();
    let plain = letters
        .next()
        .is_some_and(|first| first.is_ascii_lowercase() || first == '_')
        && letters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && RESERVED.binary_search(&name).is_err();
    if plain {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

/// The text as an SQL literal that is valid for either value of `standard_conforming_strings`.
pub fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') {
        format!("E'{}'", quoted.replace('\\', "\\\\"))
    } else {
        format!("'{quoted}'")
    }
}

/// Identifiers joined by dots, each quoted if needed.
pub(crate) fn qualified(parts: &[&str]) -> String {
    parts
        .iter()
        .map(|part| quote(part))
        .collect::<Vec<_>>()
        .join(".")
}

#[cfg(test)]
mod tests {
    use super::{RESERVED, literal, qualified, quote};

    #[test]
    fn reserved_words_are_sorted_for_binary_search() {
        assert!(RESERVED.is_sorted());
    }

    #[test]
    fn only_names_that_need_quotes_are_quoted() {
        assert_eq!(quote("users_2"), "users_2");
        assert_eq!(quote("Users"), "\"Users\"");
        assert_eq!(quote("user"), "\"user\"");
        assert_eq!(quote("2fa"), "\"2fa\"");
        assert_eq!(quote("a\"b"), "\"a\"\"b\"");
        assert_eq!(quote(""), "\"\"");
    }

    #[test]
    fn a_literal_is_valid_with_either_setting() {
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("a\\'b"), "E'a\\\\''b'");
        assert_eq!(literal(""), "''");
    }

    #[test]
    fn a_qualified_name_quotes_each_part_separately() {
        assert_eq!(
            qualified(&["public", "user", "email"]),
            "public.\"user\".email"
        );
    }
}
