//! Interrupted compensations.

use super::checks::{Database, busy};
use super::{Finding, Severity};
use domain::suggest;

pub(super) fn check(database: &Database<'_>) -> Vec<Finding> {
    let owed: Vec<_> = database.history.outstanding().collect();
    let Some(newest) = owed.last() else {
        return Vec::new();
    };
    let kind = "compensation_interrupted";
    let versions: Vec<String> = owed.iter().map(|owed| owed.version.to_string()).collect();
    let versions = versions.join(", ");
    let run = newest.run_id;
    let because = &newest.because;
    if database.is_running() {
        let what = format!("run {run} is being undone ({because}); remaining: {versions}");
        let next = busy(database.name());
        return vec![database.finding(kind, Severity::Note, what, next, None)];
    }
    let what =
        format!("the compensation of run {run} is incomplete ({because}); remaining: {versions}");
    let next = suggest(["revert", "all", "--run", &run.to_string()]);
    vec![database.finding(kind, Severity::Error, what, next, None)]
}
