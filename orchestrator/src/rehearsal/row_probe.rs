//! Who looks after rows and code on a stage, from one migration to the next.
//!
//! Responsible for rows in every table, for what is remembered of them and of the code, and for the words on both. Not for running
//! migrations.

use std::collections::BTreeSet;

use shared::domain::{Failure, Script};
use shared::postgres::Client;
use shared::sql;

use super::code::{Broken, BrokenCode, Examiner};
use super::rows::{Digests, Filler, Loss, RowsError, digest, later_losses, losses};
use super::trouble::does_not_run;
use crate::rules::Draft;
use crate::rules::slugs::{
    BROKEN_FUNCTION, BROKEN_TRIGGER, FAILS_ON_ROWS, LEAVES_ROWS, LOSES_DATA, NEEDS_EMPTY_TABLE,
    REVERT_FAILS,
};
use crate::scratch::ScratchError;

/// Looks after rows and code on a stage.
pub(super) struct RowProbe {
    filler: Filler,
    examiner: Examiner,
    /// What was said already.
    said: BTreeSet<String>,
    /// Whether rows were made up on this stage.
    made_rows: bool,
}

impl From<RowsError> for ScratchError {
    fn from(error: RowsError) -> Self {
        Self::Look(Box::new(error))
    }
}

impl RowProbe {
    /// Comes to a stage. Code that is broken already is nobody's doing that comes after.
    pub(super) async fn arrive(client: &Client) -> Result<Self, ScratchError> {
        let mut examiner = Examiner::default();
        examiner.examine(client).await?;
        Ok(Self {
            filler: Filler::default(),
            examiner,
            said: BTreeSet::new(),
            made_rows: false,
        })
    }

    /// Whether rows were made up on this stage: then a file that does not run may run without them.
    pub(super) fn made_rows(&self) -> bool {
        self.made_rows
    }

    /// Makes rows where there are none. Gives what is new of the tables for which none can be made.
    pub(super) async fn fill(&mut self, client: &Client) -> Result<Vec<String>, ScratchError> {
        let filled = self.filler.fill(client).await?;
        self.made_rows |= filled.rows > 0;
        let words = filled.unfilled.into_iter().map(|unfilled| {
            format!(
                "no rows could be made for {}: {}",
                unfilled.table, unfilled.why
            )
        });
        Ok(self.unsaid(words.collect()))
    }

    /// The rows as they stand; `earlier` is what they are going to be compared with.
    pub(super) async fn rows(
        &self,
        client: &Client,
        earlier: Option<&Digests>,
    ) -> Result<Digests, ScratchError> {
        Ok(digest(client, earlier).await?)
    }

    /// What is held against the migration because of code, and what could not be tried.
    pub(super) async fn examine<'s>(
        &mut self,
        client: &Client,
        script: &'s Script,
    ) -> Result<(Vec<Draft<'s>>, Vec<String>), ScratchError> {
        let examined = self.examiner.examine(client).await?;
        let drafts = examined
            .broken
            .iter()
            .map(|broken| of_code(broken, script))
            .collect();
        Ok((drafts, self.unsaid(examined.notes)))
    }

    fn unsaid(&mut self, mut words: Vec<String>) -> Vec<String> {
        words.retain(|note| self.said.insert(note.clone()));
        words
    }
}

fn of_code<'s>(broken: &BrokenCode, script: &'s Script) -> Draft<'s> {
    let rule = match broken.what {
        Broken::Trigger { .. } => &BROKEN_TRIGGER,
        Broken::Function(_) => &BROKEN_FUNCTION,
    };
    Draft::new(rule, script, broken.to_string())
}

/// The rows before a migration, after it, and after its revert.
pub(super) struct Rows {
    pub before: Digests,
    pub after_up: Digests,
}

impl Rows {
    /// What is held against the revert because of rows.
    pub(super) fn drafts<'s>(&self, after_down: &Digests, revert: &'s Script) -> Vec<Draft<'s>> {
        let losses = losses(&self.before, &self.after_up, after_down);
        losses.iter().map(|loss| draft(loss, revert)).collect()
    }

    /// What is held against the revert because of rows that are written after the migration. The database is as the migration leaves
    /// it.
    pub(super) async fn later_drafts<'s>(
        &self,
        client: &Client,
        after_down: &Digests,
        revert: &'s Script,
    ) -> Result<Vec<Draft<'s>>, ScratchError> {
        // What is not one transaction cannot be tried and undone.
        if revert.directives.no_transaction {
            return Ok(Vec::new());
        }
        let (before, after_up) = (&self.before, &self.after_up);
        let losses = later_losses(client, before, after_up, after_down, &revert.text).await?;
        Ok(losses.iter().map(|loss| draft(loss, revert)).collect())
    }
}

