//! Prepared transactions, which hold their locks until they are committed or rolled back.

use domain::{commented, in_sql, suggest};
use pg_session::Gid;
use report::units::age;

use super::checks::{Database, busy};
use super::queries::PreparedRow;
use super::{Finding, Remedy, Repair, Severity};

pub(super) fn check(database: &Database<'_>) -> Vec<Finding> {
    let prepared = database.rows.prepared.iter();
    prepared
        .map(|transaction| match Gid::parse(&transaction.gid) {
            Some(gid) => of_a_release(database, transaction, &gid),
            None => of_others(database, transaction),
        })
        .collect()
}

/// Part of an atomic release, whose decision is recorded.
fn of_a_release(database: &Database<'_>, transaction: &PreparedRow, gid: &Gid) -> Finding {
    let what = format!(
        "the atomic release {} was interrupted {} ago and still holds locks; its decision is recorded in the database of {}",
        gid.run_id,
        age(transaction.age),
        gid.coordinator
    );
    let (severity, next) = if database.is_running() {
        // A run in progress may be between the two phases of its own commit.
        (Severity::Note, busy(database.name()))
    } else {
        let next = commented(
            suggest(["doctor", "--fix"]),
            "commits or rolls it back, as recorded",
        );
        (Severity::Error, next.to_owned())
    };
    let remedy = (severity == Severity::Error).then(|| Remedy::safe(Repair::ResolveRelease));
    database.finding("release_in_doubt", severity, what, next, remedy)
}

fn of_others(database: &Database<'_>, transaction: &PreparedRow) -> Finding {
    let literal = &transaction.literal;
    let what = format!(
        "the prepared transaction {literal} of {} has been in doubt for {} and holds its locks",
        transaction.owner,
        age(transaction.age)
    );
    // No repair: only the coordinator knows whether to commit or roll back.
    let next = in_sql(
        format!("COMMIT PREPARED {literal}"),
        format!("or ROLLBACK PREPARED {literal}, as its coordinator decided"),
    );
    database.finding("prepared_transaction", Severity::Warning, what, next, None)
}
