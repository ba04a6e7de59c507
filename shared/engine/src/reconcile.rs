//! Compares source and history: which migrations are applied, pending, interrupted, divergent, missing or out of order.
//!
//! Pure functions; `postgres::history` reads the history.

mod agreement;

use std::collections::HashMap;

use domain::{
    AppliedMigration, Direction, History, Interruption, Migration, OwedRevert, Refusal,
    RefusalKind, Service, ServiceName, Version, commented, rerun, suggest,
};
use schemars::JsonSchema;
use serde::Serialize;
use store::checksum;

pub use agreement::{Disagreement, JournalState, disagreements};

/// The state of one migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// In the history, and the file is unchanged.
    Applied,
    /// Not in the history.
    Pending,
    /// Started and not finished.
    Interrupted {
        /// The number of completed statements.
        done: usize,
        /// The total number of statements.
        total: usize,
    },
    /// In the history with a different checksum.
    Divergent,
    /// In the history, but not in the source.
    Missing,
    /// Not in the history, and older than a migration that is.
    OutOfOrder,
}

impl State {
    /// The name in human output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Pending => "pending",
            Self::Interrupted { .. } => "interrupted",
            Self::Divergent => "divergent",
            Self::Missing => "missing",
            Self::OutOfOrder => "out of order",
        }
    }
}

/// One migration, as the combination of source and history.
#[derive(Clone, Debug)]
pub struct ReconciledMigration<'a> {
    pub version: Version,
    /// The name in the source, else in the history.
    pub name: &'a str,
    pub state: State,
    /// The time when it was applied.
    pub applied_on: Option<&'a str>,
    /// The migration in the source, if it exists there.
    pub migration: Option<&'a Migration>,
}

/// All migrations of one service, ascending by version.
#[derive(Clone, Debug)]
pub struct Reconciliation<'a> {
    service: &'a Service,
    history: &'a History,
    standings: Vec<ReconciledMigration<'a>>,
}

/// Compares a service with its history.
pub fn reconcile<'a>(service: &'a Service, history: &'a History) -> Reconciliation<'a> {
    let rows = one_row_each(service, history);
    let newest_applied = history.applied.iter().map(|row| row.version).max();
    let mut standings: Vec<ReconciledMigration<'a>> = service
        .migrations
        .iter()
        .map(|migration| {
            let row = rows.get(&migration.version).copied();
            ReconciledMigration {
                version: migration.version,
                name: &migration.name,
                state: state_of(migration, row, newest_applied, history),
                applied_on: row.map(|row| row.applied_on.as_str()),
                migration: Some(migration),
            }
        })
        .collect();
    standings.extend(
        rows.values()
            .filter(|row| service.migration(row.version).is_none())
            .map(|row| ReconciledMigration {
                version: row.version,
                name: &row.name,
                state: State::Missing,
                applied_on: Some(&row.applied_on),
                migration: None,
            }),
    );
    // An interrupted migration whose file was removed is still half-done in the database.
    let mut removed: Vec<ReconciledMigration<'a>> = history
        .interrupted
        .iter()
        .filter(|it| service.migration(it.version).is_none() && !rows.contains_key(&it.version))
        .map(|interruption| ReconciledMigration {
            version: interruption.version,
            name: "",
            state: State::Interrupted {
                done: interruption.done,
                total: interruption.total,
            },
            applied_on: None,
            migration: None,
        })
        .collect();
    removed.dedup_by_key(|standing| standing.version);
    standings.append(&mut removed);
    standings.sort_by_key(|standing| standing.version);
    Reconciliation {
        service,
        history,
        standings,
    }
}

/// A history table without its primary key may have duplicate versions. Each version counts once, as edited if one of its rows
/// has a different checksum.
fn one_row_each<'a>(
    service: &Service,
    history: &'a History,
) -> HashMap<Version, &'a AppliedMigration> {
    let is_that_of_the_file = |row: &AppliedMigration| {
        let migration = service.migration(row.version);
        migration.is_some_and(|migration| row.checksum == Some(migration.checksum))
    };
    let mut rows: HashMap<Version, &AppliedMigration> =
        HashMap::with_capacity(history.applied.len());
    for row in &history.applied {
        rows.entry(row.version)
            .and_modify(|known| {
                if is_that_of_the_file(known) {
                    *known = row;
                }
            })
            .or_insert(row);
    }
    rows
}

