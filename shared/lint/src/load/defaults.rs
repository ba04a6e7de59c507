//! Whether the default of a new column is the same for all rows.
//!
//! squawk treats a call with arguments, a parenthesis or a sign as volatile, and does not see the sequence of a
//! `serial`. Volatility is in the catalog, which is not available here, so the functions that are common in defaults are listed.

use squawk_syntax::ast::{self, AstNode};

/// Functions of PostgreSQL that are not volatile.
const SAME_FOR_ALL_ROWS: [&str; 40] = [
    "abs",
    "array",
    "array_fill",
    "ceil",
    "chr",
    "coalesce",
    "concat",
    "concat_ws",
    "current_schema",
    "current_setting",
    "date_trunc",
    "decode",
    "encode",
    "extract",
    "floor",
    "format",
    "greatest",
    "json_build_array",
    "json_build_object",
    "jsonb_build_array",
    "jsonb_build_object",
    "least",
    "left",
    "length",
    "lower",
    "make_date",
    "make_interval",
    "make_timestamptz",
    "md5",
    "now",
    "power",
    "replace",
    "right",
    "round",
    "sha256",
    "statement_timestamp",
    "to_jsonb",
    "to_timestamp",
    "transaction_timestamp",
    "upper",
];

/// Whether an expression has the same value for all rows of one statement.
pub(super) fn is_same_for_all_rows(expression: &ast::Expr) -> bool {
    let node = expression.syntax();
    node.descendants()
        .filter_map(ast::CallExpr::cast)
        .all(|call| {
            let name = match call.expr() {
                Some(ast::Expr::NameRef(name)) => name.text(),
                Some(ast::Expr::FieldExpr(field)) => {
                    match field.syntax().text().to_string().rsplit_once('.') {
                        Some((schema, name)) if schema.trim() == "pg_catalog" => {
                            name.trim().to_ascii_lowercase()
                        }
                        _ => return false,
                    }
                }
                // Functions with a grammar of their own: EXTRACT(…), JSON_OBJECT(…).
                None => return true,
                Some(_) => return false,
            };
            SAME_FOR_ALL_ROWS.contains(&name.as_str())
        })
}

/// Whether a type implies a sequence as the default.
pub(super) fn is_serial(column: &ast::AddColumn) -> bool {
    let name = column
        .ty()
        .map(|ty| ty.syntax().text().to_string().to_ascii_lowercase());
    name.is_some_and(|name| {
        matches!(
            name.as_str(),
            "serial" | "serial2" | "serial4" | "serial8" | "smallserial" | "bigserial"
        )
    })
}

#[cfg(test)]
mod tests {
    use squawk_syntax::SourceFile;
    use squawk_syntax::ast::{self, AstNode};

    use super::is_same_for_all_rows;

    fn judge(default: &str) -> bool {
        let parsed = SourceFile::parse(&format!(
            "ALTER TABLE t ADD COLUMN c text DEFAULT {default};"
        ));
        let node = parsed.syntax_node();
        let constraint = node
            .descendants()
            .find_map(ast::DefaultConstraint::cast)
            .expect("a default");
        is_same_for_all_rows(&constraint.expr().expect("an expression"))
    }

    #[test]
    fn constant_and_volatile_defaults() {
        for default in [
            "1",
            "-1",
            "'{}'::jsonb",
            "(0)",
            "now()",
            "pg_catalog.now()",
            "CURRENT_TIMESTAMP",
            "NOW() + interval '1 day'",
            "ARRAY[]::text[]",
            "to_timestamp(0)",
            "lower('A')",
            "true",
            "NULL",
            "current_date",
            "'a' || 'b'",
            "date_trunc('day', now())",
            "jsonb_build_object('a', 1)",
            "'x'::my_enum",
            "current_user",
        ] {
            assert!(judge(default), "{default}");
        }
        for default in [
            "random()",
            "gen_random_uuid()",
            "uuid_generate_v4()",
            "clock_timestamp()",
            "nextval('s')",
            "my_function()",
            "now() + random() * interval '1 day'",
            "other.now()",
            "(gen_random_uuid())::text",
            "md5(random()::text)",
        ] {
            assert!(!judge(default), "{default}");
        }
    }
}
