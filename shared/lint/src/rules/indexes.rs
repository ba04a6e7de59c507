//! Indexes are built, dropped, and rebuilt CONCURRENTLY.

use squawk_linter::Rule as Squawk;
use squawk_syntax::ast::{self, AstNode};

use super::{OnceDropped, rule};
use crate::load::{Adopted, Advice, Case, Judge, Scope};
use crate::names::span;

rule! {
    INDEX_NOT_CONCURRENT = Error "index-not-concurrent": "Build indexes on existing tables CONCURRENTLY, in a no-transaction migration." {
        once_dropped: OnceDropped::MootIfApplied,
        adopted: &[Adopted::new(
            &[Squawk::RequireConcurrentIndexCreation], Scope::Existing,
            "writes to {} are blocked while the index is built", "",
        ).decided_by(creation)],
    };
    INDEX_DROP_NOT_CONCURRENT = Warning "index-drop-not-concurrent": "Drop indexes of existing tables CONCURRENTLY, in a no-transaction migration." {
        once_dropped: OnceDropped::MootIfApplied,
        adopted: &[Adopted::new(
            &[Squawk::RequireConcurrentIndexDeletion], Scope::Existing,
            "the drop of {} waits for every transaction on its table, and all later queries on the table wait behind it", "",
        ).decided_by(deletion)],
    };
    REINDEX_NOT_CONCURRENT = Error "reindex-not-concurrent": "Rebuild indexes CONCURRENTLY, in a no-transaction migration." {
        once_dropped: OnceDropped::MootIfApplied,
        adopted: &[Adopted::new(
            &[Squawk::RequireConcurrentReindex], Scope::Existing,
            "writes, and reads that use the index, are blocked while {} is rebuilt", "",
        )],
    };
}

/// The drop of an index on a partitioned table. The lock is held briefly, but may have to wait.
const DROP_ON_PARTITIONS: &str = "PostgreSQL refuses CONCURRENTLY for a partitioned table: DROP INDEX in a separate migration, with \
    -- migration: lock-timeout 1s, and -- migration: allow index-drop-not-concurrent \"…\"";

/// The safe form for an index on a partitioned table, where PostgreSQL refuses CONCURRENTLY, but supports it on each partition.
/// `sql` creates the index on the partitioned table alone.
pub(super) fn index_on_partitions(sql: &str, unique: bool, index: Option<&str>) -> String {
    let index = index.unwrap_or("…");
    let unique = if unique { "UNIQUE " } else { "" };
    format!(
        "{sql}; then CREATE {unique}INDEX CONCURRENTLY on each partition, in a no-transaction migration; then ALTER INDEX {index} ATTACH PARTITION … for each"
    )
}

fn creation(case: &Case<'_, '_, '_>, advice: Advice) -> Option<Advice> {
    let ast::Stmt::CreateIndex(it) = &case.at.statement else {
        return Some(advice);
    };
    let table = it.table_relation_name();
    let only = table.is_some_and(|table| table.only_token().is_some());
    match (case.judge.is_partitioned(case.violation, case.at), only) {
        // On the partitioned table alone there are no rows to read.
        (Some(true) | None, true) => None,
        (Some(true), false) => Some(advice.with_safe_form(on_only(case.judge, it))),
        _ => Some(advice),
    }
}

fn on_only(judge: &Judge<'_, '_>, it: &ast::CreateIndex) -> String {
    let range = judge.trimmed(span(it.syntax()));
    let table = it.table_relation_name();
    let place = table.map_or(range.end, |table| span(table.syntax()).start);
    let before = judge.text().get(range.start..place).unwrap_or_default();
    let after = judge.text().get(place..range.end).unwrap_or_default();
    let sql = format!("{before}ONLY {after}");
    let sql = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    let name = it.index().map(|index| index.syntax().text().to_string());
    index_on_partitions(
        &sql,
        it.unique_token().is_some(),
        name.as_deref().map(str::trim),
    )
}

fn deletion(case: &Case<'_, '_, '_>, advice: Advice) -> Option<Advice> {
    let is_one = |index| {
        case.judge
            .with_model(case.violation, |it| it.is_partitioned_index(index))
    };
    Some(match case.at.subjects.iter().any(is_one) {
        true => advice.with_safe_form(DROP_ON_PARTITIONS),
        false => advice,
    })
}
