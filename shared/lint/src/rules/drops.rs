//! Objects that running programs use are not dropped.

use squawk_linter::Rule as Squawk;
use squawk_syntax::ast::{self, AstNode, NameLike};

use super::{Draft, OnceDropped, rule};
use crate::load::{Adopted, Advice, At, Case, Judge, Scope};
use crate::names::below;

rule! {
    DROP_COLUMN = Error "drop-column": "Drop a column only when no running program uses it and its values are no longer needed." {
        once_dropped: OnceDropped::Moot,
        adopted: &[Adopted::new(
            &[Squawk::BanDropColumn], Scope::Existing,
            "running programs may use the column, and its values are lost",
            "drop it after a release that does not use it, and give the reason: -- migration: allow drop-column \"…\"",
        ).decided_by(column)],
    };
    DROP_TABLE = Error "drop-table": "Drop a table only when no running program uses it and its rows are no longer needed." {
        adopted: &[Adopted::new(
            &[Squawk::BanDropTable], Scope::Existing,
            "running programs may use {}, and its rows are lost",
            "drop it after a release that does not use it, and give the reason: -- migration: allow drop-table \"…\"",
        ).decided_by(table)],
    };
    DROP_SCHEMA = Error "drop-schema": "Do not drop schemas, databases, or everything that a role owns." {
        syntax: Some(owned),
        adopted: &[Adopted::new(
            &[Squawk::BanDropSchema, Squawk::BanDropDatabase], Scope::Existing,
            "everything in it is lost, even if it is in use",
            "drop each object in it by name",
        ).decided_by(schema)],
    };
    DROP_OBJECT = Warning "drop-object": "Drop a view, function, type, sequence or extension only when no running program uses it." {
        adopted: &[Adopted::new(
            &[
                Squawk::BanDropView, Squawk::BanDropFunction, Squawk::BanDropType,
                Squawk::BanDropSequence, Squawk::BanDropDomain, Squawk::BanDropExtension,
            ],
            Scope::Existing,
            "running programs may use {}", "",
        )],
    };
}

/// A revert may drop the columns that its migration adds.
fn column(case: &Case<'_, '_, '_>, advice: Advice) -> Option<Advice> {
    let is_undone = case
        .judge
        .undone()
        .zip(case.at.subjects.first())
        .is_some_and(|(undone, table)| {
            let drops = case
                .at
                .statement
                .syntax()
                .descendants()
                .filter_map(ast::DropColumn::cast);
            let mut names = drops.filter_map(|drop| drop.column_name_ref());
            names.all(|name| undone.has_column(table, &name.text()))
        });
    (!is_undone).then_some(advice)
}

/// A revert may drop the tables that its migration creates.
fn table(case: &Case<'_, '_, '_>, advice: Advice) -> Option<Advice> {
    let is_undone = case.judge.undone().is_some_and(|undone| {
        let mut tables = case.at.subjects.iter();
        tables.all(|table| undone.has_table_name(table))
    });
    (!is_undone).then_some(advice)
}

/// Without CASCADE only an empty schema can be dropped.
fn schema(case: &Case<'_, '_, '_>, advice: Advice) -> Option<Advice> {
    let node = case.at.statement.syntax();
    let is_schema = case.violation.code == Squawk::BanDropSchema;
    (!is_schema || below::<ast::Cascade>(node).is_some()).then_some(advice)
}

/// DROP OWNED, which squawk does not report.
fn owned<'a>(judge: &Judge<'_, 'a>, at: &At) -> Vec<Draft<'a>> {
    let ast::Stmt::DropOwned(it) = &at.statement else {
        return Vec::new();
    };
    let message = "everything that the role owns is lost, even if it is in use";
    let safe_form = "drop each object by name";
    vec![judge.draft_at(&DROP_SCHEMA, it.syntax(), message, safe_form)]
}

#[cfg(test)]
mod tests {
    use crate::cases::{TABLE, found, found_each, silent};