fn state_of(
    migration: &Migration,
    row: Option<&AppliedMigration>,
    newest_applied: Option<Version>,
    history: &History,
) -> State {
    let interruption = history
        .interrupted
        .iter()
        .find(|interruption| interruption.version == migration.version);
    match (row, interruption) {
        (Some(row), _) if row.checksum != Some(migration.checksum) => State::Divergent,
        (_, Some(interruption)) => State::Interrupted {
            done: interruption.done,
            total: interruption.total,
        },
        (Some(_), None) => State::Applied,
        (None, None) if newest_applied.is_some_and(|newest| migration.version < newest) => {
            State::OutOfOrder
        }
        (None, None) => State::Pending,
    }
}

impl<'a> Reconciliation<'a> {
    /// All migrations, ascending by version.
    pub fn standings(&self) -> &[ReconciledMigration<'a>] {
        &self.standings
    }

    /// The number of migrations in the history, whether or not their files changed.
    pub fn applied_count(&self) -> usize {
        let standings = self.standings.iter();
        standings.filter(|it| it.applied_on.is_some()).count()
    }

    /// The number of migrations that are not: pending, interrupted or out of order.
    pub fn pending_count(&self) -> usize {
        self.standings.len() - self.applied_count()
    }

    /// The migrations that a run would apply, oldest first, up to and including `to`.
    ///
    /// An interrupted migration is first: it is finished before anything newer.
    pub fn to_apply(&self, to: Option<Version>) -> Result<Vec<&'a Migration>, Refusal> {
        self.refuse_contradiction()?;
        self.refuse_owed_reverts()?;
        self.refuse_inconsistency()?;
        self.refuse_legacy_history()?;
        if let Some(interruption) = self.interruption(Direction::Down) {
            return Err(self.refusal(
                RefusalKind::Interrupted,
                format!(
                    "the revert of {} was interrupted after {} of {} statements",
                    interruption.version, interruption.done, interruption.total
                ),
                commented(suggest(["revert", self.service.name.as_str()]), "finish it"),
            ));
        }
        Ok(self
            .standings
            .iter()
            .filter(|standing| standing.applied_on.is_none())
            .filter(|standing| to.is_none_or(|to| standing.version <= to))
            .filter_map(|standing| standing.migration)
            .collect())
    }

    /// Refuses to use a history that contradicts the journal.
    pub fn refuse_contradiction(&self) -> Result<(), Refusal> {
        let mut found = disagreements(self.service, self.history);
        found.retain(|it| it.is_contradiction());
        let Some(first) = found.first() else {
            return Ok(());
        };
        let more = match found.len() {
            1 => String::new(),
            count => format!(" ({count} migrations in all)"),
        };
        Err(self.refusal(
            RefusalKind::JournalDisagrees,
            format!(
                "{}{more}: the state of the database is uncertain; nothing was changed",
                first.sentence()
            ),
            suggest(["doctor", self.service.name.as_str()]),
        ))
    }

    /// Refuses to apply anything before a compensation is finished.
    fn refuse_owed_reverts(&self) -> Result<(), Refusal> {
        let owed: Vec<&OwedRevert> = self.history.outstanding().collect();
        let Some(newest) = owed.last() else {
            return Ok(());
        };
        let versions: Vec<String> = owed.iter().map(|owed| owed.version.to_string()).collect();
        let run_id = newest.run_id;
        Err(self.refusal(
            RefusalKind::CompensationInterrupted,
            format!(
                "the compensation of run {run_id} is not finished ({}): {} still to be undone",
                newest.because,
                match versions.as_slice() {
                    [only] => format!("{only} is"),
                    many => format!("{} are", many.join(", ")),
                }
            ),
            commented(
                suggest(["revert", "all", "--run", &run_id.to_string()]),
                "finishes it; to also continue: run with --on-failure revert; to keep what is applied: add --give-up",
            ),
        ))
    }

    /// Refuses a database that another tool migrated: its history is empty, so a run would create everything a second time.
    fn refuse_legacy_history(&self) -> Result<(), Refusal> {
        let ran: Vec<Version> = self
            .history
            .legacy
            .iter()
            .copied()
            .filter(|version| self.service.migration(*version).is_some())
            .collect();
        match ran.last() {
            Some(newest) if self.history.applied.is_empty() => Err(self.refusal(
                RefusalKind::LegacyHistory,
                format!("TypeORM migrated this database up to {newest}, and it is not adopted yet"),
                commented(suggest(["adopt", self.service.name.as_str()]), "adopt it"),
            )),
            _ => Ok(()),
        }
    }

    /// The applied migrations that a revert can choose from, newest first.
    ///
    /// Includes a migration whose application was interrupted, because its revert undoes a half-done file.
    pub fn revertible(&self) -> Result<Vec<&'a Migration>, Refusal> {
        self.refuse_contradiction()?;
        if let Some(missing) = self.first(|state| state == State::Missing) {
            return Err(self.missing(missing));
        }
        let is_removed = |it: &&ReconciledMigration<'_>| it.migration.is_none();
        if let Some(removed) = self.standings.iter().find(is_removed) {
            return Err(self.refusal(
                RefusalKind::Interrupted,
                format!(
                    "the file of half-done migration {} was removed, so it cannot be reverted",
                    removed.version
                ),
                rerun("after restoring the original file, or with a version of this program that includes it"),
            ));
        }
        Ok(self
            .standings
            .iter()
            .rev()
            .filter(|standing| {
                standing.applied_on.is_some() || matches!(standing.state, State::Interrupted { .. })
            })
            .filter_map(|standing| standing.migration)
            .collect())
    }

    /// The interrupted migration in one direction.
    pub fn interruption(&self, direction: Direction) -> Option<&'a Interruption> {
        self.history
            .interrupted
            .iter()
            .find(|interruption| interruption.direction == direction)
    }

    fn first(&self, filter: impl Fn(State) -> bool) -> Option<&ReconciledMigration<'a>> {
        self.standings
            .iter()
            .find(|standing| filter(standing.state))
    }

    /// How a divergent file differs from what was applied, as far as the checksum reveals it.
    fn edit(&self, divergent: &ReconciledMigration<'_>) -> String {
        let row = self
            .history
            .applied
            .iter()
            .find(|row| row.version == divergent.version);
        let (Some(row), Some(migration)) = (row, divergent.migration) else {
            return "was edited after it was applied".to_owned();
        };
        edit(row, migration)
    }

    /// The refusal of each migration whose file and history do not match: edited files first, then missing files, then those out of
    /// order.
    pub fn inconsistencies(&self) -> Vec<Refusal> {
        let all = |state: State| {
            let standings = self.standings.iter();
            standings.filter(move |standing| standing.state == state)
        };
        let divergent = all(State::Divergent).map(|divergent| {
            self.refusal(
                RefusalKind::Divergent,
                format!("{} {}", path(divergent), self.edit(divergent)),
                rerun(format!(
                    "after restoring {} as it was applied; put the change into a new migration",
                    path(divergent)
                )),
            )
        });
        let missing = all(State::Missing).map(|missing| self.missing(missing));
        let newest = self.history.applied.iter().map(|row| row.version).max();
        let late = all(State::OutOfOrder).map(|late| {
            self.refusal(
                RefusalKind::OutOfOrder,
                format!(
                    "{} is pending, but the newer {} is applied",
                    path(late),
                    newest.unwrap_or(late.version)
                ),
                rerun(format!(
                    "after renaming {} and its revert to a version newer than {}",
                    path(late),
                    newest.unwrap_or(late.version)
                )),
            )
        });
        divergent.chain(missing).chain(late).collect()
    }

    fn refuse_inconsistency(&self) -> Result<(), Refusal> {
        if let Some(inconsistency) = self.inconsistencies().into_iter().next() {
            return Err(inconsistency);
        }
        self.changed_since_interrupted().map_or(Ok(()), Err)
    }

    /// The refusal to resume an interrupted migration whose file changed since it was started.
    pub fn changed_since_interrupted(&self) -> Option<Refusal> {
        let interruption = self.interruption(Direction::Up)?;
        let migration = self.service.migration(interruption.version);
        if migration.is_some_and(|it| Some(it.checksum) == interruption.checksum) {
            return None;
        }
        let (what, next) = match migration {
            None => (
                format!("migration {} was removed", interruption.version),
                commented(
                    suggest(["run", self.service.name.as_str()]),
                    "after restoring the original file and its revert",
                ),
            ),
            Some(migration) => (
                format!("{} was edited", migration.script.path),
                commented(
                    suggest(["revert", self.service.name.as_str()]),
                    "undoes the completed statements; or restore the original file and rerun",
                ),
            ),
        };
        Some(self.refusal(
            RefusalKind::Interrupted,
            format!(
                "{what} after {} of {} statements completed",
                interruption.done, interruption.total
            ),
            next,
        ))
    }

    fn missing(&self, missing: &ReconciledMigration<'_>) -> Refusal {
        self.refusal(
            RefusalKind::Missing,
            format!(
                "{} {} is applied in the database, but its file is missing",
                missing.version, missing.name
            ),
            rerun("with a version of this program, or a folder, that includes the file"),
        )
    }

    fn refusal(&self, kind: RefusalKind, message: String, next: String) -> Refusal {
        Refusal {
            kind,
            service: Some(ServiceName::clone(&self.service.name)),
            message,
            next,
        }
    }
}