fn draft<'s>(loss: &Loss, revert: &'s Script) -> Draft<'s> {
    Draft::new(rule_of(loss), revert, loss.to_string())
}

fn rule_of(loss: &Loss) -> &'static crate::rules::Rule {
    if loss.loses() {
        &LOSES_DATA
    } else {
        &LEAVES_ROWS
    }
}

/// A file that did not run on rows that were made up.
pub(super) enum RowsFailure {
    /// The migration.
    Up {
        /// What happened.
        failure: Box<Failure>,
        /// Whether it would on any rows.
        on_any_rows: bool,
    },
    /// Its revert.
    Down(Box<Failure>),
}

impl RowsFailure {
    /// Of a migration. `before` are the rows that it found.
    pub(super) fn of_migration(failure: Box<Failure>, before: &Digests, script: &Script) -> Self {
        Self::Up {
            on_any_rows: is_required_and_new(&failure, before)
                && !gives_values(&script.text, failure.line),
            failure,
        }
    }

    /// What is held against the file, given that it runs without rows.
    pub(super) fn draft<'s>(&self, script: &'s Script) -> Draft<'s> {
        match self {
            Self::Up {
                failure,
                on_any_rows: true,
            } => does_not_run(
                &NEEDS_EMPTY_TABLE,
                script,
                "where its tables have rows the migration",
                failure,
            ),
            Self::Up { failure, .. } => does_not_run(
                &FAILS_ON_ROWS,
                script,
                "on rows that were made up the migration",
                failure,
            ),
            Self::Down(failure) => does_not_run(
                &REVERT_FAILS,
                script,
                "where tables have rows the revert",
                failure,
            ),
        }
    }
}

/// Whether a value is missing in a column that was not there before: so it is on whatever rows.
/// PostgreSQL says: column "a" of relation "t" contains null values.
fn is_required_and_new(failure: &Failure, before: &Digests) -> bool {
    let mut names = failure.message.split('"').skip(1).step_by(2);
    match (failure.sqlstate.as_deref(), names.next(), names.next()) {
        (Some("23502"), Some(column), Some(table)) => !before.has_column(None, table, column),
        _ => false,
    }
}

/// Whether a file gives values to what it adds, by the place where it failed: then it depends on the rows whether one of them is NULL.
/// A `DEFAULT` or an expression gives them in the statement itself, an `UPDATE` or a block of code before it.
fn gives_values(text: &str, failed: Option<u32>) -> bool {
    let statements = sql::split(text).unwrap_or_default();
    let until = failed.unwrap_or(u32::MAX);
    let mut begun = statements
        .iter()
        .take_while(|statement| sql::position_at(text, statement.offset).line <= until);
    begun.any(|statement| {
        let mut words = statement
            .text
            .split(|character: char| !(character.is_alphanumeric() || character == '_'))
            .filter(|word| !word.is_empty())
            .map(str::to_ascii_uppercase)
            .peekable();
        let first = words.peek().cloned().unwrap_or_default();
        let changes = ["UPDATE", "MERGE", "WITH", "DO", "CALL", "SELECT"];
        changes.contains(&first.as_str())
            || first == "ALTER" && words.any(|word| word == "DEFAULT" || word == "GENERATED")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_without_values_fails_on_any_rows() {
        for (text, gives) in [
            ("ALTER TABLE t ADD c int NOT NULL", false),
            (
                "ALTER TABLE t ADD c int;\n\nALTER TABLE t ALTER c SET NOT NULL",
                false,
            ),
            (
                "ALTER TABLE t ADD c int GENERATED ALWAYS AS (a + b) STORED NOT NULL",
                true,
            ),
            ("ALTER TABLE t ADD c int DEFAULT f() NOT NULL", true),
            (
                "ALTER TABLE t ADD c int;\nUPDATE t SET c = b;\nALTER TABLE t ALTER c SET NOT NULL",
                true,
            ),
            (
                "ALTER TABLE t ADD c int NOT NULL;\n\n\nUPDATE t SET c = b",
                false,
            ),
        ] {
            assert_eq!(gives_values(text, Some(3)), gives, "{text}");
        }
    }
}
