//! History and journal, which the engine always writes together.

use std::collections::BTreeMap;

use shared::domain::Version;
use shared::reconcile::AppliedMigration;

use super::checks::Database;
use super::queries::JournalEnd;
use super::{Finding, Severity};

const KIND: &str = "history_and_journal";

pub(super) fn check(database: &Database<'_>) -> Vec<Finding> {
    let Some(journal) = &database.journal else {
        return Vec::new();
    };
    let ends: BTreeMap<Version, &JournalEnd> =
        journal.iter().map(|end| (end.version, end)).collect();
    let mut found = Vec::new();
    for row in &database.history.applied {
        let what = match ends.get(&row.version) {
            Some(end) if end.outcome == "reverted" => format!(
                "history has {} {}, and the journal says that it was reverted",
                row.version, row.name
            ),
            Some(_) => continue,
            None if was_there_before(row, journal) => continue,
            None => format!(
                "history has {} {}, and the journal does not know who applied it",
                row.version, row.name
            ),
        };
        found.push(finding(
            database,
            row.version,
            what,
            &format!(
                "DELETE FROM {} WHERE version = {}",
                database.history_table, row.version
            ),
            "has not",
        ));
    }
    for end in journal.iter().filter(|end| end.outcome != "reverted") {
        let in_history = database.history.applied.iter();
        if in_history.into_iter().any(|row| row.version == end.version) {
            continue;
        }
        let what = format!(
            "the journal says that {} {} was {}, and history does not have it",
            end.version, end.name, end.outcome
        );
        let checksum = database.service.migration(end.version);
        let sql = format!(
            "INSERT INTO {} (version, name, applied_on, checksum) VALUES ({}, '{}', '{}', '{}')",
            database.history_table,
            end.version,
            end.name.replace('\'', "''"),
            format_args!("{}Z", end.started_at),
            checksum
                .map(|migration| migration.checksum.to_string())
                .unwrap_or_default()
        );
        found.push(finding(database, end.version, what, &sql, "has"));
    }
    found
}

fn finding(
    database: &Database<'_>,
    version: Version,
    what: String,
    sql: &str,
    has: &str,
) -> Finding {
    let next = format!(
        "{}; if the schema {has} what {version} makes: {sql}",
        database.orchestrator("drift")
    );
    database.finding(KIND, Severity::Error, what, next, None)
}

/// Whether refinery wrote a row before this engine came: both write UTC, in a form that sorts.
fn was_there_before(row: &AppliedMigration, journal: &[JournalEnd]) -> bool {
    journal.first().is_none_or(|end| {
        row.applied_on
            .get(..19)
            .is_some_and(|applied_on| applied_on < end.journal_began.as_str())
    })
}
