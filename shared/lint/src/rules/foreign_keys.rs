//! Foreign keys: after both tables, without blocking writes, and with an index.

use pg_sql::Name;

use super::indexes::index_on_partitions;
use super::naming::constraints;
use super::{Draft, OnceDropped, rule};
use crate::change::{Act, Change, Constraint, ConstraintKind, Step};
use crate::context::{LintContext, Now};
use crate::names::{quote_identifier, shown};

rule! {
    FOREIGN_KEY_ORDER = Error "foreign-key-order": "Create a foreign key only after both of its tables." {
        statement: Some(order),
    };
    FOREIGN_KEY_NOT_VALID = Error "foreign-key-not-valid": "Add foreign keys on existing tables NOT VALID and validate them in a later transaction." {
        file: Some(not_valid),
    };
    FOREIGN_KEY_UNINDEXED = Error "foreign-key-unindexed": "Index the columns of a foreign key, as the leading columns of an index." {
        statement: Some(unindexed),
        once_dropped: OnceDropped::Moot,
    };
}

/// The safe form on a partitioned table: `NOT VALID` is refused before PostgreSQL 18.
const ON_PARTITIONS: &str = "ADD CONSTRAINT … NOT VALID on each partition; VALIDATE CONSTRAINT for each in the next migration; then ADD CONSTRAINT on \
    the partitioned table, which reuses theirs";

/// Detects a foreign key to a table that no earlier statement creates.
fn order<'a>(context: &LintContext<'a>, now: &Now, step: &Step) -> Vec<Draft<'a>> {
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
                Draft::new(&FOREIGN_KEY_ORDER, context.file.script, message)
                    .at(to_range.clone())
                    .safe_form("create both tables first, then the foreign key"),
            );
        }
    }
    drafts
}

