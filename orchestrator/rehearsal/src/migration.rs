//! Rehearses one migration: up, down, up.

use std::sync::Arc;
use std::time::Duration;

use catalog::Snapshot;
use domain::{ColumnOrder, Direction, Failure, Finding, Migration, Script};
use engine::runner::StepObserver;

use super::event::{Rehearsed, Reversibility, SeenLock};
use super::pending::Work;
use super::row_probe::{RowProbe, Rows, RowsFailure};
use super::scratch_database::ScratchDatabase;
use super::trouble::does_not_run;
use super::verdict::Verdict;
use lint::rules::slugs::{
    LOSES_DATA, REVERT_FAILS, REVERT_LEAVES_EXTENSION, REVERT_LEAVES_SCHEMA, REVERT_MISSING,
    SECOND_UP_DIFFERS, SECOND_UP_FAILS, UP_FAILS,
};
use lint::rules::{Draft, Rule, Rulebook};
use lint::{overlap, runnable};
use row_generator::Digests;
use scratch::ScratchError;

/// How the rehearsal of the service continues after a migration.
pub(super) enum Continuation {
    /// In the same database, which has this schema.
    SameDatabase(Box<Snapshot>),
    /// In a new database: this one is not in the state that the migration leaves.
    NewDatabase,
    /// With the same migration, in a new database without generated rows: it failed on those.
    WithoutRows(RowsFailure),
    /// Not at all: the migration does not run.
    Stop,
}

