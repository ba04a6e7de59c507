//! History and journal, which the engine always writes together.

use shared::domain::{commented, suggest};
use shared::reconcile::{Disagreement, JournalSays, disagreements, grant_journal, journal_hidden};

use super::checks::Database;
use super::{Finding, Severity};

const KIND: &str = "history_and_journal";

pub(super) fn check(database: &Database<'_>) -> Vec<Finding> {
    let hidden = database.history.journal_hidden_from.as_deref().map(|role| {
        let (message, next) = (journal_hidden(role), grant_journal(role));
        database.finding(KIND, Severity::Error, message, next, None)
    });
    let found = disagreements(database.service, database.history);
    let found = found.iter().map(|it| finding(database, it));
    hidden.into_iter().chain(found).collect()
}

/// Which of them is right, the schema tells.
fn finding(database: &Database<'_>, disagreement: &Disagreement) -> Finding {
    let (present, absent) = match disagreement.journal {
        JournalSays::Applied => ("journal", "history"),
        JournalSays::Reverted | JournalSays::Nothing => ("history", "journal"),
    };
    let name = database.name().as_str();
    let believe = |side: &str| suggest(["history", name, "--believe", side]);
    let next = commented(
        database.orchestrator("drift"),
        format!(
            "if the schema has what {} makes: {}; if it has not: {}",
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
