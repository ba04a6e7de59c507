//! Names of database objects, as stored in the catalog.
//!
//! Folds, truncates and quotes names. Does not resolve a name without a schema (which requires a `search_path`).

use std::fmt;

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
            write!(f, "{}.", Quoted(schema))?;
        }
        write!(f, "{}", Quoted(&self.name))
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

/// The identifier as SQL: in double quotes only if needed.
#[must_use]
pub fn quoted(identifier: &str) -> String {
    Quoted(identifier).to_string()
}

struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = self
            .0
            .starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
            && self
                .0
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
            && NEEDS_QUOTES.binary_search(&self.0).is_err();
        if plain {
            f.write_str(self.0)
        } else {
            write!(f, "\"{}\"", self.0.replace('"', "\"\""))
        }
    }
}

/// The keywords that `quote_ident` quotes: all of `pg_get_keywords()` whose `catcode` is not `U`, PostgreSQL 14 to 18.
#[rustfmt::skip]
const NEEDS_QUOTES: &[&str] = &[
    "all", "analyse", "analyze", "and", "any", "array", "as", "asc", "asymmetric", "authorization", "between",
    "bigint", "binary", "bit", "boolean", "both", "case", "cast", "char", "character", "check", "coalesce",
    "collate", "collation", "column", "concurrently", "constraint", "create", "cross", "current_catalog",
    "current_date", "current_role", "current_schema", "current_time", "current_timestamp", "current_user",
    "dec", "decimal", "default", "deferrable", "desc", "distinct", "do", "else", "end", "except", "exists",
    "extract", "false", "fetch", "float", "for", "foreign", "freeze", "from", "full", "grant", "greatest",
    "group", "grouping", "having", "ilike", "in", "initially", "inner", "inout", "int", "integer", "intersect",
    "interval", "into", "is", "isnull", "join", "json", "json_array", "json_arrayagg", "json_exists",
    "json_object", "json_objectagg", "json_query", "json_scalar", "json_serialize", "json_table", "json_value",
    "lateral", "leading", "least", "left", "like", "limit", "localtime", "localtimestamp", "merge_action",
    "national", "natural", "nchar", "none", "normalize", "not", "notnull", "null", "nullif", "numeric",
    "offset", "on", "only", "or", "order", "out", "outer", "overlaps", "overlay", "placing", "position",
    "precision", "primary", "real", "references", "returning", "right", "row", "select", "session_user",
    "setof", "similar", "smallint", "some", "substring", "symmetric", "system_user", "table", "tablesample",
    "then", "time", "timestamp", "to", "trailing", "treat", "trim", "true", "union", "unique", "user", "using",
    "values", "varchar", "variadic", "verbose", "when", "where", "window", "with", "xmlattributes", "xmlconcat",
    "xmlelement", "xmlexists", "xmlforest", "xmlnamespaces", "xmlparse", "xmlpi", "xmlroot", "xmlserialize",
    "xmltable",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_sorted_for_binary_search() {
        assert!(NEEDS_QUOTES.is_sorted());
    }

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
