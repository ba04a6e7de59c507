//! Constraints are added without a scan under a lock.

use squawk_linter::Rule as Squawk;
use squawk_syntax::ast::{self, AstNode};

use super::{Draft, OnceDropped, rule};
use crate::load::{Adopted, Advice, At, Case, Judge, Scope, action};

rule! {
    CONSTRAINT_NOT_VALID = Error "constraint-not-valid": "Add constraints on existing tables NOT VALID and validate them in a later migration." {
        syntax: Some(check_of_column),
        once_dropped: OnceDropped::MootIfApplied,
        adopted: &[Adopted::new(
            &[Squawk::ConstraintMissingNotValid], Scope::Existing,
            "{} is inaccessible while all of its rows are checked",
            "ADD CONSTRAINT … NOT VALID here, VALIDATE CONSTRAINT in a later migration",
        ).decided_by(constraint)],
    };
    UNIQUE_CONSTRAINT = Error "unique-constraint": "Add unique and primary keys on existing tables with an index that was built CONCURRENTLY." {
        once_dropped: OnceDropped::MootIfApplied,
        adopted: &[Adopted::new(
            &[Squawk::DisallowedUniqueConstraint, Squawk::AddingSerialPrimaryKeyField], Scope::Existing,
            "{} is inaccessible while the index of the key is built",
            "CREATE UNIQUE INDEX CONCURRENTLY in a no-transaction migration, then ADD CONSTRAINT … USING INDEX",
        ).decided_by(key)],
    };
    DOMAIN_CONSTRAINT = Error "domain-constraint": "Add domain constraints NOT VALID and validate them in a later migration." {
        adopted: &[Adopted::new(
            &[Squawk::BanAlterDomainWithAddConstraint], Scope::Existing,
            "writes to every table that uses {} are blocked while its rows are checked",
            "ADD CONSTRAINT … NOT VALID here, VALIDATE CONSTRAINT in a later migration",
        ).decided_by(domain)],
    };
}

/// A key on a partitioned table, where PostgreSQL refuses one that uses an existing index.
const KEY_ON_PARTITIONS: &str = "ALTER TABLE ONLY … ADD CONSTRAINT on the partitioned table; CREATE UNIQUE INDEX CONCURRENTLY on each partition, in a \
    no-transaction migration; then ADD CONSTRAINT … USING INDEX and ALTER INDEX … ATTACH PARTITION for each";

/// Other rules cover foreign keys, NOT NULL, and unique and primary keys.
fn constraint(case: &Case<'_, '_, '_>, advice: Advice) -> Option<Advice> {
    match action(case.violation, &case.at.statement)? {
        ast::AlterTableAction::AddConstraint(added) => match added.constraint()? {
            ast::Constraint::CheckConstraint(_) => Some(advice),
            ast::Constraint::ExcludeConstraint(_) => Some(advice.with_safe_form("").with_message(
                "{} is inaccessible while the index of the exclusion constraint is built; there is no other way to add one",
            )),
            _ => None,
        },
        ast::AlterTableAction::ValidateConstraint(validated) => {
            let name = validated.constraint_name_ref()?.path_ref()?.segment()?;
            case.judge.adds_check(&name.text()).then_some(advice.with_message(
                "{} is inaccessible while all of its rows are checked: the transaction that added the \
                 constraint still holds its lock",
            ))
        }
        _ => None,
    }
}

/// A check in the definition of a new column, which squawk does not report.
fn check_of_column<'a>(judge: &Judge<'_, 'a>, at: &At) -> Vec<Draft<'a>> {
    let columns = at.actions().filter_map(|action| match action {
        ast::AlterTableAction::AddColumn(column) => Some(column),
        _ => None,
    });
    let checks = columns
        .flat_map(|column| column.constraints())
        .filter(|it| matches!(it, ast::Constraint::CheckConstraint(_)));
    let message = format!(
        "{} is inaccessible while all of its rows are checked, even if the column has no default",
        at.subject()
    );
    let safe_form = "ADD COLUMN without the check, then ADD CONSTRAINT … CHECK … NOT VALID, and VALIDATE CONSTRAINT in a later migration";
    checks
        .map(|check| judge.draft_at(&CONSTRAINT_NOT_VALID, check.syntax(), &*message, safe_form))
        .collect()
}

fn key(case: &Case<'_, '_, '_>, advice: Advice) -> Option<Advice> {
    let ast::Stmt::AlterTable(it) = &case.at.statement else {
        return Some(advice);
    };
    let table = it.table_relation_name();
    let only = table.is_some_and(|table| table.only_token().is_some());
    match (case.judge.is_partitioned(case.violation, case.at), only) {
        (Some(true), true) => None,
        (Some(true), false) => Some(advice.with_safe_form(KEY_ON_PARTITIONS)),
        _ => Some(advice),
    }
}

fn domain(case: &Case<'_, '_, '_>, advice: Advice) -> Option<Advice> {
    let mut nodes = case.at.statement.syntax().descendants();
    (!nodes.any(|node| ast::NotValid::can_cast(node.kind()))).then_some(advice)
}

#[cfg(test)]
mod tests {
    use crate::cases::found_each;

    #[test]
    fn constraints_of_new_columns_are_found() {
        found_each(
            "constraint-not-valid V2:1",
            &[
                "-- migration V2\nALTER TABLE t ADD COLUMN x int CHECK (x > 0);",
                "-- migration V2\nALTER TABLE t ADD COLUMN x int DEFAULT 1 CONSTRAINT c CHECK (x > 0);",
            ],
        );
        found_each(
            "unique-constraint V2:1",
            &["-- migration V2\nALTER TABLE t ADD COLUMN x int UNIQUE;"],
        );
    }
}
