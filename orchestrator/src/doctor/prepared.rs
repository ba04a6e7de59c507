//! Prepared transactions, which hold their locks until somebody decides.

use shared::report::units::age;

use super::checks::Database;
use super::{Finding, Severity};

pub(super) fn check(database: &Database<'_>) -> Vec<Finding> {
    let prepared = database.rows.prepared.iter();
    prepared
        .map(|transaction| {
            let literal = &transaction.literal;
            let what = format!(
                "the prepared transaction {literal} of {} has been in doubt for {}, and keeps its locks",
                transaction.owner,
                age(transaction.age)
            );
            // Only its coordinator knows which of the two: nothing for --fix.
            let next = format!("ask its coordinator, then: COMMIT PREPARED {literal} or ROLLBACK PREPARED {literal}");
            database.finding("prepared_transaction", Severity::Warning, what, next, None)
        })
        .collect()
}
