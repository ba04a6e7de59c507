//! Disagreement of history and journal, which the engine always writes in one transaction.

use domain::{commented, suggest};
use engine::reconcile::{Disagreement, JournalState, disagreements};

use super::checks::Database;
use super::{Finding, Severity};

const KIND: &str = "history_and_journal";

pub(super) fn check(database: &Database<'_>) -> Vec<Finding> {
    let found = disagreements(database.service, database.history);
    found.iter().map(|it| finding(database, it)).collect()
}

/// Only the schema shows which of the two is right.
fn finding(database: &Database<'_>, disagreement: &Disagreement) -> Finding {
    let (present, absent) = match disagreement.journal {
        JournalState::Applied => ("journal", "history"),
        JournalState::Reverted | JournalState::Nothing => ("history", "journal"),
    };
    let name = database.name().as_str();
    let believe = |side: &str| suggest(["history", name, "--believe", side]);
    let next = commented(
        database.orchestrator("drift"),
        format!(
            "if the schema contains the changes of {}: {}; otherwise: {}",
            disagreement.version,
            believe(present),
            believe(absent),
        ),
    );
    let severity = match disagreement.is_contradiction() {
        true => Severity::Error,
        false => Severity::Warning,
    };
    database.finding(KIND, severity, disagreement.sentence(), next, None)
}
