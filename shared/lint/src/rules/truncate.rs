//! TRUNCATE of existing tables.

use squawk_linter::Rule as Squawk;
use squawk_syntax::ast::{self, AstNode};

use super::{Draft, rule};
use crate::load::{Adopted, At, Judge, Scope};
use crate::names::below;

rule! {
    TRUNCATE = Warning "truncate": "Empty an existing table only when its rows are no longer needed." {
        syntax: Some(truncate),
    };
    TRUNCATE_CASCADE = Error "truncate-cascade": "Name every table that TRUNCATE empties, instead of using CASCADE." {
        adopted: &[Adopted::new(
            &[Squawk::BanTruncateCascade], Scope::Any,
            "every table that references {}, directly or through other tables, is emptied too",
            "name every table to empty",
        )],
    };
}

fn truncate<'a>(judge: &Judge<'_, 'a>, at: &At) -> Vec<Draft<'a>> {
    let ast::Stmt::Truncate(it) = &at.statement else {
        return Vec::new();
    };
    let message = format!("every row of {} is deleted", at.subject());
    let safe_form = "give the reason: -- migration: allow truncate \"…\"";
    let draft = || judge.draft_at(&TRUNCATE, it.syntax(), message, safe_form);
    let cascades = below::<ast::Cascade>(it.syntax()).is_some();
    (!cascades).then(draft).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use crate::cases::{found_each, silent};

    #[test]
    fn only_tables_with_rows_from_before_are_found() {
        silent(&["-- migration V2\nCREATE TABLE u (id bigint);\nTRUNCATE u;"]);
        found_each("truncate V2:1", &["-- migration V2\nTRUNCATE t;"]);
        found_each(
            "truncate-cascade V2:1",
            &["-- migration V2\nTRUNCATE t CASCADE;"],
        );
    }
}
