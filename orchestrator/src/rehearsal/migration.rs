//! One migration: up, down, up.

use std::sync::Arc;
use std::time::Duration;

use catalog::Snapshot;
use shared::domain::{
    ColumnOrder, Direction, Failure, Finding, Migration, Rehearsed, Reversibility, Script, SeenLock,
};
use shared::planning;
use shared::runner::StepObserver;

use super::pending::Work;
use super::row_probe::{RowProbe, Rows, RowsFailure};
use super::rows::Digests;
use super::scratch_database::ScratchDatabase;
use super::trouble::does_not_run;
use super::verdict::Verdict;
use crate::lint::runnable;
use crate::rules::slugs::{
    LOSES_DATA, REVERT_FAILS, REVERT_LEAVES_EXTENSION, REVERT_LEAVES_SCHEMA, REVERT_MISSING,
    SECOND_UP_DIFFERS, SECOND_UP_FAILS, UP_FAILS,
};
use crate::rules::{Draft, Rule, Rulebook};
use crate::scratch::ScratchError;

/// How the rehearsal of the service goes on after a migration.
pub(super) enum Onward {
    /// In the same database, whose schema is this.
    Here(Box<Snapshot>),
    /// In a new database: this one is not as the migration leaves it.
    Anew,
    /// Once more, in a new database and without rows that are made up: on those it stumbled.
    WithoutRows(RowsFailure),
    /// Not at all: nothing can be built on a migration that does not run.
    Nowhere,
}

/// The rule for a schema that is another one, and that for an extension that is there in addition.
type Rules = [&'static Rule; 2];
const REVERTED: Rules = [&REVERT_LEAVES_SCHEMA, &REVERT_LEAVES_EXTENSION];
const AGAIN: Rules = [&SECOND_UP_DIFFERS, &SECOND_UP_DIFFERS];

/// The rehearsal of one migration.
pub(super) struct RehearsalStep<'a> {
    scratch_database: &'a ScratchDatabase<'a>,
    work: &'a Work,
    rulebook: &'a Rulebook,
    migration: &'a Migration,
    probe: &'a mut RowProbe,
    /// How it stumbled on rows that were made up: now there are none.
    stumbled: Option<RowsFailure>,
    rows: u64,
    findings: Vec<Finding>,
    locks: Vec<SeenLock>,
    /// Whether something is held against the revert.
    disproven: bool,
    column_order: Vec<ColumnOrder>,
    notes: Vec<String>,
    up: Duration,
    down: Option<Duration>,
    again: Option<Duration>,
}

impl<'a> RehearsalStep<'a> {
    pub(super) fn new(
        scratch_database: &'a ScratchDatabase<'a>,
        work: &'a Work,
        rulebook: &'a Rulebook,
        migration: &'a Migration,
        probe: &'a mut RowProbe,
        stumbled: Option<RowsFailure>,
    ) -> Self {
        Self {
            scratch_database,
            work,
            rulebook,
            migration,
            probe,
            stumbled,
            rows: 0,
            findings: Vec::new(),
            locks: Vec::new(),
            disproven: false,
            column_order: Vec::new(),
            notes: Vec::new(),
            up: Duration::ZERO,
            down: None,
            again: None,
        }
    }

