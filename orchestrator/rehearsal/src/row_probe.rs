//! Checks rows and code on a scratch database, from one migration to the next.
//!
//! Fills tables with rows, remembers the state of rows and code, and turns differences into findings. Runs no
//! migrations.

use std::collections::BTreeSet;

use domain::{Diagnostic, Failure, Script};
use pg_session::Client;
use tokio_postgres::error::SqlState;

use super::code::{Broken, BrokenCode, Examiner};
use super::trouble::does_not_run;
use lint::rules::Draft;
use lint::rules::slugs::{
    BROKEN_FUNCTION, BROKEN_TRIGGER, FAILS_ON_ROWS, LEAVES_ROWS, LOSES_DATA, NEEDS_EMPTY_TABLE,
    REVERT_FAILS,
};
use row_generator::{Digests, Filler, Loss, RowsError, digest, later_losses, losses};
use scratch::ScratchError;

/// Checks rows and code on a scratch database.
pub(super) struct RowProbe {
    filler: Filler,
    examiner: Examiner,
    /// Notes that were already reported.
    reported: BTreeSet<String>,
    /// Whether rows were generated in this database.
    made_rows: bool,
}

fn unreadable(error: RowsError) -> ScratchError {
    Diagnostic::from(error)
        .within("cannot inspect the scratch database")
        .into()
}

impl RowProbe {
    /// Starts on a scratch database. Code that is already broken is not held against later migrations.
    pub(super) async fn start(client: &Client) -> Result<Self, ScratchError> {
        let mut examiner = Examiner::default();
        examiner.examine(client).await.map_err(unreadable)?;
        Ok(Self {
            filler: Filler::default(),
            examiner,
            reported: BTreeSet::new(),
            made_rows: false,
        })
    }

    /// Whether rows were generated in this database: then a file that fails may run without them.
    pub(super) fn made_rows(&self) -> bool {
        self.made_rows
    }

    /// Fills empty tables. Returns new notes on tables that cannot be filled.
    pub(super) async fn fill(&mut self, client: &Client) -> Result<Vec<String>, ScratchError> {
        let filled = self.filler.fill(client).await.map_err(unreadable)?;
        self.made_rows |= filled.rows > 0;
        let notes = filled.unfilled.into_iter().map(|unfilled| {
            format!(
                "cannot generate rows for {}: {}",
                unfilled.table, unfilled.why
            )
        });
        Ok(self.new_notes(notes.collect()))
    }

    /// The current rows; `earlier` is the digest with which they will be compared.
    pub(super) async fn rows(
        &self,
        client: &Client,
        earlier: Option<&Digests>,
    ) -> Result<Digests, ScratchError> {
        digest(client, earlier).await.map_err(unreadable)
    }

    /// The findings about code, and notes on what could not be tested.
    pub(super) async fn examine<'s>(
        &mut self,
        client: &Client,
        script: &'s Script,
    ) -> Result<(Vec<Draft<'s>>, Vec<String>), ScratchError> {
        let examined = self.examiner.examine(client).await.map_err(unreadable)?;
        let drafts = examined
            .broken
            .iter()
            .map(|broken| of_code(broken, script))
            .collect();
        Ok((drafts, self.new_notes(examined.notes)))
    }

    fn new_notes(&mut self, mut notes: Vec<String>) -> Vec<String> {
        notes.retain(|note| self.reported.insert(note.clone()));
        notes
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
    /// The findings against the revert about rows.
    pub(super) fn drafts<'s>(&self, after_down: &Digests, revert: &'s Script) -> Vec<Draft<'s>> {
        let losses = losses(&self.before, &self.after_up, after_down);
        losses.iter().map(|loss| draft(loss, revert)).collect()
    }

    /// The findings against the revert about rows written after the migration. The database must be as the migration leaves
    /// it.
    pub(super) async fn later_drafts<'s>(
        &self,
        client: &Client,
        after_down: &Digests,
        revert: &'s Script,
    ) -> Result<Vec<Draft<'s>>, ScratchError> {
        // A no-transaction revert cannot be rolled back.
        if revert.directives.no_transaction {
            return Ok(Vec::new());
        }
        let (before, after_up) = (&self.before, &self.after_up);
        let losses = later_losses(client, before, after_up, after_down, &revert.text)
            .await
            .map_err(unreadable)?;
        Ok(losses.iter().map(|loss| draft(loss, revert)).collect())
    }
}

