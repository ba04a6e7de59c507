//! Tables are not rewritten for maintenance, or moved to other storage.

use pg_sql::Name;
use squawk_linter::Rule as Squawk;
use squawk_syntax::ast::{self, AstNode};

use super::{Draft, OnceDropped, rule};
use crate::load::{Adopted, At, Judge, Scope};

rule! {
    VACUUM_FULL = Error "vacuum-full": "Do not rewrite tables with VACUUM FULL or CLUSTER." {
        adopted: &[Adopted::new(
            &[Squawk::PreferRepack], Scope::Existing,
            "{} is inaccessible while it is rewritten",
            "VACUUM, which does not block other sessions; or pg_repack, outside a migration",
        )],
    };
    STORAGE_CHANGE = Error "storage-change": "Do not change the persistence, access method or tablespace of existing tables." {
        syntax: Some(storage),
        once_dropped: OnceDropped::MootIfApplied,
    };
}

/// A table that moves to other storage, which squawk does not report.
fn storage<'a>(judge: &Judge<'_, 'a>, at: &At) -> Vec<Draft<'a>> {
    let mut drafts = Vec::new();
    for action in at.actions() {
        let what = match &action {
            // SET LOGGED does nothing if the table was never unlogged.
            ast::AlterTableAction::SetLogged(it)
                if !judge.may_have_existed(it.syntax(), &unlogged()) =>
            {
                continue;
            }
            ast::AlterTableAction::SetLogged(_) => "is written to a new file and to the WAL",
            ast::AlterTableAction::SetUnlogged(_) => {
                "is written to a new file, and from then on a crash empties it"
            }
            ast::AlterTableAction::SetAccessMethod(_) => "is written to a new file",
            ast::AlterTableAction::SetTablespace(_) => "is copied",
            _ => continue,
        };
        drafts.push(judge.draft_at(
            &STORAGE_CHANGE,
            action.syntax(),
            format!("{} is inaccessible while it {what}", at.subject()),
            "create a second table, fill it in batches and sync it with a trigger, then swap the names",
        ));
    }
    drafts
}

/// The keyword, as a word that an earlier text contains.
fn unlogged() -> Name {
    Name {
        schema: None,
        name: "unlogged".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use crate::cases::{found_each, silent};

    #[test]
    fn changes_of_the_storage_are_found() {
        found_each(
            "storage-change V2:1",
            &[
                "-- migration V2\nALTER TABLE t SET UNLOGGED;\n-- revert V2\nSELECT 1;",
                "-- migration V2\nALTER TABLE t SET TABLESPACE fast;",
                "-- migration V2\nALTER TABLE t SET ACCESS METHOD heap2;",
            ],
        );
        found_each(
            "storage-change revert V2:1",
            &["-- migration V2\nSELECT 1;\n-- revert V2\nALTER TABLE t SET LOGGED;"],
        );
        silent(&[
            "-- migration V2\nALTER TABLE t SET LOGGED;",
            "-- migration V2\nCREATE TABLE u (id bigint);\nALTER TABLE u SET UNLOGGED, ADD COLUMN x int CHECK (x > 0);",
        ]);
    }
}
