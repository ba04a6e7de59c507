//! Names of database objects, as stored in the catalog.
//!
//! Folds and truncates names. Does not resolve a name without a schema (which requires a `search_path`).

use std::fmt;

use super::quote::quote_identifier;

/// The longest identifier in bytes; PostgreSQL truncates longer ones (`NAMEDATALEN` - 1).
const LONGEST: usize = 63;

/// A possibly schema-qualified name: unquoted, folded to lower case and truncated as in PostgreSQL. Printed as SQL, quoted
/// if needed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// The schema, if specified.
    pub schema: Option<String>,
    /// The name within the schema.
    pub name: String,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{}.", quote_identifier(schema))?;
        }
        write!(f, "{}", quote_identifier(&self.name))
    }
}

/// Folds an unquoted identifier like PostgreSQL in a UTF-8 database: only ASCII letters.
pub(super) fn fold(word: &str) -> String {
    truncate(word.to_ascii_lowercase())
}

pub(super) fn truncate(mut identifier: String) -> String {
    identifier.truncate(identifier.floor_char_boundary(LONGEST));
    identifier
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_if_needed() {
        let cases = [
            (None, "users", "users"),
            (Some("public"), "_a1", "public._a1"),
            (Some("S"), "order", "\"S\".\"order\""),
            (None, "a\"b", "\"a\"\"b\""),
            (None, "1a", "\"1a\""),
            (None, "a$", "\"a$\""),
            (None, "é", "\"é\""),
            (None, "", "\"\""),
            (None, "name", "name"),
        ];
        for (schema, name, expected) in cases {
            let name = Name {
                schema: schema.map(str::to_owned),
                name: name.to_owned(),
            };
            assert_eq!(name.to_string(), expected);
        }
    }

    #[test]
    fn identifiers_fold_in_ascii_and_are_truncated_to_63_bytes() {
        assert_eq!(fold("ÄBc"), "Äbc");
        assert_eq!(fold(&"A".repeat(70)), "a".repeat(63));
        assert_eq!(fold(&"é".repeat(40)), "é".repeat(31));
    }
}