/// The rule for a different schema, and the rule for an additional extension.
type Rules = [&'static Rule; 2];
const REVERTED: Rules = [&REVERT_LEAVES_SCHEMA, &REVERT_LEAVES_EXTENSION];
const AGAIN: Rules = [&SECOND_UP_DIFFERS, &SECOND_UP_DIFFERS];

/// The rehearsal of one migration.
pub(super) struct RehearsalStep<'a> {
    scratch_database: &'a ScratchDatabase<'a>,
    work: &'a Work,
    rulebook: &'a Rulebook,
    /// The findings in the text of the service's files.
    predicted: &'a [Finding],
    migration: &'a Migration,
    probe: &'a mut RowProbe,
    /// The earlier failure on generated rows, if this run is without them.
    rows_failure: Option<RowsFailure>,
    rows: u64,
    findings: Vec<Finding>,
    locks: Vec<SeenLock>,
    /// Whether there is a finding against the revert.
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
        (rulebook, predicted): (&'a Rulebook, &'a [Finding]),
        migration: &'a Migration,
        probe: &'a mut RowProbe,
        rows_failure: Option<RowsFailure>,
    ) -> Self {
        Self {
            scratch_database,
            work,
            rulebook,
            predicted,
            migration,
            probe,
            rows_failure,
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

    /// Runs the rehearsal. `before` is the schema at its start.
    ///
    /// # Errors
    /// When the scratch database cannot be used. A fault of the files is a finding.
    pub(super) async fn run(
        mut self,
        before: &Snapshot,
    ) -> Result<(Rehearsed, Continuation), ScratchError> {
        if !self.is_runnable(Direction::Up) {
            return Ok((self.rehearsed(Reversibility::Unknown), Continuation::Stop));
        }
        let rows_before = self.rows_before().await?;
        let observer: Arc<dyn StepObserver> = self.scratch_database.locks();
        match self.take(Direction::Up, Some(&observer)).await? {
            Ok(took) => self.up = took,
            Err(failure) if self.may_run_without_rows() => {
                let rows_failure =
                    RowsFailure::of_migration(failure, &rows_before, &self.migration.script);
                return Ok((
                    self.rehearsed(Reversibility::Unknown),
                    Continuation::WithoutRows(rows_failure),
                ));
            }
            Err(failure) => {
                self.record_failure(Direction::Up, &UP_FAILS, "the migration", &failure);
                return Ok((self.rehearsed(Reversibility::Unknown), Continuation::Stop));
            }
        }
        if let Some(rows_failure @ RowsFailure::Up { .. }) = &self.rows_failure {
            let draft = rows_failure.draft(&self.migration.script);
            self.record(draft);
        }
        let (after_up, rows_after_up) = self.schema_and_rows(&rows_before).await?;
        let rows = Rows {
            after_up: rows_after_up,
            before: rows_before,
        };
        self.check_code().await?;
        self.check_locks();
        if let Some(reversibility) = self.one_way() {
            return Ok((
                self.rehearsed(reversibility),
                Continuation::SameDatabase(after_up.into()),
            ));
        }
        if !self.is_runnable(Direction::Down) {
            let rehearsed = self.rehearsed(Reversibility::Disproven);
            return Ok((rehearsed, Continuation::SameDatabase(after_up.into())));
        }
        match self.take(Direction::Down, None).await? {
            Ok(took) => self.down = Some(took),
            Err(failure) if self.may_run_without_rows() => {
                return Ok((
                    self.rehearsed(Reversibility::Disproven),
                    Continuation::WithoutRows(RowsFailure::Down(failure)),
                ));
            }
            Err(failure) => {
                self.record_failure(Direction::Down, &REVERT_FAILS, "the revert", &failure);
                let after = self.scratch_database.snapshot().await?;
                // A transaction was rolled back; a no-transaction file may be partly done, and recorded as such.
                let is_rolled_back = !self.revert().directives.no_transaction && after == after_up;
                let continuation = if is_rolled_back {
                    Continuation::SameDatabase(after.into())
                } else {
                    Continuation::NewDatabase
                };
                return Ok((self.rehearsed(Reversibility::Disproven), continuation));
            }
        }
        if let Some(rows_failure @ RowsFailure::Down(_)) = &self.rows_failure {
            let draft = rows_failure.draft(self.revert());
            self.disproven |= self.record(draft);
        }
        let (after_down, rows_after_down) = self.schema_and_rows(&rows.before).await?;
        let reverted = Verdict::of_revert(before, &after_up, &after_down);
        self.column_order = reverted.column_order();
        self.judge(&reverted, REVERTED, Direction::Down);
        self.judge_rows(&rows, &rows_after_down);
        let continuation = self.second_up(&after_up).await?;
        if self.again.is_some() && !self.disproven {
            let (client, revert) = (self.scratch_database.client(), self.revert());
            for draft in rows.later_drafts(client, &rows_after_down, revert).await? {
                self.disproven |= self.record(draft);
            }
        }
        let reversibility = if self.disproven {
            Reversibility::Disproven
        } else {
            Reversibility::Proven
        };
        Ok((self.rehearsed(reversibility), continuation))
    }

    /// The rows before the migration; fills empty tables first.
    async fn rows_before(&mut self) -> Result<Digests, ScratchError> {
        let client = self.scratch_database.client();
        if self.rows_failure.is_none() {
            self.notes.extend(self.probe.fill(client).await?);
        }
        let rows = self.probe.rows(client, None).await?;
        self.rows = rows.rows();
        Ok(rows)
    }

    /// Whether a file that fails may run without generated rows.
    fn may_run_without_rows(&self) -> bool {
        self.rows_failure.is_none() && self.probe.made_rows()
    }

    async fn check_code(&mut self) -> Result<(), ScratchError> {
        let (client, script) = (self.scratch_database.client(), &self.migration.script);
        let (drafts, notes) = self.probe.examine(client, script).await?;
        for draft in drafts {
            self.record(draft);
        }
        self.notes.extend(notes);
        Ok(())
    }

    /// Collects the locks of the first up. They do not affect the verdict on the revert.
    fn check_locks(&mut self) {
        let script = &self.migration.script;
        let seen = self.scratch_database.locks().take(self.migration.version);
        self.locks = seen.locks(script);
        for draft in seen.drafts(script) {
            self.record(draft);
        }
        self.notes.extend(seen.notes);
    }

    /// The current schema and the current rows, read at the same time; `earlier` are the rows to compare with.
    async fn schema_and_rows(
        &self,
        earlier: &Digests,
    ) -> Result<(Snapshot, Digests), ScratchError> {
        let client = self.scratch_database.client();
        tokio::try_join!(
            self.scratch_database.snapshot(),
            self.probe.rows(client, Some(earlier)),
        )
    }

    fn judge_rows(&mut self, rows: &Rows, after_down: &Digests) {
        for draft in rows.drafts(after_down, self.revert()) {
            let loses = draft.rule == &LOSES_DATA;
            self.disproven |= self.record(draft) && loses;
        }
    }

    /// Runs the migration a second time, which must produce the same schema as the first time.
    async fn second_up(&mut self, after_up: &Snapshot) -> Result<Continuation, ScratchError> {
        match self.take(Direction::Up, None).await? {
            Ok(took) => self.again = Some(took),
            Err(failure) => {
                let subject = "after its revert, the migration";
                self.record_failure(Direction::Up, &SECOND_UP_FAILS, subject, &failure);
                return Ok(Continuation::NewDatabase);
            }
        }
        let after_again = self.scratch_database.snapshot().await?;
        let verdict = Verdict::of_second_up(after_up, &after_again);
        self.judge(&verdict, AGAIN, Direction::Up);
        // In production it runs once, so the next migration must find the columns in that order.
        Ok(if verdict.is_identical() {
            Continuation::SameDatabase(after_again.into())
        } else {
            Continuation::NewDatabase
        })
    }

    /// Whether the engine runs the file for a direction; otherwise records a finding with the reason.
    fn is_runnable(&mut self, direction: Direction) -> bool {
        match runnable(self.migration, direction) {
            Ok(_) => true,
            Err(draft) => {
                self.record(draft);
                false
            }
        }
    }

    /// Why the migration is only run up, if it is.
    fn one_way(&mut self) -> Option<Reversibility> {
        if let Some(reason) = &self.migration.script.directives.irreversible {
            return Some(Reversibility::Irreversible {
                reason: reason.clone(),
            });
        }
        if self.migration.revert.is_some() {
            return None;
        }
        let message = "there is no revert, and the migration is not marked as irreversible";
        let draft = Draft::new(&REVERT_MISSING, &self.migration.script, message);
        self.record(draft);
        Some(Reversibility::NoRevert)
    }

    /// Runs the migration in one direction; returns the failure if its file does not run.
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

    /// Records a finding for a failed file.
    fn record_failure(
        &mut self,
        direction: Direction,
        rule: &'static Rule,
        subject: &str,
        failure: &Failure,
    ) {
        let script = self.migration.script(direction);
        let draft = does_not_run(rule, script, subject, failure);
        self.disproven |= self.record(draft);
    }

    fn revert(&self) -> &'a Script {
        self.migration.script(Direction::Down)
    }

    fn judge(&mut self, verdict: &Verdict, [rule, extensions]: Rules, direction: Direction) {
        self.notes.extend(verdict.notes());
        let script = self.migration.script(direction);
        for draft in verdict.drafts(rule, extensions, script) {
            self.disproven |= self.record(draft);
        }
    }

    /// Records a finding. Returns false if its rule is off.
    fn record(&mut self, draft: Draft<'_>) -> bool {
        let finding = self
            .rulebook
            .finding(&self.work.service, self.migration, draft);
        let is_recorded = finding.is_some();
        self.findings.extend(finding);
        is_recorded
    }

    fn rehearsed(mut self, reversibility: Reversibility) -> Rehearsed {
        for seen in &mut self.findings {
            overlap(self.predicted, seen);
        }
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
