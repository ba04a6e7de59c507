//! The files of a migration and its revert, as they are written.

use std::fmt::Write as _;

use domain::{Migration, Version};
use engine::source::{SourceError, migration_of};

use crate::plan::{Loss, Statement};

/// One direction of a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Side {
    /// Whether each statement runs in a transaction of its own.
    pub(crate) is_apart: bool,
    pub(crate) statements: Vec<Statement>,
}

impl Side {
    /// Statements in one transaction.
    pub(crate) fn plain(statements: Vec<Statement>) -> Self {
        Self {
            is_apart: false,
            statements,
        }
    }

    pub(crate) fn sql(&self) -> Vec<&str> {
        self.statements.iter().map(|it| it.sql.as_str()).collect()
    }

    /// The text of its file, with the losses that its drops were allowed for.
    fn text(&self, header: &str, losses: &[Loss]) -> String {
        let mut text = String::new();
        if self.is_apart {
            text.push_str("-- migration: no-transaction\n");
        }
        for rule in ["drop-table", "drop-column"] {
            let objects: Vec<String> = losses
                .iter()
                .filter(|it| it.rule == rule)
                .map(|it| it.object.replace('"', "'"))
                .collect();
            if !objects.is_empty() {
                let _ = writeln!(
                    text,
                    "-- migration: allow {rule} \"confirmed when this file was generated: {}\"",
                    objects.join(", ")
                );
            }
        }
        text.push_str(header);
        text.push('\n');
        text.push_str(&rendered(&self.statements));
        text
    }
}

/// A migration and its revert.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Step {
    /// What follows the name of the migration in the name of the file.
    pub(crate) suffix: &'static str,
    pub(crate) up: Side,
    pub(crate) down: Side,
}

impl Step {
    pub(crate) fn has_sql_function(&self) -> bool {
        (self.up.statements.iter().chain(&self.down.statements))
            .any(|it| it.sql.starts_with("CREATE ") && it.sql.contains("LANGUAGE sql"))
    }

    /// Whether it drops tables or columns.
    fn drops(&self) -> bool {
        (self.up.statements.iter())
            .any(|it| it.sql.starts_with("DROP TABLE ") || it.sql.contains(" DROP COLUMN "))
    }
}

/// The files of a migration and its revert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// The version.
    pub version: Version,
    /// The name in the names of both files.
    pub name: String,
    /// The text of the migration.
    pub up: String,
    /// The text of the revert.
    pub down: String,
}

impl File {
    /// The files of steps. The versions follow the first one.
    pub(crate) fn of(steps: &[Step], first: Version, name: &str, losses: &[Loss]) -> Vec<Self> {
        (steps.iter().zip(first.number()..))
            .map(|(step, version)| {
                let version = Version::new(version);
                let name = match step.suffix {
                    "" => name.to_owned(),
                    suffix => format!("{name}_{suffix}"),
                };
                let file = format!("V{version}__{name}.sql");
                let losses = if step.drops() { losses } else { &[] };
                let up = format!("-- Generated from schema.sql. Reverted by reverts/{file}.");
                let down = format!("-- Reverts migrations/{file}.");
                Self {
                    version,
                    name,
                    up: step.up.text(&up, losses),
                    down: step.down.text(&down, &[]),
                }
            })
            .collect()
    }

    /// The name of both files.
    pub fn file_name(&self) -> String {
        format!("V{}__{}.sql", self.version, self.name)
    }

    /// The migration, as the engine loads it.
    ///
    /// # Errors
    /// When the engine would refuse the files.
    pub fn migration(&self) -> Result<Migration, SourceError> {
        let file = self.file_name();
        let up = (format!("migrations/{file}"), self.up.clone());
        let down = (format!("reverts/{file}"), self.down.clone());
        migration_of(self.version, &self.name, up, Some(down))
    }
}

/// The statements with a comment before each group.
pub fn rendered(statements: &[Statement]) -> String {
    let mut text = String::new();
    let mut about = "";
    for statement in statements {
        if statement.about != about {
            let _ = writeln!(text, "\n-- {}", statement.about);
            about = &statement.about;
        }
        text.push_str(&statement.sql);
        text.push('\n');
    }
    text
}
