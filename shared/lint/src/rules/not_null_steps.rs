//! NOT NULL columns: on a table with rows, in three steps.

use pg_sql::Name;

use super::{Draft, OnceDropped, rule};
use crate::change::{Change, ConstraintKind, Step};
use crate::context::{LintContext, Now};
use crate::names::{quote_identifier, shown};

rule! {
    NOT_NULL_STEPS = Error "not-null-steps": "Make a column of an existing table NOT NULL in three steps." {
        statement: Some(not_null_steps),
        once_dropped: OnceDropped::MootIfApplied,
    };
}

/// Detects SET NOT NULL without a valid CHECK that implies it, and ADD COLUMN … NOT NULL without a default.
fn not_null_steps<'a>(context: &LintContext<'a>, now: &Now, step: &Step) -> Vec<Draft<'a>> {
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
                    let draft =
                        Draft::new(&NOT_NULL_STEPS, context.file.script, "").at(act.range.clone());
                    (draft, Vec::new())
                });
                columns.push(quote_identifier(column));
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
                        &NOT_NULL_STEPS,
                        context.file.script,
                        format!(
                            "{} is NOT NULL and has no default: this fails if {} has a row",
                            quote_identifier(&column.name),
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

#[cfg(test)]
mod tests {
    use crate::pages::{found_each, silent};

    #[test]
    fn not_null_is_proven_in_many_ways() {
        let table =
            "-- migration V1\nCREATE TABLE t (id bigint PRIMARY KEY, a bigint);\n-- migration V2\n";
        let silent_after = [
            "ALTER TABLE t ALTER COLUMN id SET NOT NULL;",
            "ALTER TABLE t ADD COLUMN b bigint GENERATED ALWAYS AS IDENTITY;",
            "ALTER TABLE t ADD COLUMN b bigserial NOT NULL;",
            "ALTER TABLE t ADD COLUMN b bigint NOT NULL GENERATED ALWAYS AS (id * 2) STORED;",
            "ALTER TABLE t ADD COLUMN IF NOT EXISTS a bigint NOT NULL;",
            "ALTER TABLE t ADD CONSTRAINT c CHECK (a IS NOT NULL AND a > 0) NOT VALID;\n-- migration V3\nALTER TABLE t VALIDATE CONSTRAINT c;\n-- migration V4\nALTER TABLE t ALTER COLUMN a SET NOT NULL;",
            "ALTER TABLE t ADD CONSTRAINT c NOT NULL a NOT VALID;\n-- migration V3\nALTER TABLE t VALIDATE CONSTRAINT c;",
            "ALTER TABLE t ALTER COLUMN a DROP NOT NULL;",
            "TRUNCATE TABLE t;\nALTER TABLE t ADD COLUMN b bigint NOT NULL;",
        ];
        for case in silent_after {
            silent(&[&format!("{table}{case}")]);
        }
        let found_after = [
            "ALTER TABLE t ADD COLUMN b bigint NOT NULL DEFAULT NULL;",
            "ALTER TABLE t ADD CONSTRAINT c CHECK (a IS NOT NULL) NOT VALID;\n-- migration V3\nALTER TABLE t ALTER COLUMN a SET NOT NULL;",
            "ALTER TABLE t ADD CONSTRAINT c CHECK (a IS NOT NULL OR id > 5);\n-- migration V3\nALTER TABLE t ALTER a SET NOT NULL;",
            "ALTER TABLE t RENAME TO u;\n-- migration V3\nALTER TABLE ONLY public.u ALTER COLUMN a SET NOT NULL;",
        ];
        for case in found_after {
            found_each("not-null-steps", &[&format!("{table}{case}")]);
        }
    }
}
