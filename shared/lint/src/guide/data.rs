//! Changes of existing rows: with a WHERE, in batches, and separate from schema changes.

use pg_sql::Name;

use crate::change::{Act, Change, RowChange, RowKind, Step};
use crate::context::{LintContext, Now};
use crate::names::shown;
use crate::rules::{Draft, slugs};

/// Detects UPDATE and DELETE without a WHERE.
pub(super) fn without_where<'a>(
    context: &LintContext<'a>,
    now: &Now,
    step: &Step,
) -> Vec<Draft<'a>> {
    writes(step)
        .filter(|(_, rows)| is_unfiltered(rows) && now.existed(&rows.table) && !rows.in_loop)
        .map(|(act, rows)| {
            let what = match rows.kind {
                RowKind::Delete => "deleted",
                _ => "updated",
            };
            Draft::new(
                &slugs::DATA_CHANGE_WITHOUT_WHERE,
                context.file.script,
                format!(
                    "without a WHERE, every row of {} is {what}",
                    shown(&rows.table)
                ),
            )
            .at(act.range.clone())
            .safe_form("add a WHERE")
        })
        .collect()
}

fn is_unfiltered(rows: &RowChange) -> bool {
    rows.filter.is_none() && matches!(rows.kind, RowKind::Update | RowKind::Delete)
}

/// Detects statements that write many existing rows at once.
pub(super) fn unbatched<'a>(context: &LintContext<'a>, now: &Now, step: &Step) -> Vec<Draft<'a>> {
    writes(step)
        .filter(|(_, rows)| !is_unfiltered(rows) && is_large(rows, now))
        .map(|(act, rows)| {
            let message = match &rows.kind {
                RowKind::Insert { from } => format!(
                    "all rows of {} are copied in one statement",
                    from.iter().find(|table| now.existed(table)).map(shown).unwrap_or_default()
                ),
                _ => format!(
                    "the matching rows of {} stay locked until all of them are written",
                    shown(&rows.table)
                ),
            };
            Draft::new(&slugs::UNBATCHED_DATA_CHANGE, context.file.script, message)
                .at(act.range.clone())
                .safe_form(
                    "a no-transaction migration with one statement per key range: … AND id > 0 AND id <= 100000",
                )
        })
        .collect()
}

/// Whether a statement may write many rows: the table existed before, and no key limits the rows.
fn is_large(rows: &RowChange, now: &Now) -> bool {
    if rows.in_loop {
        return false;
    }
    let filter = rows.filter.as_deref().unwrap_or_default();
    match &rows.kind {
        RowKind::Insert { from } => {
            let existing: Vec<_> = from
                .iter()
                .filter(|table| now.may_have_rows(table) && now.model.table(table).is_some())
                .collect();
            !existing.is_empty()
                && !existing
                    .iter()
                    .any(|table| now.model.is_bounded(table, filter))
        }
        RowKind::Update | RowKind::Delete => {
            now.may_have_rows(&rows.table) && !now.model.is_bounded(&rows.table, filter)
        }
        RowKind::Merge => now.may_have_rows(&rows.table),
    }
}

/// Detects schema and row changes of existing tables in one transaction: the lock of the first is held while the second runs.
pub(super) fn mixed<'a>(context: &LintContext<'a>) -> Vec<Draft<'a>> {
    let mut drafts = Vec::new();
    let mut now = Now::new(context.before);
    let mut altered: Vec<(usize, Name)> = Vec::new();
    let mut written: Vec<(usize, Name, std::ops::Range<usize>)> = Vec::new();
    for step in context.steps {
        for act in &step.acts {
            if let Some(table) = locked(act)
                && now.existed(table)
            {
                altered.push((step.transaction, table.clone()));
            }
            if let Change::WritesRows(rows) = &act.change
                && !matches!(rows.kind, RowKind::Insert { .. })
                && now.existed(&rows.table)
                && (is_unfiltered(rows) || is_large(rows, &now))
            {
                written.push((step.transaction, rows.table.clone(), act.range.clone()));
            }
        }
        now.apply(step);
    }
    for (transaction, table, range) in written {
        let Some((_, locked)) = altered.iter().find(|(other, _)| *other == transaction) else {
            continue;
        };
        drafts.push(
            Draft::new(
                &slugs::MIXED_SCHEMA_AND_DATA,
                context.file.script,
                format!(
                    "the lock of the schema change on {} is held while rows of {} are written",
                    shown(locked),
                    shown(&table)
                ),
            )
            .at(range)
            .safe_form("change the rows in a separate migration"),
        );
        break;
    }
    drafts
}

/// The table that a schema change locks against writes.
fn locked(act: &Act) -> Option<&Name> {
    match &act.change {
        Change::AddsColumn { table, .. }
        | Change::DropsColumn { table, .. }
        | Change::RenamesColumn { table, .. }
        | Change::RenamesTable { table, .. }
        | Change::SetsNotNull { table, .. }
        | Change::ChangesType { table, .. }
        | Change::AltersTable { table }
        | Change::AddsConstraint { table, .. }
        | Change::DropsConstraint { table, .. }
        | Change::MakesTrigger { table, .. }
        | Change::DropsTrigger { table, .. } => Some(table),
        Change::MakesIndex(index) if !index.concurrently => Some(&index.table),
        _ => None,
    }
}

fn writes(step: &Step) -> impl Iterator<Item = (&Act, &RowChange)> {
    step.acts.iter().filter_map(|act| match &act.change {
        Change::WritesRows(rows) => Some((act, rows)),
        _ => None,
    })
}
