//! New columns whose value differs from row to row.
//!
//! squawk treats a call with arguments, a parenthesis or a sign as volatile, and does not see the sequence of a
//! `serial`. Volatility is in the catalog, which is not available here, so the functions that are common in defaults are listed.

use squawk_linter::Rule as Squawk;
use squawk_syntax::SyntaxNode;
use squawk_syntax::ast::{self, AstNode};

use super::{Draft, OnceDropped, rule};
use crate::load::{Adopted, Advice, At, Case, Judge, Scope, action, around};
use crate::names::below;

/// The safe form for a volatile default.
const WITHOUT_DEFAULT: &str =
    "ADD COLUMN without the default, then SET DEFAULT; fill the existing rows in batches";

rule! {
    VOLATILE_DEFAULT = Error "volatile-default": "Add columns to existing tables without a default that differs from row to row." {
        syntax: Some(serial),
        once_dropped: OnceDropped::MootIfApplied,
        adopted: &[Adopted::new(
            &[Squawk::AddingFieldWithDefault], Scope::Existing,
            "the default differs from row to row: {} is inaccessible while it is rewritten",
            WITHOUT_DEFAULT,
        ).decided_by(default)],
    };
    STORED_GENERATED_COLUMN = Error "stored-generated-column": "Do not add stored generated columns to existing tables." {
        once_dropped: OnceDropped::MootIfApplied,
        adopted: &[Adopted::new(
            &[Squawk::AddingFieldWithDefault, Squawk::BanAlterGeneratedExpression], Scope::Existing,
            "{} is inaccessible while the column is computed for all rows",
            "add an ordinary column, fill it in batches and sync it with a trigger",
        ).decided_by(generated)],
    };
}

/// The default, or the expression, of the column that a violation is about.
fn definition(case: &Case<'_, '_, '_>) -> Option<SyntaxNode> {
    around(case.at.statement.syntax(), case.violation).find(|node| {
        let kind = node.kind();
        ast::DefaultConstraint::can_cast(kind) || ast::GeneratedConstraint::can_cast(kind)
    })
}

fn default(case: &Case<'_, '_, '_>, advice: Advice) -> Option<Advice> {
    let node = definition(case)?;
    if let Some(default) = ast::DefaultConstraint::cast(node.clone()) {
        let same = default.expr().is_some_and(|it| is_same_for_all_rows(&it));
        return (!same).then_some(advice);
    }
    below::<ast::GeneratedIdentity>(&node).map(|_| {
        advice.with_message(
            "an identity column has a different value for each row: {} is inaccessible while it is rewritten",
        )
    })
}

/// Not every generated column is stored.
fn generated(case: &Case<'_, '_, '_>, advice: Advice) -> Option<Advice> {
    if case.violation.code == Squawk::BanAlterGeneratedExpression {
        // The definition of a new column is another violation.
        let action = action(case.violation, &case.at.statement)?;
        return (!matches!(action, ast::AlterTableAction::AddColumn(_))).then_some(advice);
    }
    let node = definition(case)?;
    let is_stored = ast::GeneratedConstraint::can_cast(node.kind())
        && below::<ast::GeneratedIdentity>(&node).is_none()
        && below::<ast::Virtual>(&node).is_none();
    is_stored.then_some(advice)
}

/// A `serial` column has a volatile default, its sequence, which squawk does not see.
fn serial<'a>(judge: &Judge<'_, 'a>, at: &At) -> Vec<Draft<'a>> {
    let columns = at.actions().filter_map(|action| match action {
        ast::AlterTableAction::AddColumn(column) if is_serial(&column) => Some(column),
        _ => None,
    });
    let message = format!(
        "a serial column has a different default for each row: {} is inaccessible while it is rewritten",
        at.subject()
    );
    columns
        .map(|it| judge.draft_at(&VOLATILE_DEFAULT, it.syntax(), &*message, WITHOUT_DEFAULT))
        .collect()
}

/// Functions of PostgreSQL that are not volatile.
const SAME_FOR_ALL_ROWS: &str = "abs array array_fill ceil chr coalesce concat concat_ws current_schema current_setting date_trunc \
    decode encode extract floor format greatest json_build_array json_build_object jsonb_build_array \
    jsonb_build_object least left length lower make_date make_interval make_timestamptz md5 now power \
    replace right round sha256 statement_timestamp to_jsonb to_timestamp transaction_timestamp upper";

/// Whether an expression has the same value for all rows of one statement.
fn is_same_for_all_rows(expression: &ast::Expr) -> bool {
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
            SAME_FOR_ALL_ROWS.split(' ').any(|known| known == name)
        })
}

/// Whether a type implies a sequence as the default.
fn is_serial(column: &ast::AddColumn) -> bool {
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
    use crate::cases::found_each;

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

    #[test]
    fn generated_values_are_found() {
        found_each(
            "volatile-default V2:1",
            &[
                "-- migration V2\nALTER TABLE t ADD COLUMN x bigint GENERATED BY DEFAULT AS IDENTITY;",
            ],
        );
        found_each(
            "stored-generated-column V2:1",
            &["-- migration V2\nALTER TABLE t ADD COLUMN x int GENERATED ALWAYS AS (1) STORED;"],
        );
    }
}