    /// Plays it. `before` is the schema at its beginning.
    ///
    /// # Errors
    /// When the scratch database cannot be worked with. What the files are to blame for is a finding.
    pub(super) async fn play(
        mut self,
        before: &Snapshot,
    ) -> Result<(Rehearsed, Onward), ScratchError> {
        if !self.is_runnable(Direction::Up) {
            return Ok((self.rehearsed(Reversibility::Unknown), Onward::Nowhere));
        }
        let rows_before = self.rows_before().await?;
        let observer: Arc<dyn StepObserver> = self.scratch_database.locks();
        match self.take(Direction::Up, Some(&observer)).await? {
            Ok(took) => self.up = took,
            Err(failure) if self.may_do_without_rows() => {
                let stumble =
                    RowsFailure::of_migration(failure, &rows_before, &self.migration.script);
                return Ok((
                    self.rehearsed(Reversibility::Unknown),
                    Onward::WithoutRows(stumble),
                ));
            }
            Err(failure) => {
                self.hold_failure(Direction::Up, &UP_FAILS, "the migration", &failure);
                return Ok((self.rehearsed(Reversibility::Unknown), Onward::Nowhere));
            }
        }
        if let Some(stumble @ RowsFailure::Up { .. }) = &self.stumbled {
            let draft = stumble.draft(&self.migration.script);
            self.hold(draft);
        }
        let after_up = self.scratch_database.snapshot().await?;
        let client = self.scratch_database.client();
        let rows = Rows {
            after_up: self.probe.rows(client, Some(&rows_before)).await?,
            before: rows_before,
        };
        self.look_at_code().await?;
        self.look_at_locks();
        if let Some(reversibility) = self.one_way() {
            return Ok((self.rehearsed(reversibility), Onward::Here(after_up.into())));
        }
        if !self.is_runnable(Direction::Down) {
            let rehearsed = self.rehearsed(Reversibility::Disproven);
            return Ok((rehearsed, Onward::Here(after_up.into())));
        }
        match self.take(Direction::Down, None).await? {
            Ok(took) => self.down = Some(took),
            Err(failure) if self.may_do_without_rows() => {
                return Ok((
                    self.rehearsed(Reversibility::Disproven),
                    Onward::WithoutRows(RowsFailure::Down(failure)),
                ));
            }
            Err(failure) => {
                self.hold_failure(Direction::Down, &REVERT_FAILS, "the revert", &failure);
                let after = self.scratch_database.snapshot().await?;
                // What was rolled back is as before; of a no-transaction file a part may be done, and recorded.
                let is_rolled_back = !self.revert().directives.no_transaction && after == after_up;
                let onward = if is_rolled_back {
                    Onward::Here(after.into())
                } else {
                    Onward::Anew
                };
                return Ok((self.rehearsed(Reversibility::Disproven), onward));
            }
        }
        if let Some(stumble @ RowsFailure::Down(_)) = &self.stumbled {
            let draft = stumble.draft(self.revert());
            self.disproven |= self.hold(draft);
        }
        let after_down = self.scratch_database.snapshot().await?;
        let reverted = Verdict::of_revert(before, &after_up, &after_down);
        self.column_order = reverted.column_order();
        self.judge(&reverted, REVERTED, Direction::Down);
        let after_down = self.judge_rows(&rows).await?;
        let onward = self.play_again(&after_up).await?;
        if self.again.is_some() && !self.disproven {
            let (client, revert) = (self.scratch_database.client(), self.revert());
            for draft in rows.later_drafts(client, &after_down, revert).await? {
                self.disproven |= self.hold(draft);
            }
        }
        let reversibility = if self.disproven {
            Reversibility::Disproven
        } else {
            Reversibility::Proven
        };
        Ok((self.rehearsed(reversibility), onward))
    }

    /// The rows at the beginning, some in every table.
    async fn rows_before(&mut self) -> Result<Digests, ScratchError> {
        let client = self.scratch_database.client();
        if self.stumbled.is_none() {
            self.notes.extend(self.probe.fill(client).await?);
        }
        let rows = self.probe.rows(client, None).await?;
        self.rows = rows.rows();
        Ok(rows)
    }

    /// Whether what does not run may run where no rows were made up.
    fn may_do_without_rows(&self) -> bool {
        self.stumbled.is_none() && self.probe.made_rows()
    }

    async fn look_at_code(&mut self) -> Result<(), ScratchError> {
        let (client, script) = (self.scratch_database.client(), &self.migration.script);
        let (drafts, notes) = self.probe.examine(client, script).await?;
        for draft in drafts {
            self.hold(draft);
        }
        self.notes.extend(notes);
        Ok(())
    }

    /// What the first up locked: nothing that its revert could have to do with.
    fn look_at_locks(&mut self) {
        let script = &self.migration.script;
        let seen = self.scratch_database.locks().take(self.migration.version);
        self.locks = seen.locks(script);
        for draft in seen.drafts(script) {
            self.hold(draft);
        }
        self.notes.extend(seen.notes);
    }