fn draft<'s>(loss: &Loss, revert: &'s Script) -> Draft<'s> {
    Draft::new(rule_of(loss), revert, loss.to_string())
}

fn rule_of(loss: &Loss) -> &'static lint::rules::Rule {
    if loss.loses() {
        &LOSES_DATA
    } else {
        &LEAVES_ROWS
    }
}

/// A failure of a file on generated rows.
pub(super) enum RowsFailure {
    /// The migration.
    Up {
        /// The failed step.
        failure: Box<Failure>,
        /// Whether it would fail on any rows.
        on_any_rows: bool,
    },
    /// Its revert.
    Down(Box<Failure>),
}

impl RowsFailure {
    /// The failure of a migration. `before` are the rows before it.
    pub(super) fn of_migration(failure: Box<Failure>, before: &Digests, script: &Script) -> Self {
        Self::Up {
            on_any_rows: is_required_and_new(&failure, before)
                && !gives_values(&script.text, failure.line),
            failure,
        }
    }

    /// The finding against the file, given that it runs without rows.
    pub(super) fn draft<'s>(&self, script: &'s Script) -> Draft<'s> {
        match self {
            Self::Up {
                failure,
                on_any_rows: true,
            } => does_not_run(
                &NEEDS_EMPTY_TABLE,
                script,
                "on tables with rows, the migration",
                failure,
            ),
            Self::Up { failure, .. } => does_not_run(
                &FAILS_ON_ROWS,
                script,
                "on generated rows, the migration",
                failure,
            ),
            Self::Down(failure) => does_not_run(
                &REVERT_FAILS,
                script,
                "on tables with rows, the revert",
                failure,
            ),
        }
    }
}

/// Whether a new column lacks a required value, which fails on any rows.
fn is_required_and_new(failure: &Failure, before: &Digests) -> bool {
    let object = failure.object.as_deref();
    let names = object.and_then(|it| Some((it.table.as_ref()?, it.column.as_ref()?)));
    let is_null = failure.sqlstate.as_deref() == Some(SqlState::NOT_NULL_VIOLATION.code());
    names.filter(|_| is_null).is_some_and(|(table, column)| {
        let schema = object.and_then(|it| it.schema.as_deref());
        !before.has_column(schema, table, column)
    })
}

/// Whether a file sets values in what it adds before the line where it failed: then whether one is NULL depends on the rows.
/// A `DEFAULT` or an expression sets them in the statement itself, an `UPDATE` or a code block before it.
fn gives_values(text: &str, failed: Option<u32>) -> bool {
    let statements = pg_sql::split(text).unwrap_or_default();
    let until = failed.unwrap_or(u32::MAX);
    let mut begun = statements
        .iter()
        .take_while(|statement| pg_sql::position_at(text, statement.offset).line <= until);
    begun.any(|statement| {
        let mut notes = statement
            .text
            .split(|character: char| !(character.is_alphanumeric() || character == '_'))
            .filter(|word| !word.is_empty())
            .map(str::to_ascii_uppercase)
            .peekable();
        let first = notes.peek().cloned().unwrap_or_default();
        let changes = ["UPDATE", "MERGE", "WITH", "DO", "CALL", "SELECT"];
        changes.contains(&first.as_str())
            || first == "ALTER" && notes.any(|word| word == "DEFAULT" || word == "GENERATED")
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
