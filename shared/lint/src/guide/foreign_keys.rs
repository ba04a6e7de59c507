//! Foreign keys: after both tables, without blocking writes, and with an index.

use pg_sql::Name;

use crate::change::{Act, Change, Constraint, ConstraintKind, Step};
use crate::context::{LintContext, Now};
use crate::guide::naming::constraints;
use crate::names::{quoted, shown};
use crate::partitions;
use crate::rules::{Draft, slugs};

/// Detects a foreign key to a table that no earlier statement creates.
pub(super) fn order<'a>(context: &LintContext<'a>, now: &Now, step: &Step) -> Vec<Draft<'a>> {
    let mut drafts = Vec::new();
    for act in &step.acts {
        for (table, constraint) in constraints(act) {
            let ConstraintKind::ForeignKey { to, to_range } = &constraint.kind else {
                continue;
            };
            let is_known = to == table
                || now.model.table(to).is_some()
                || now.model.is_blurred()
                || now.is_uncertain(&to.name)
                || !to
                    .schema
                    .as_deref()
                    .is_some_and(|schema| now.model.knows_schema(schema));
            if is_known {
                continue;
            }
            let later = context.steps.iter().any(|step| {
                step.acts.iter().any(
                    |act| matches!(&act.change, Change::MakesTable { table, .. } if table == to),
                )
            });
            let message = match later {
                true => format!("{} is created later in this file", shown(to)),
                false => format!("no earlier migration creates the table {}", shown(to)),
            };
            drafts.push(
                Draft::new(&slugs::FOREIGN_KEY_ORDER, context.file.script, message)
                    .at(to_range.clone())
                    .safe_form("create both tables first, then the foreign key"),
            );
        }
    }
    drafts
}

/// Detects the validation of a foreign key while writes are blocked: at once, or by VALIDATE under the lock of ADD.
pub(super) fn not_valid<'a>(context: &LintContext<'a>) -> Vec<Draft<'a>> {
    let mut drafts = Vec::new();
    let mut now = Now::new(context.before);
    let mut added: Vec<(usize, &Name, &str)> = Vec::new();
    for step in context.steps {
        for act in &step.acts {
            match &act.change {
                Change::AddsConstraint { table, constraint }
                    if matches!(constraint.kind, ConstraintKind::ForeignKey { .. })
                        && now.may_have_rows(table)
                        && !is_of_empty_column(&now, step, table, constraint)
                        && !now.model.partitions_have_key(table, constraint)
                        && !act.perhaps =>
                {
                    match (constraint.not_valid, &constraint.name) {
                        (true, Some(name)) => added.push((step.transaction, table, name)),
                        (true, None) => {}
                        (false, _) => drafts.push(
                            Draft::new(
                                &slugs::FOREIGN_KEY_NOT_VALID,
                                context.file.script,
                                format!(
                                    "writes to {} are blocked while each of its rows is looked up in {}",
                                    shown(table),
                                    target(constraint)
                                ),
                            )
                            .at(act.range.clone())
                            .safe_form(match now.model.is_partitioned(table) {
                                Some(true) => partitions::FOREIGN_KEY,
                                _ => "ADD CONSTRAINT … NOT VALID here, VALIDATE CONSTRAINT in the next migration",
                            }),
                        ),
                    }
                }
                Change::Validates { table, name }
                    if added.contains(&(step.transaction, table, name.as_str())) =>
                {
                    drafts.push(
                        Draft::new(
                            &slugs::FOREIGN_KEY_NOT_VALID,
                            context.file.script,
                            format!(
                                "the lock on {} that adding {} acquired is held while the rows are checked",
                                shown(table),
                                quoted(name)
                            ),
                        )
                        .at(act.range.clone())
                        .safe_form("VALIDATE CONSTRAINT in the next migration"),
                    );
                }
                _ => {}
            }
        }
        now.apply(step);
    }
    drafts
}

/// Whether the key is on a column that the statement adds without a value: the server then validates no row.
fn is_of_empty_column(now: &Now, step: &Step, table: &Name, constraint: &Constraint) -> bool {
    let [name] = constraint.columns.as_slice() else {
        return false;
    };
    let existed = now
        .model
        .table(table)
        .is_some_and(|it| it.column(name).is_some());
    let adds = |act: &Act| {
        matches!(&act.change, Change::AddsColumn { table: to, column }
            if to == table && column.name == *name && !column.has_default && column.generated.is_none()
                // A key in a separate `ADD CONSTRAINT` action is validated anyway.
                && act.range.start <= constraint.range.start && constraint.range.end <= act.range.end)
    };
    !existed && step.acts.iter().any(adds)
}

fn target(constraint: &Constraint) -> String {
    match &constraint.kind {
        ConstraintKind::ForeignKey { to, .. } => shown(to),
        _ => String::new(),
    }
}

/// Detects a foreign key without an index after all migrations: a later migration may create the index.
pub(super) fn unindexed<'a>(context: &LintContext<'a>, now: &Now, step: &Step) -> Vec<Draft<'a>> {
    let mut drafts = Vec::new();
    for act in &step.acts {
        for (_, constraint) in constraints(act) {
            let ConstraintKind::ForeignKey { to, .. } = &constraint.kind else {
                continue;
            };
            // Later migrations may rename the table and the columns.
            let Some((table, key)) = context.remaining_keys.of_constraint(constraint) else {
                continue;
            };
            if act.perhaps
                || now.is_uncertain(&table.name)
                || context.at_end.has_index_on(table, &key.columns)
            {
                continue;
            }
            let columns: Vec<_> = key.columns.iter().map(|name| quoted(name)).collect();
            let name = quoted(&format!("IDX_{}_{}", table.name, key.columns.join("_")));
            let on = |only: &str| {
                let table = shown(table);
                format!("CREATE INDEX{only} {table} ({})", columns.join(", "))
            };
            let is_partitioned = now.model.is_partitioned(table) == Some(true);
            let safe_form = match (context.before.table(table).is_some(), is_partitioned) {
                (true, true) => {
                    partitions::index(&on(&format!(" {name} ON ONLY")), false, Some(&name))
                }
                (true, false) => format!(
                    "{}   -- in a separate migration with `-- migration: no-transaction`",
                    on(&format!(" CONCURRENTLY {name} ON"))
                ),
                (false, _) => format!("{};", on(&format!(" {name} ON"))),
            };
            drafts.push(
                Draft::new(
                    &slugs::FOREIGN_KEY_UNINDEXED,
                    context.file.script,
                    format!(
                        "no index of {} starts with {}: each delete from {} scans the whole table",
                        shown(table),
                        columns.join(", "),
                        shown(to)
                    ),
                )
                .at(constraint.range.clone())
                .safe_form(safe_form),
            );
        }
    }
    drafts
}