    async fn judge_rows(&mut self, rows: &Rows) -> Result<Digests, ScratchError> {
        let client = self.scratch_database.client();
        let after_down = self.probe.rows(client, Some(&rows.before)).await?;
        for draft in rows.drafts(&after_down, self.revert()) {
            let loses = draft.rule == &LOSES_DATA;
            self.disproven |= self.hold(draft) && loses;
        }
        Ok(after_down)
    }

    /// The second up, which must make what the first did.
    async fn play_again(&mut self, after_up: &Snapshot) -> Result<Onward, ScratchError> {
        match self.take(Direction::Up, None).await? {
            Ok(took) => self.again = Some(took),
            Err(failure) => {
                let subject = "after its revert the migration";
                self.hold_failure(Direction::Up, &SECOND_UP_FAILS, subject, &failure);
                return Ok(Onward::Anew);
            }
        }
        let after_again = self.scratch_database.snapshot().await?;
        let verdict = Verdict::of_second_up(after_up, &after_again);
        self.judge(&verdict, AGAIN, Direction::Up);
        // In production it runs once: what comes next must find the columns in that order.
        Ok(if verdict.is_alike() {
            Onward::Here(after_again.into())
        } else {
            Onward::Anew
        })
    }

    /// Whether the engine runs the file for a direction; otherwise a finding against it gives the reason.
    fn is_runnable(&mut self, direction: Direction) -> bool {
        match runnable(&self.work.service, self.migration, direction) {
            Ok(_) => true,
            Err(draft) => {
                self.hold(draft);
                false
            }
        }
    }

    /// Why it is only run up, where that is so.
    fn one_way(&mut self) -> Option<Reversibility> {
        if let Some(reason) = &self.migration.script.directives.irreversible {
            return Some(Reversibility::Irreversible {
                reason: reason.clone(),
            });
        }
        if self.migration.revert.is_some() {
            return None;
        }
        let message = "there is no revert, and nothing says that the migration cannot be undone";
        let draft = Draft::new(&REVERT_MISSING, &self.migration.script, message);
        self.hold(draft);
        Some(Reversibility::NoRevert)
    }

    /// Takes the migration in one direction; or tells how its file does not run.
    async fn take(
        &mut self,
        direction: Direction,
        observer: Option<&Arc<dyn StepObserver>>,
    ) -> Result<Result<Duration, Box<Failure>>, ScratchError> {
        match self
            .scratch_database
            .take(self.migration, direction, observer)
            .await
        {
            Ok(took) => Ok(Ok(took)),
            Err(error) => match error.failure_of_file() {
                Some(failure) => Ok(Err(Box::new(failure.clone()))),
                None => Err(error),
            },
        }
    }

    /// Holds a failure against its file.
    fn hold_failure(
        &mut self,
        direction: Direction,
        rule: &'static Rule,
        subject: &str,
        failure: &Failure,
    ) {
        let script = planning::script(self.migration, direction);
        let draft = does_not_run(rule, script, subject, failure);
        self.disproven |= self.hold(draft);
    }

    fn revert(&self) -> &'a Script {
        planning::script(self.migration, Direction::Down)
    }

    fn judge(&mut self, verdict: &Verdict, [rule, extensions]: Rules, direction: Direction) {
        self.notes.extend(verdict.notes());
        let script = planning::script(self.migration, direction);
        for draft in verdict.drafts(rule, extensions, script) {
            self.disproven |= self.hold(draft);
        }
    }

    /// Holds something against the migration. Says no where that rule is off.
    fn hold(&mut self, draft: Draft<'_>) -> bool {
        let finding = self
            .rulebook
            .finding(&self.work.service, self.migration, draft);
        let holds = finding.is_some();
        self.findings.extend(finding);
        holds
    }

    fn rehearsed(self, reversibility: Reversibility) -> Rehearsed {
        Rehearsed {
            name: self.migration.name.clone(),
            reversibility,
            findings: self.findings,
            locks: self.locks,
            column_order: self.column_order,
            notes: self.notes,
            rows: self.rows,
            up_ms: millis(self.up),
            down_ms: self.down.map(millis),
            again_ms: self.again.map(millis),
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
