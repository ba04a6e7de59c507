//! One migration: up, down, up.

use std::sync::Arc;
use std::time::Duration;

use catalog::Snapshot;
use shared::domain::{
    ColumnOrder, Direction, Finding, Migration, Rehearsed, Reversibility, Script,
};
use shared::planning;
use shared::runner::Witness;

use super::pending::Work;
use super::stage::Stage;
use super::trouble::does_not_run;
use super::verdict::Verdict;
use crate::rules::slugs::{
    REVERT_FAILS, REVERT_LEAVES_EXTENSION, REVERT_LEAVES_SCHEMA, REVERT_MISSING, SECOND_UP_DIFFERS,
    SECOND_UP_FAILS, UP_FAILS,
};
use crate::rules::{Draft, Rule, Rulebook};
use crate::scratch::ScratchError;

/// How the rehearsal of the service goes on after a migration.
pub(super) enum Onward {
    /// In the same database, whose schema is this.
    Here(Box<Snapshot>),
    /// In a new database: this one is not as the migration leaves it.
    Anew,
    /// Not at all: nothing can be built on a migration that does not run.
    Nowhere,
}

/// The rule for a schema that is another one, and that for an extension that is there in addition.
type Rules = [&'static Rule; 2];
const REVERTED: Rules = [&REVERT_LEAVES_SCHEMA, &REVERT_LEAVES_EXTENSION];
const AGAIN: Rules = [&SECOND_UP_DIFFERS, &SECOND_UP_DIFFERS];

/// The rehearsal of one migration.
pub(super) struct Scene<'a> {
    stage: &'a Stage<'a>,
    work: &'a Work,
    rulebook: &'a Rulebook,
    migration: &'a Migration,
    findings: Vec<Finding>,
    column_order: Vec<ColumnOrder>,
    notes: Vec<String>,
    up: Duration,
    down: Option<Duration>,
    again: Option<Duration>,
}

impl<'a> Scene<'a> {
    pub(super) fn new(
        stage: &'a Stage<'a>,
        work: &'a Work,
        rulebook: &'a Rulebook,
        migration: &'a Migration,
    ) -> Self {
        Self {
            stage,
            work,
            rulebook,
            migration,
            findings: Vec::new(),
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
        let witness: Option<Arc<dyn Witness>> = None;
        let up = self.take(Direction::Up, witness.as_ref(), &UP_FAILS, "the migration");
        let Some(took) = up.await? else {
            return Ok((self.rehearsed(Reversibility::Unknown), Onward::Nowhere));
        };
        self.up = took;
        let after_up = self.stage.snapshot().await?;
        if let Some(reversibility) = self.one_way() {
            return Ok((self.rehearsed(reversibility), Onward::Here(after_up.into())));
        }
        let down = self.take(Direction::Down, None, &REVERT_FAILS, "the revert");
        let Some(took) = down.await? else {
            let after = self.stage.snapshot().await?;
            // What was rolled back is as before; of a no-transaction file a part may be done, and recorded.
            let is_rolled_back = !self.revert().directives.no_transaction && after == after_up;
            let onward = if is_rolled_back {
                Onward::Here(after.into())
            } else {
                Onward::Anew
            };
            return Ok((self.rehearsed(Reversibility::Disproven), onward));
        };
        self.down = Some(took);
        let after_down = self.stage.snapshot().await?;
        let reverted = Verdict::of_revert(before, &after_up, &after_down);
        self.column_order = reverted.column_order();
        self.judge(&reverted, REVERTED, Direction::Down);
        let onward = self.play_again(&after_up).await?;
        let reversibility = if self.findings.is_empty() {
            Reversibility::Proven
        } else {
            Reversibility::Disproven
        };
        Ok((self.rehearsed(reversibility), onward))
    }

    /// The second up, which must make what the first did.
    async fn play_again(&mut self, after_up: &Snapshot) -> Result<Onward, ScratchError> {
        let subject = "after its revert the migration";
        let again = self.take(Direction::Up, None, &SECOND_UP_FAILS, subject);
        let Some(took) = again.await? else {
            return Ok(Onward::Anew);
        };
        self.again = Some(took);
        let after_again = self.stage.snapshot().await?;
        let verdict = Verdict::of_second_up(after_up, &after_again);
        self.judge(&verdict, AGAIN, Direction::Up);
        // In production it runs once: what comes next must find the columns in that order.
        Ok(if verdict.is_alike() {
            Onward::Here(after_again.into())
        } else {
            Onward::Anew
        })
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

    /// Takes the migration in one direction; `None` when its file does not run, which is a finding.
    async fn take(
        &mut self,
        direction: Direction,
        witness: Option<&Arc<dyn Witness>>,
        rule: &'static Rule,
        subject: &str,
    ) -> Result<Option<Duration>, ScratchError> {
        match self.stage.take(self.migration, direction, witness).await {
            Ok(took) => Ok(Some(took)),
            Err(error) => {
                let Some(failure) = error.failure_of_file() else {
                    return Err(error);
                };
                let script = planning::script(self.migration, direction);
                self.hold(does_not_run(rule, script, subject, failure));
                Ok(None)
            }
        }
    }

    fn revert(&self) -> &'a Script {
        planning::script(self.migration, Direction::Down)
    }

    fn judge(&mut self, verdict: &Verdict, [rule, extensions]: Rules, direction: Direction) {
        self.notes.extend(verdict.notes());
        let script = planning::script(self.migration, direction);
        for draft in verdict.drafts(rule, extensions, script) {
            self.hold(draft);
        }
    }

    fn hold(&mut self, draft: Draft<'_>) {
        let finding = self
            .rulebook
            .finding(&self.work.service, self.migration, draft);
        self.findings.extend(finding);
    }

    fn rehearsed(self, reversibility: Reversibility) -> Rehearsed {
        Rehearsed {
            name: self.migration.name.clone(),
            reversibility,
            findings: self.findings,
            locks: Vec::new(),
            column_order: self.column_order,
            notes: self.notes,
            rows: 0,
            up_ms: millis(self.up),
            down_ms: self.down.map(millis),
            again_ms: self.again.map(millis),
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
