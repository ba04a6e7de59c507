//! NOT NULL columns: on a table with rows, in three steps.

use pg_sql::Name;

use crate::change::{Change, ConstraintKind, Step};
use crate::context::{LintContext, Now};
use crate::names::{quoted, shown};
use crate::rules::{Draft, slugs};

/// Detects SET NOT NULL without a valid CHECK that implies it, and ADD COLUMN … NOT NULL without a default.
pub(super) fn not_null_steps<'a>(
    context: &LintContext<'a>,
    now: &Now,
    step: &Step,
) -> Vec<Draft<'a>> {
    // A statement that converts a column rewrites every row anyway, under the same lock.
    let rewrites = step
        .acts
        .iter()
        .any(|act| matches!(&act.change, Change::ChangesType { converts: true, .. }));
    let mut drafts = Vec::new();
    let mut filled: Option<(Draft<'a>, Vec<String>)> = None;
    for act in &step.acts {
        match &act.change {
            Change::SetsNotNull {
                table,
                column,
                not_null: true,
            } if !rewrites
                && !act.perhaps
                && now.may_have_rows(table)
                && !is_proven(now, table, column) =>
            {
                let (draft, columns) = filled.get_or_insert_with(|| {
                    let draft = Draft::new(&slugs::NOT_NULL_STEPS, context.file.script, "")
                        .at(act.range.clone());
                    (draft, Vec::new())
                });
                columns.push(quoted(column));
                draft.message = format!(
                    "{} is inaccessible while all of its rows are scanned for NULL in {}",
                    shown(table),
                    columns.join(", ")
                );
                draft.safe_form = Some(format!(
                    "first ADD CONSTRAINT … CHECK ({} IS NOT NULL) NOT VALID; in the next migration VALIDATE CONSTRAINT; then SET NOT NULL",
                    columns.join(" IS NOT NULL AND ")
                ));
            }
            Change::AddsColumn { table, column }
                if column.not_null
                    && !column.has_default
                    && column.generated.is_none()
                    && !act.perhaps
                    && now.may_have_rows(table)
                    && now
                        .model
                        .table(table)
                        .is_none_or(|known| known.column(&column.name).is_none()) =>
            {
                drafts.push(
                    Draft::new(
                        &slugs::NOT_NULL_STEPS,
                        context.file.script,
                        format!(
                            "{} is NOT NULL and has no default: this fails if {} has a row",
                            quoted(&column.name),
                            shown(table)
                        ),
                    )
                    .at(act.range.clone())
                    .safe_form("add it with a DEFAULT; or add it without NOT NULL, fill it in the next migration and SET NOT NULL in a third"),
                );
            }
            _ => {}
        }
    }
    drafts.extend(filled.map(|(draft, ..)| draft));
    drafts
}

/// Whether a column is certainly not NULL in any row, or its table is not fully known.
fn is_proven(now: &Now, table: &Name, column: &str) -> bool {
    now.model.table(table).is_some_and(|table| {
        !table.certain
            || table.column(column).is_some_and(|column| column.not_null)
            || table.constraints.iter().any(|constraint| {
                !constraint.not_valid
                    && matches!(&constraint.kind, ConstraintKind::Check { not_null, .. }
                        if not_null.iter().any(|name| name == column))
            })
    })
}
