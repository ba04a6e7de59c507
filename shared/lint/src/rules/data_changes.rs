//! Changes of existing rows: with a WHERE, in batches, and separate from schema changes.

use pg_sql::Name;

use super::{Draft, rule};
use crate::change::{Act, Change, RowChange, RowKind, Step};
use crate::context::{LintContext, Now};
use crate::names::shown;

rule! {
    DATA_CHANGE_WITHOUT_WHERE = Error "data-change-without-where": "Use a WHERE in UPDATE and DELETE on existing tables." {
        statement: Some(without_where),
    };
    UNBATCHED_DATA_CHANGE = Warning "unbatched-data-change": "Change many rows of an existing table in batches." {
        statement: Some(unbatched),
    };
    MIXED_SCHEMA_AND_DATA = Error "mixed-schema-and-data": "Change the schema and the rows of existing tables in separate migrations." {
        file: Some(mixed),
    };
}

/// Detects UPDATE and DELETE without a WHERE.
fn without_where<'a>(context: &LintContext<'a>, now: &Now, step: &Step) -> Vec<Draft<'a>> {
    writes(step)
        .filter(|(_, rows)| is_unfiltered(rows) && now.existed(&rows.table) && !rows.in_loop)
        .map(|(act, rows)| {
            let what = match rows.kind {
                RowKind::Delete => "deleted",
                _ => "updated",
            };
            Draft::new(
                &DATA_CHANGE_WITHOUT_WHERE,
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
fn unbatched<'a>(context: &LintContext<'a>, now: &Now, step: &Step) -> Vec<Draft<'a>> {
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
            Draft::new(&UNBATCHED_DATA_CHANGE, context.file.script, message)
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
fn mixed<'a>(context: &LintContext<'a>) -> Vec<Draft<'a>> {
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
                &MIXED_SCHEMA_AND_DATA,
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

#[cfg(test)]
mod tests {
    use crate::pages::{found_each, silent};

    #[test]
    fn rows_are_bounded_by_a_key() {
        let table = "-- migration V1\nCREATE TABLE t (id bigint PRIMARY KEY, code text UNIQUE, a text, b bigint, UNIQUE (a, b));\n-- migration V2\n";
        for case in [
            "UPDATE t SET a = 'x' WHERE id = 5;",
            "UPDATE t SET a = 'x' WHERE t.code IN ('a', 'b') AND a IS NULL;",
            "UPDATE t SET a = 'x' WHERE a = 'y' AND b = 3;",
            "UPDATE t AS x SET a = 'x' WHERE x.id >= 1 AND x.id < 1000;",
            "DELETE FROM t WHERE ctid IN (SELECT ctid FROM t WHERE a IS NULL LIMIT 5000);",
            "DELETE FROM t WHERE id IN (SELECT id FROM t WHERE a IS NULL ORDER BY id LIMIT 5000);",
            "DO $$ BEGIN LOOP DELETE FROM t WHERE a IS NULL; EXIT WHEN NOT FOUND; END LOOP; END $$;",
            "INSERT INTO t (id, a) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET a = 'x';",
            "INSERT INTO t (id) SELECT generate_series(1, 10);",
            "INSERT INTO t (id, a) SELECT id, a FROM t WHERE id = 7;",
            "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$ UPDATE t SET a = 'x' $$;",
            "CREATE RULE r AS ON DELETE TO t DO INSTEAD UPDATE t SET a = 'x';",
            "CREATE TEMP TABLE w AS SELECT 1 AS id;\nUPDATE w SET id = 2;\nDELETE FROM w;",
        ] {
            silent(&[&format!("{table}{case}")]);
        }
        for case in [
            "UPDATE t SET a = 'x' WHERE b = 3;",
            "UPDATE t SET a = 'x' WHERE id > 5;",
            "UPDATE t SET a = 'x' WHERE id = 5 OR a IS NULL;",
            "UPDATE t SET a = u.a FROM t AS u WHERE t.id = u.id;",
            "WITH gone AS (DELETE FROM t WHERE a IS NULL RETURNING id) SELECT count(*) FROM gone;",
        ] {
            found_each("unbatched-data-change", &[&format!("{table}{case}")]);
        }
        for case in [
            "WITH gone AS (DELETE FROM t RETURNING id) SELECT count(*) FROM gone;",
            "UPDATE ONLY public.t SET a = 'x';",
            "DO $$ BEGIN DELETE FROM t; END $$;",
        ] {
            found_each("data-change-without-where", &[&format!("{table}{case}")]);
        }
    }
}
