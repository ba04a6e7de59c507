//! Names that running programs use do not change.

use squawk_linter::Rule as Squawk;
use squawk_syntax::SyntaxKind;
use squawk_syntax::ast::{self, AstNode};

use super::{OnceDropped, rule};
use crate::load::{Adopted, Advice, Case, Scope, first_made, is_same};

rule! {
    COLUMN_RENAME = Error "column-rename": "Do not rename columns that programs use." {
        once_dropped: OnceDropped::Moot,
        adopted: &[Adopted::new(
            &[Squawk::RenamingColumn], Scope::Existing,
            "running programs use the old name and fail",
            "add a second column and sync it with a trigger; drop the old column when no program uses it",
        ).decided_by(in_migration)],
    };
    TABLE_RENAME = Error "table-rename": "Do not rename tables that programs use, or move them to another schema." {
        adopted: &[Adopted::new(
            &[Squawk::RenamingTable, Squawk::RenamingObject, Squawk::BanSetSchema], Scope::Existing,
            "running programs use the old name of {} and fail",
            "CREATE VIEW with the old name in the same migration",
        ).decided_by(table)],
    };
    OBJECT_RENAME = Warning "object-rename": "Do not rename views, functions, types or sequences that programs use, or move them to another schema." {
        adopted: &[Adopted::new(
            &[Squawk::RenamingObject, Squawk::BanSetSchema], Scope::Existing,
            "running programs may use the old name of {}",
            "create the new object beside the old one; drop the old one when no program uses it",
        ).decided_by(object)],
    };
}

/// A revert renames what its migration renamed, which is the finding.
fn in_migration(case: &Case<'_, '_, '_>, advice: Advice) -> Option<Advice> {
    case.judge.undone().is_none().then_some(advice)
}

/// Whether the statement is about a table. squawk reports a new name of an ordinary table under a code of its own.
fn is_of_table(case: &Case<'_, '_, '_>) -> bool {
    match case.at.statement.syntax().kind() {
        SyntaxKind::ALTER_FOREIGN_TABLE => true,
        SyntaxKind::ALTER_TABLE => case.violation.code != Squawk::RenamingObject,
        _ => false,
    }
}

/// A view with the table's old name in the same file lets programs continue to work.
fn table(case: &Case<'_, '_, '_>, advice: Advice) -> Option<Advice> {
    let mut views = case.judge.after(case.at).filter_map(|later| match later {
        ast::Stmt::CreateView(view) => first_made(view.syntax()),
        _ => None,
    });
    let advice = match (case.violation.code, case.at.subjects.first()) {
        (Squawk::RenamingTable, Some(old)) if views.any(|view| is_same(&view, old)) => return None,
        (Squawk::BanSetSchema, _) => advice
            .with_safe_form("")
            .with_message("running programs look for {} in its old schema and fail"),
        _ => advice,
    };
    in_migration(case, is_of_table(case).then_some(advice)?)
}

/// Programs refer to the object: not to a constraint, index, trigger, policy or role.
fn object(case: &Case<'_, '_, '_>, advice: Advice) -> Option<Advice> {
    let mut actions = case.at.statement.syntax().children();
    let is_used = actions.any(|action| {
        matches!(
            action.kind(),
            SyntaxKind::VIEW_RENAME_TO
                | SyntaxKind::FUNCTION_RENAME_TO
                | SyntaxKind::AGGREGATE_RENAME_TO
                | SyntaxKind::PROCEDURE_RENAME_TO
                | SyntaxKind::ROUTINE_RENAME_TO
                | SyntaxKind::TYPE_RENAME_TO
                | SyntaxKind::DOMAIN_RENAME_TO
                | SyntaxKind::SEQUENCE_RENAME_TO
                | SyntaxKind::SCHEMA_RENAME_TO
                | SyntaxKind::DATABASE_RENAME_TO
                | SyntaxKind::RENAME_VALUE
                | SyntaxKind::SET_SCHEMA
        )
    });
    let advice = (!is_of_table(case) && is_used).then_some(advice)?;
    in_migration(case, advice)
}

#[cfg(test)]
mod tests {
    use crate::cases::{found_each, silent};

    #[test]
    fn a_table_that_leaves_a_view_under_its_old_name_breaks_no_program() {
        silent(&["-- migration V2\nALTER TABLE t RENAME TO u;\nCREATE VIEW t AS SELECT * FROM u;"]);
        found_each(
            "table-rename V2:1",
            &[
                "-- migration V2\nALTER TABLE t RENAME TO u;\nCREATE TABLE t (id bigint);",
                "-- migration V2\nALTER TABLE t RENAME TO u;\nCREATE VIEW w AS SELECT * FROM u;",
            ],
        );
    }
}
