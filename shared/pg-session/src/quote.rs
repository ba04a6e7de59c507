//! Names and texts in SQL.

/// `schema.table` or `table`.
pub fn split_name(name: &str) -> (Option<&str>, &str) {
    match name.split_once('.') {
        Some((schema, table)) => (Some(schema), table),
        None => (None, name),
    }
}

/// The identifier in double quotes.
pub fn quote_identifier(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

/// The text as a literal. Means the same whatever `standard_conforming_strings` is, as that of the server's `quote_literal`.
pub fn quote_literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if text.contains('\\') {
        format!("E'{}'", quoted.replace('\\', "\\\\"))
    } else {
        format!("'{quoted}'")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_means_the_same_under_every_setting() {
        assert_eq!(quote_literal("o'clock"), "'o''clock'");
        assert_eq!(quote_literal(r#"{"a":"\""}"#), r#"E'{"a":"\\""}'"#);
        assert_eq!(quote_literal(r"\'; DROP"), r"E'\\''; DROP'");
    }
}