/// Detects the validation of a foreign key while writes are blocked: at once, or by VALIDATE under the lock of ADD.
fn not_valid<'a>(context: &LintContext<'a>) -> Vec<Draft<'a>> {
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
                                &FOREIGN_KEY_NOT_VALID,
                                context.file.script,
                                format!(
                                    "writes to {} are blocked while each of its rows is looked up in {}",
                                    shown(table),
                                    target(constraint)
                                ),
                            )
                            .at(act.range.clone())
                            .safe_form(match now.model.is_partitioned(table) {
                                Some(true) => ON_PARTITIONS,
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
                            &FOREIGN_KEY_NOT_VALID,
                            context.file.script,
                            format!(
                                "the lock on {} that adding {} acquired is held while the rows are checked",
                                shown(table),
                                quote_identifier(name)
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
fn unindexed<'a>(context: &LintContext<'a>, now: &Now, step: &Step) -> Vec<Draft<'a>> {
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
            let columns: Vec<_> = key
                .columns
                .iter()
                .map(|name| quote_identifier(name))
                .collect();
            let name = quote_identifier(&format!("IDX_{}_{}", table.name, key.columns.join("_")));
            let on = |only: &str| {
                let table = shown(table);
                format!("CREATE INDEX{only} {table} ({})", columns.join(", "))
            };
            let is_partitioned = now.model.is_partitioned(table) == Some(true);
            let safe_form = match (context.before.table(table).is_some(), is_partitioned) {
                (true, true) => {
                    index_on_partitions(&on(&format!(" {name} ON ONLY")), false, Some(&name))
                }
                (true, false) => format!(
                    "{}   -- in a separate migration with `-- migration: no-transaction`",
                    on(&format!(" CONCURRENTLY {name} ON"))
                ),
                (false, _) => format!("{};", on(&format!(" {name} ON"))),
            };
            drafts.push(
                Draft::new(
                    &FOREIGN_KEY_UNINDEXED,
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

#[cfg(test)]
mod tests {
    use crate::pages::{found_each, silent};

    #[test]
    fn foreign_keys_to_unknown_tables_are_not_findings() {
        silent(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, u uuid CONSTRAINT \"FK_t_u\" REFERENCES auth.users UNIQUE);",
            "DO $$ BEGIN EXECUTE format('CREATE TABLE %I (id bigint PRIMARY KEY)', 'p'); END $$;\nCREATE TABLE t (p bigint CONSTRAINT \"FK_t_p\" REFERENCES p);\nCREATE INDEX \"IDX_t_p\" ON t (p);",
            "DO $$ BEGIN IF to_regclass('p') IS NULL THEN CREATE TABLE p (id bigint PRIMARY KEY); END IF; END $$;\nCREATE TABLE t (p bigint CONSTRAINT \"FK_t_p\" REFERENCES p);\nCREATE INDEX \"IDX_t_p\" ON t (p);",
            // Emptied first, created here, or a key column.
            "-- migration V1\nCREATE TABLE p (id bigint PRIMARY KEY);\nCREATE TABLE t (p bigint);\nCREATE INDEX \"IDX_t_p\" ON t (p);\n-- migration V2\nTRUNCATE t;\nALTER TABLE t ADD CONSTRAINT \"FK_t_p\" FOREIGN KEY (p) REFERENCES p;",
            "CREATE TABLE p (id bigint PRIMARY KEY);\nCREATE TABLE t (p bigint);\nCREATE INDEX \"IDX_t_p\" ON t (p);\nALTER TABLE t ADD CONSTRAINT \"FK_t_p\" FOREIGN KEY (p) REFERENCES p;",
            "CREATE TABLE p (id bigint PRIMARY KEY);\nCREATE TABLE t (p bigint PRIMARY KEY CONSTRAINT \"FK_t_p\" REFERENCES p);",
            // A new column without a value: no row is looked up.
            "-- migration V1\nCREATE TABLE p (id bigint PRIMARY KEY);\nCREATE TABLE t (id bigint);\n-- migration V2\nALTER TABLE t ADD COLUMN p bigint CONSTRAINT \"FK_t_p\" REFERENCES p;\nCREATE INDEX \"IDX_t_p\" ON t (p);",
            // Two columns in the other order, a renamed table, a dropped key.
            "CREATE TABLE p (a bigint, b bigint, PRIMARY KEY (a, b));\nCREATE TABLE t (a bigint, b bigint, c bigint, CONSTRAINT \"FK_t_p\" FOREIGN KEY (a, b) REFERENCES p);\nCREATE INDEX \"IDX_t_b_a\" ON t (b, a, c);",
            "-- migration V1\nCREATE TABLE p (id bigint PRIMARY KEY);\nCREATE TABLE t (p bigint CONSTRAINT \"FK_t_p\" REFERENCES p);\n-- migration V2\nALTER TABLE t RENAME TO u;\nALTER TABLE u RENAME COLUMN p TO parent;\n-- migration V3\n-- migration: no-transaction\nCREATE INDEX CONCURRENTLY \"IDX_u_parent\" ON u (parent);",
            "-- migration V1\nCREATE TABLE p (id bigint PRIMARY KEY);\nCREATE TABLE t (p bigint CONSTRAINT \"FK_t_p\" REFERENCES p);\n-- migration V2\nALTER TABLE t DROP CONSTRAINT \"FK_t_p\";",
        ]);
        found_each(
            "foreign-key-unindexed",
            &[
                "CREATE TABLE p (id bigint PRIMARY KEY);\nCREATE TABLE t (p bigint CONSTRAINT \"FK_t_p\" REFERENCES p, gone date);\nCREATE INDEX \"IDX_t_p\" ON t (p) WHERE gone IS NULL;",
                "CREATE TABLE p (id bigint PRIMARY KEY);\nCREATE TABLE t (p bigint CONSTRAINT \"FK_t_p\" REFERENCES p);\nCREATE INDEX \"IDX_t_p\" ON t USING gin (p);",
                "-- migration V1\nCREATE TABLE p (id bigint PRIMARY KEY);\nCREATE TABLE t (p bigint CONSTRAINT \"FK_t_p\" REFERENCES p);\nCREATE INDEX \"IDX_t_p\" ON t (p);\n-- migration V2\n-- migration: no-transaction\nDROP INDEX CONCURRENTLY \"IDX_t_p\";",
            ],
        );
        found_each(
            "foreign-key-not-valid",
            &[
                "-- migration V1\nCREATE TABLE p (id bigint PRIMARY KEY);\nCREATE TABLE t (id bigint);\n-- migration V2\nALTER TABLE t ADD COLUMN p bigint DEFAULT 1 CONSTRAINT \"FK_t_p\" REFERENCES p;\nCREATE INDEX \"IDX_t_p\" ON t (p);",
            ],
        );
    }
}
