//! Materialized views are refreshed CONCURRENTLY.

use squawk_syntax::ast::{self, AstNode};

use super::{Draft, rule};
use crate::load::{At, Judge};
use crate::names::below;

rule! {
    REFRESH_NOT_CONCURRENT = Warning "refresh-not-concurrent": "Refresh existing materialized views CONCURRENTLY." {
        syntax: Some(refresh),
    };
}

fn refresh<'a>(judge: &Judge<'_, 'a>, at: &At) -> Vec<Draft<'a>> {
    let ast::Stmt::Refresh(it) = &at.statement else {
        return Vec::new();
    };
    let blocks =
        it.concurrently_token().is_none() && below::<ast::WithNoData>(it.syntax()).is_none();
    let message = format!(
        "reads of {} are blocked while it is refreshed",
        at.subject()
    );
    let safe_form =
        "REFRESH MATERIALIZED VIEW CONCURRENTLY, which requires a unique index on the view";
    let draft = || judge.draft_at(&REFRESH_NOT_CONCURRENT, it.syntax(), message, safe_form);
    blocks.then(draft).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use crate::cases::{found_each, silent};

    #[test]
    fn only_a_refresh_that_runs_its_query_under_the_lock_is_found() {
        let view = "-- migration V2\nCREATE MATERIALIZED VIEW v AS SELECT 1 AS id;\n";
        silent(&[
            &format!("{view}REFRESH MATERIALIZED VIEW v;"),
            &format!("{view}-- migration V3\nREFRESH MATERIALIZED VIEW CONCURRENTLY v;"),
            &format!("{view}-- migration V3\nREFRESH MATERIALIZED VIEW v WITH NO DATA;"),
        ]);
        let late = format!("{view}-- migration V3\nREFRESH MATERIALIZED VIEW v;");
        found_each("refresh-not-concurrent V3:1", &[&late]);
    }
}
