//! Interrupted migrations and reverts.

use domain::Direction;
use engine::reconcile::reconcile;

use super::checks::{Database, busy};
use super::{Finding, Severity};

/// The command that continues in a direction.
pub(super) const fn command(direction: Direction) -> &'static str {
    match direction {
        Direction::Up => "run",
        Direction::Down => "revert",
    }
}

pub(super) fn check(database: &Database<'_>) -> Vec<Finding> {
    let interrupted = database.history.interrupted.iter();
    interrupted
        .map(|interruption| {
            let noun = match interruption.direction {
                Direction::Up => "migration",
                Direction::Down => "the revert of",
            };
            let so_far = format!("{} of {} statements", interruption.done, interruption.total);
            let version = interruption.version;
            if database.is_running() {
                let what = format!("{noun} {version} is in progress: {so_far}");
                let next = busy(database.name());
                return database.finding("interrupted_step", Severity::Note, what, next, None);
            }
            let changed = reconcile(database.service, database.history).changed_since_interrupted();
            let (what, next) = match changed {
                Some(refusal) if interruption.direction == Direction::Up => {
                    (refusal.message, refusal.next)
                }
                _ => (
                    format!("{noun} {version} was interrupted after {so_far}"),
                    database.orchestrator(command(interruption.direction)),
                ),
            };
            database.finding("interrupted_step", Severity::Error, what, next, None)
        })
        .collect()
}