/// Describes an edit. refinery's checksum covers version, name and text, so guesses of the original can be verified.
fn edit(row: &AppliedMigration, migration: &Migration) -> String {
    let text = &*migration.script.text;
    let was = |name: &str, text: &str| {
        row.checksum.is_some() && checksum(migration.version, name, text) == row.checksum
    };
    if was(&row.name, text) {
        return format!(
            "was renamed after it was applied, as V{}__{}",
            row.version, row.name
        );
    }
    let unix = text.replace("\r\n", "\n");
    if was(&row.name, &unix) || was(&row.name, &unix.replace('\n', "\r\n")) {
        return "has different line endings than when it was applied".to_owned();
    }
    let bare = unix.trim_end();
    let blanks = ["", "\n", "\n\n", " ", " \n"];
    let trimmed: Vec<&str> = unix.lines().map(str::trim_end).collect();
    let trimmed = trimmed.join("\n");
    if blanks.iter().any(|end| {
        was(&row.name, &format!("{bare}{end}"))
            || was(&row.name, &format!("{}{end}", trimmed.trim_end()))
    }) {
        return "differs only in trailing whitespace from what was applied".to_owned();
    }
    "was edited after it was applied".to_owned()
}

fn path<'a>(standing: &ReconciledMigration<'a>) -> &'a str {
    standing
        .migration
        .map_or(standing.name, |migration| migration.script.path.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Directives, Script};
    use store::checksum;

    #[test]
    fn an_edit_is_named_as_what_it_is() {
        let version = Version::new(7);
        let applied = |name: &str, text: &str| AppliedMigration {
            version,
            name: name.to_owned(),
            checksum: checksum(version, name, text),
            applied_on: String::new(),
        };
        let now = "SELECT 1;\nSELECT 2;\n";
        let migration = Migration {
            version,
            name: "a".to_owned(),
            checksum: checksum(version, "a", now).unwrap(),
            script: Script {
                path: String::new(),
                text: now.into(),
                directives: Directives::default(),
            },
            revert: None,
        };
        for (row, kind) in [
            (applied("b", now), "renamed"),
            (applied("a", "SELECT 1;\r\nSELECT 2;\r\n"), "line endings"),
            (applied("a", "SELECT 1;\nSELECT 2;\n\n"), "whitespace"),
            (applied("a", "SELECT 1;\nSELECT 2;"), "whitespace"),
            (applied("a", "SELECT 1;\nSELECT 3;\n"), "was edited"),
            (applied("b", "SELECT 3;\n"), "was edited"),
        ] {
            let edit = edit(&row, &migration);
            assert!(edit.contains(kind), "{kind}: {edit}");
        }
    }
}