    #[test]
    fn a_schema_that_is_dropped_without_cascade_is_empty() {
        silent(&[
            "-- migration V2\nCREATE SCHEMA s;\n-- revert V2\nDROP SCHEMA s;",
            "-- migration V2\nSELECT 1;\n-- revert V2\nDROP SCHEMA IF EXISTS s RESTRICT;",
        ]);
        assert!(
            found(&format!(
                "{TABLE}-- migration V2\nCREATE SCHEMA s;\n-- migration V3\nDROP SCHEMA s CASCADE;"
            ))
            .contains("drop-schema V3:1")
        );
        found_each(
            "drop-schema V2:1",
            &["-- migration V2\nDROP OWNED BY reader;"],
        );
    }

    #[test]
    fn if_exists_of_what_never_existed_is_not_a_finding() {
        silent(&[
            "-- migration V2\nDROP TABLE IF EXISTS never;",
            "-- migration V2\n-- It drops never.\nDROP TABLE IF EXISTS never, nor_this CASCADE;",
            "-- migration V2\nDROP INDEX IF EXISTS idx_never;",
            "-- migration V2\nDROP TYPE IF EXISTS never; DROP VIEW IF EXISTS never; DROP SEQUENCE IF EXISTS never;",
            "-- migration V2\nDROP FUNCTION IF EXISTS never(int); DROP MATERIALIZED VIEW IF EXISTS never;",
            "-- migration V2\nDROP SCHEMA IF EXISTS never CASCADE;",
            "-- migration V2\nDROP EXTENSION IF EXISTS hstore, \"uuid-ossp\";",
            "-- migration V2\nDROP TABLE IF EXISTS \"Never\";\n-- migration V3\nDROP TABLE IF EXISTS \"Never\";",
            "-- migration V2\nALTER TABLE t DROP COLUMN IF EXISTS never;",
            "-- migration V2\nALTER TABLE IF EXISTS never DROP COLUMN x, ALTER COLUMN y TYPE int;",
            "-- migration V2\nDROP TYPE IF EXISTS never;\nCREATE TYPE never AS (a int);\n-- revert V2\nDROP TYPE IF EXISTS never;",
            "-- migration V2\n-- migration: allow drop-table \"not used\"\nDROP TABLE t;\n-- migration V3\nDROP TABLE IF EXISTS t; DROP INDEX IF EXISTS idx_t_a;",
            "-- migration V2\nSELECT 1;\n-- revert V2\nDROP TABLE IF EXISTS never; DROP INDEX IF EXISTS idx_never;",
        ]);
        found_each(
            "drop-table V2:1",
            &[
                "-- migration V2\nDROP TABLE IF EXISTS t;",
                "-- migration V2\nDROP TABLE IF EXISTS never, t;",
                "-- migration V2\nDROP TABLE never;",
            ],
        );
        found_each(
            "index-drop-not-concurrent V2:1",
            &[
                "-- migration V2\nDROP INDEX IF EXISTS idx_t_a;",
                "-- migration V2\nDROP INDEX IF EXISTS t_a_idx;",
            ],
        );
        found_each(
            "drop-column V2:1",
            &["-- migration V2\nALTER TABLE t DROP COLUMN IF EXISTS b;"],
        );
        found_each(
            "drop-table V3:1",
            &[
                "-- migration V2\nCREATE TABLE u (id bigint);\n-- migration V3\nDROP TABLE IF EXISTS u;",
                "-- migration V2\n-- migration: allow table-rename \"x\"\nALTER TABLE t RENAME TO u;\n-- migration V3\nDROP TABLE IF EXISTS u;",
            ],
        );
        // A text that cannot be read may have created anything.
        assert!(
            found(&format!(
                "{TABLE}-- migration V2\nDO $$ BEGIN EXECUTE current_setting('x'); END $$;\n-- migration V3\nDROP TABLE IF EXISTS never;"
            ))
            .contains("drop-table V3:1")
        );
    }
}
