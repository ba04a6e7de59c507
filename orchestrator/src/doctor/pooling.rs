//! A pooler in transaction mode.

use shared::inspect::POOLER_NEXT;

use super::checks::Database;
use super::{Finding, Severity};

pub(super) fn check(database: &Database<'_>) -> Vec<Finding> {
    if !database.is_pooled {
        return Vec::new();
    }
    vec![database.finding(
        "pooler",
        Severity::Error,
        "a pooler in transaction mode stands in between: the advisory lock of a run would protect nothing, and runs are refused"
            .to_owned(),
        POOLER_NEXT.to_owned(),
        None,
    )]
}
