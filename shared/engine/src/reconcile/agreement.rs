//! Whether history and journal agree. The engine writes both in one transaction: if they contradict each other, one of them was edited, or
//! restored without the other, and it is unknown which migrations are in the database.

use std::collections::{BTreeMap, HashSet};

use schemars::JsonSchema;
use serde::Serialize;

use super::{AppliedMigration, History};
use domain::{Service, Version};

/// The last journal entry of a version that contradicts history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JournalState {
    /// It is applied; history lacks it.
    Applied,
    /// It is reverted; history has it.
    Reverted,
    /// No entry; history has it. This is not a contradiction: a run continues.
    Nothing,
}

/// A version about which history and journal differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Disagreement {
    pub version: Version,
    /// Its name; empty if neither history nor source has it.
    pub name: String,
    /// The last journal entry.
    pub journal: JournalState,
}

impl Disagreement {
    /// Whether a run is refused.
    pub fn is_contradiction(&self) -> bool {
        self.journal != JournalState::Nothing
    }

    /// The difference in one sentence.
    pub fn sentence(&self) -> String {
        let migration = format!("{} {}", self.version, self.name);
        let migration = migration.trim_end();
        match self.journal {
            JournalState::Applied => {
                format!("{migration} is applied according to the journal, but missing in history")
            }
            JournalState::Reverted => {
                format!("{migration} is in history, but was reverted according to the journal")
            }
            JournalState::Nothing => {
                format!("{migration} is in history, but the journal has no record of it")
            }
        }
    }
}

/// The differences between history and journal, by version. Rows that refinery wrote before this engine was used do not count.
pub fn disagreements(service: &Service, history: &History) -> Vec<Disagreement> {
    let Some(journal) = &history.journal else {
        return Vec::new();
    };
    // The engine continues where refinery stopped: rows older than all of its own existed before.
    let oldest = journal.keys().next();
    let mut found: BTreeMap<Version, Disagreement> = BTreeMap::new();
    for AppliedMigration { version, name, .. } in &history.applied {
        let journal = match journal.get(version) {
            Some(true) => continue,
            Some(false) => JournalState::Reverted,
            None if oldest.is_none_or(|oldest| version < oldest) => continue,
            None => JournalState::Nothing,
        };
        let disagreement = Disagreement {
            version: *version,
            name: name.clone(),
            journal,
        };
        found.insert(*version, disagreement);
    }
    let rows: HashSet<Version> = history.applied.iter().map(|row| row.version).collect();
    for (version, _) in journal.iter().filter(|(_, applied)| **applied) {
        if !rows.contains(version) {
            let migration = service.migration(*version);
            let disagreement = Disagreement {
                version: *version,
                name: migration.map(|it| it.name.clone()).unwrap_or_default(),
                journal: JournalState::Applied,
            };
            found.insert(*version, disagreement);
        }
    }
    found.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::{JournalState, disagreements};
    use domain::{AppliedMigration, History};
    use domain::{Service, Version};

    fn found(rows: &[i64], journal: Option<&[(i64, bool)]>) -> Vec<(i64, JournalState)> {
        let service = Service {
            name: "a".parse().unwrap(),
            database: "a".to_owned(),
            depends_on: Vec::new(),
            history_table: None,
            legacy_table: None,
            description: None,
            owner: None,
            path: "a/service.toml".to_owned(),
            migrations: Vec::new(),
        };
        let history = History {
            applied: rows
                .iter()
                .map(|version| AppliedMigration {
                    version: Version::new(*version),
                    name: "x".to_owned(),
                    checksum: None,
                    applied_on: String::new(),
                })
                .collect(),
            journal: journal.map(|ends| {
                let ends = ends.iter();
                ends.map(|(version, applied)| (Version::new(*version), *applied))
                    .collect()
            }),
            ..History::default()
        };
        disagreements(&service, &history)
            .into_iter()
            .map(|it| (it.version.number(), it.journal))
            .collect()
    }

    #[test]
    fn history_and_journal_are_held_against_each_other() {
        use JournalState::{Applied, Nothing, Reverted};
        assert_eq!(found(&[1, 2], None), [], "refinery alone");
        assert_eq!(found(&[1, 2], Some(&[])), [], "nothing was tried yet");
        assert_eq!(found(&[1], Some(&[(1, true), (2, false)])), []);
        assert_eq!(
            found(&[], Some(&[(1, true), (2, true)])),
            [(1, Applied), (2, Applied)]
        );
        assert_eq!(found(&[1], Some(&[(1, false)])), [(1, Reverted)]);
        assert_eq!(
            found(&[1, 2, 3], Some(&[(2, true)])),
            [(3, Nothing)],
            "1 was there before the journal"
        );
    }
}
