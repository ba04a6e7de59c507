//! Qualified names.

use pg_sql::quote_identifier;

/// Identifiers joined by dots, each quoted if needed.
pub(crate) fn qualified(parts: &[&str]) -> String {
    parts
        .iter()
        .map(|part| quote_identifier(part))
        .collect::<Vec<_>>()
        .join(".")
}

#[cfg(test)]
mod tests {
    use super::qualified;

    #[test]
    fn a_qualified_name_quotes_each_part_separately() {
        assert_eq!(
            qualified(&["public", "user", "email"]),
            "public.\"user\".email"
        );
    }
}
