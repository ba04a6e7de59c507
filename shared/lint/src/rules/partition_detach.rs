//! Partitions are detached CONCURRENTLY.

use squawk_linter::Rule as Squawk;

use super::rule;
use crate::load::{Adopted, Advice, Case, Scope};

rule! {
    PARTITION_DETACH = Warning "partition-detach": "Detach partitions CONCURRENTLY, in a no-transaction migration." {
        adopted: &[Adopted::new(
            &[Squawk::RequireConcurrentPartitionDetach], Scope::Existing,
            "the detach waits for every transaction on {}, and all later queries on the table wait behind it", "",
        ).decided_by(decide)],
    };
}

/// The safe form if there is a default partition.
const WITH_DEFAULT: &str = "PostgreSQL refuses CONCURRENTLY if there is a default partition: DETACH PARTITION in a separate migration, with \
    -- migration: lock-timeout 1s, and -- migration: allow partition-detach \"…\"";

fn decide(case: &Case<'_, '_, '_>, advice: Advice) -> Option<Advice> {
    let table = case.at.subjects.first();
    let has_default = table.is_some_and(|table| {
        case.judge
            .with_model(case.violation, |model| model.has_default_partition(table))
    });
    Some(match has_default {
        true => advice.with_safe_form(WITH_DEFAULT),
        false => advice,
    })
}
