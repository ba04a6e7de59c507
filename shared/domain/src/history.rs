//! The state of a service's migrations in its database, as its history and journal record it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use uuid::Uuid;

use super::{CatalogState, Checksum, Direction, Version};

/// One row of the history table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedMigration {
    pub version: Version,
    /// The name when it was applied.
    pub name: String,
    /// refinery's checksum when it was applied; `None` if the row has no refinery checksum.
    pub checksum: Option<Checksum>,
    /// The time when it was applied, as refinery writes it (RFC 3339).
    pub applied_on: String,
}

/// A no-transaction file that was started and not finished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interruption {
    /// The version of the migration.
    pub version: Version,
    /// Whether it was being applied or undone.
    pub direction: Direction,
    /// The checksum of the migration when it was started.
    pub checksum: Option<Checksum>,
    /// The number of completed statements.
    pub done: usize,
    /// The total number of statements.
    pub total: usize,
}

/// A revert that a compensation has yet to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwedRevert {
    /// The version of the migration.
    pub version: Version,
    /// The run that is undone.
    pub run_id: Uuid,
    /// The failure in that run.
    pub because: String,
}

/// The state of a service's migrations in its database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// The rows of the history table, ascending by version.
    pub applied: Vec<AppliedMigration>,
    /// Half-done files; the engine leaves at most one.
    pub interrupted: Vec<Interruption>,
    /// The recorded reverts of compensations, ascending by version; [`History::outstanding`] omits those that are done.
    pub owed: Vec<OwedRevert>,
    /// The last state of each version in the journal: true if applied. `None` if there is no journal.
    pub journal: Option<BTreeMap<Version, bool>>,
    /// The versions in the previous tool's history, ascending. Read only if our history is empty.
    pub legacy: Vec<Version>,
}

impl History {
    /// The pending reverts of compensations. A revert of a migration that is no longer applied is void.
    pub fn outstanding(&self) -> impl Iterator<Item = &OwedRevert> {
        self.owed
            .iter()
            .filter(|owed| self.has_changes_of(owed.version))
    }

    /// This history after these migrations are undone.
    #[must_use]
    pub fn without(&self, versions: &BTreeSet<Version>) -> Self {
        let mut rest = self.clone();
        rest.applied.retain(|row| !versions.contains(&row.version));
        rest.interrupted
            .retain(|interruption| !versions.contains(&interruption.version));
        rest.owed.retain(|owed| !versions.contains(&owed.version));
        if let Some(journal) = &mut rest.journal {
            journal.retain(|version, _| !versions.contains(version));
        }
        rest
    }

    /// The state of a database, relative to a run that was to apply these migrations.
    pub fn seen_from(&self, versions: &BTreeSet<Version>) -> CatalogState {
        let is_half_done = self
            .interrupted
            .iter()
            .any(|interruption| versions.contains(&interruption.version));
        let applied: BTreeSet<Version> = self.applied.iter().map(|row| row.version).collect();
        match versions.intersection(&applied).count() {
            _ if is_half_done => CatalogState::Between,
            0 => CatalogState::Old,
            all if all == versions.len() => CatalogState::New,
            _ => CatalogState::Between,
        }
    }

    /// Whether a migration is applied, or half-done in either direction.
    fn has_changes_of(&self, version: Version) -> bool {
        self.applied.iter().any(|row| row.version == version)
            || self
                .interrupted
                .iter()
                .any(|interruption| interruption.version == version)
    }
}
