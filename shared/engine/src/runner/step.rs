//! One step: starts it, retries where that can help, records and reports the outcome.

use std::time::{Duration, Instant};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::watch;

use super::fault::{self, FailureBuilder, Fault, Remains};
use super::observer::{ObservedStep, StepObserver};
use super::outcome_check::{self, Outcome, OutcomeCheck};
use super::remedy::remedy;
use super::resumption::FileSession;
use super::watch::Watch;
use super::{leftovers, statements, transactional, units};
use domain::{
    Blocker, Direction, EventKind, ExitStatus, Failure, Migration, Script, Service, commented,
    millis, suggest, with_causes,
};
use pg_session::{
    Backoff, Client, Connections, GateHold, Left, LockedSession, Session, SessionSettings,
};
use settings::EngineSettings;
use store::{Attempt, AttemptOutcome, Progress, RunIdentity, Written, record_failed};

/// The pauses between the attempts of a step.
pub(super) fn retry_backoff() -> Backoff {
    Backoff::new(Duration::from_millis(100), Duration::from_secs(5))
}

/// Everything that a step needs besides the session.
pub struct StepContext<'a> {
    /// The ID of the run.
    pub run: &'a RunIdentity,
    pub service: &'a Service,
    pub migration: &'a Migration,
    /// Apply or undo.
    pub direction: Direction,
    /// Its position among the service's steps in this run, from 1.
    pub step: usize,
    pub history_table: &'a str,
    /// Time limits and retries.
    pub engine: &'a EngineSettings,
    /// Opens further connections, to query what blocks the step.
    pub connections: &'a Connections,
    /// The statements that an earlier, interrupted attempt has completed.
    pub resumed_after: Option<usize>,
    /// Whether an earlier attempt, in either direction, left progress rows.
    pub has_progress: bool,
    /// How often the user asked to stop.
    pub cancelled: watch::Receiver<u32>,
    /// Receives the events.
    pub report: &'a (dyn Fn(EventKind) + Send + Sync),
    /// The command that continues after a failure.
    pub rerun_command: &'a str,
    /// The reason, if a compensation reverts it.
    pub because: Option<&'a str>,
    /// Whether it is part of an atomic release.
    pub in_release: bool,
    /// The gates on its requirements; they must hold until it is committed.
    pub gates: &'a [GateHold],
    /// The observer, in a rehearsal.
    pub observer: Option<&'a dyn StepObserver>,
}

/// The outcome of a step that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepDone {
    /// Done and committed.
    Done,
    /// Done and committed, but the next step needs a new session: the connection was lost afterwards, or the file changed the
    /// initial settings of new sessions.
    SessionSpent,
}

impl StepContext<'_> {
    pub(super) fn script(&self) -> &Script {
        self.migration.script(self.direction)
    }

    pub(super) fn observed<'s>(&'s self, session: &'s Session) -> ObservedStep<'s> {
        ObservedStep {
            migration: self.migration,
            direction: self.direction,
            session,
        }
    }

    pub(super) fn report(&self, kind: EventKind) {
        (self.report)(kind);
    }

    pub(super) fn is_cancelled(&self) -> bool {
        *self.cancelled.borrow() > 0
    }

    /// Whether the user asked twice to stop: the current statement is cancelled, and no further one starts.
    pub(super) fn is_cancelled_now(&self) -> bool {
        *self.cancelled.borrow() > 1
    }

    pub(super) fn report_notices(&self, session: &mut Session) {
        for notice in session.take_notices() {
            self.report(EventKind::ServerNotice {
                severity: notice.severity().to_owned(),
                message: notice.message().to_owned(),
            });
        }
    }

    pub(super) fn clears_progress(&self) -> bool {
        self.has_progress || self.script().directives.no_transaction
    }

    pub(super) fn applied_on(&self) -> String {
        OffsetDateTime::now_utc()
            .format(&Rfc3339)
            .unwrap_or_default()
    }

    pub(super) fn progress(&self, statements: usize) -> Progress<'_> {
        Progress {
            run_id: self.run.run_id,
            service: &self.service.name,
            version: self.migration.version,
            direction: self.direction,
            checksum: self.migration.checksum,
            statements,
        }
    }

    /// Refuses to commit if a gate was lost: another run may have reverted a required migration since.
    pub(super) async fn check_gates(&self) -> Result<(), Fault> {
        for gate in self.gates {
            if !gate.is_held().await {
                return Err(Fault::Halted {
                    message: format!(
                        "lost the connection to {}, which held the gate that keeps the requirements of the file from being reverted",
                        gate.session().address()
                    ),
                    next: self.rerun_command.to_owned(),
                    exit_code: ExitStatus::Unavailable,
                    offset: None,
                    progress: None,
                });
            }
        }
        Ok(())
    }

    /// Checks the rows written to history and journal: if the history differs from what was read under the lock, the file is not the cause.
    pub(super) fn check_written(
        &self,
        written: Result<Written, tokio_postgres::Error>,
    ) -> Result<Left, Fault> {
        let changed = |what: &str| {
            let message = format!(
                "something else changed the history while the migration ran: {what}; the migration is rolled back"
            );
            let doctor = suggest(["doctor", self.service.name.as_str()]);
            Fault::refused(message, commented(doctor, "shows the current state"))
        };
        match written.map_err(Fault::of) {
            Ok(written) if !written.same_process || !written.holds_lock => {
                Err(Fault::LockGone { progress: None })
            }
            // A half-done migration has no history row that its revert could remove.
            Ok(written) if !written.in_history && !self.has_progress => {
                Err(changed("its row is missing"))
            }
            Ok(written) => Ok(written.left),
            Err(Fault::Server { error, .. }) if error.is_of_a_changed_history() => {
                Err(changed(&error.message))
            }
            Err(fault) => Err(fault),
        }
    }

    /// What the file has left: whether any of it is recorded, and what is half-done.
    pub(super) async fn left_behind(
        &self,
        client: &Client,
    ) -> Result<(bool, Vec<String>), tokio_postgres::Error> {
        leftovers::left_behind(
            client,
            &self.service.name,
            self.migration.version,
            self.direction,
        )
        .await
    }

    pub(super) fn settings(&self) -> SessionSettings {
        let directives = &self.script().directives;
        SessionSettings {
            lock_timeout: directives.lock_timeout.unwrap_or(self.engine.lock_timeout),
            statement_timeout: directives
                .statement_timeout
                .unwrap_or(self.engine.statement_timeout),
        }
    }

    pub(super) fn done(
        &self,
        started: Instant,
        attempts: u32,
        statements: Option<(usize, usize)>,
    ) -> Attempt<'_> {
        Attempt {
            run: self.run,
            service: &self.service.name,
            version: self.migration.version,
            name: &self.migration.name,
            direction: self.direction,
            checksum: self.migration.checksum,
            outcome: AttemptOutcome::of(self.direction),
            duration: started.elapsed(),
            attempts,
            statements,
            sqlstate: None,
            message: self.because,
        }
    }
}

/// Runs one step in a session that holds the lock. Reports its start and its end. An error is for the verdict.
pub async fn execute(
    locked: &mut LockedSession,
    context: &StepContext<'_>,
) -> Result<StepDone, Box<Failure>> {
    let started = Instant::now();
    context.report(EventKind::MigrationStarted {
        name: context.migration.name.clone(),
        direction: context.direction,
        step: context.step,
        statements: count_statements(context),
        resumed_after: context.resumed_after,
    });
    let watch = Watch::new(context, locked.session(), context.settings().lock_timeout);
    let (fault, attempts) = match try_until_done(locked, context, &watch, started).await {
        Ok(()) => {
            report_success(context, started);
            let clean = locked.release_others().await;
            return Ok(
                if !clean.is_ok_and(|clean| clean) || needs_new_session(context.script()) {
                    StepDone::SessionSpent
                } else {
                    StepDone::Done
                },
            );
        }
        Err(failed) => failed,
    };
    fail(locked, context, started, &fault, attempts, watch.blockers()).await
}

/// Ends a step that did not succeed: determines its outcome, records it and reports it. After a lost connection, the step may turn
/// out to be done.
pub(super) async fn fail(
    locked: &mut LockedSession,
    context: &StepContext<'_>,
    started: Instant,
    fault: &Fault,
    attempts: u32,
    blockers: Vec<Blocker>,
) -> Result<StepDone, Box<Failure>> {
    let mut outcome_check = None;
    if let Fault::Lost { source, .. } = fault {
        context.report(EventKind::ConnectionLost {
            message: fault::loss(source),
        });
        locked.session_mut().release_permit();
        let found = outcome_check::determine(locked.session(), context, fault).await;
        if matches!(found.outcome, Outcome::Done) {
            report_success(context, started);
            return Ok(StepDone::SessionSpent);
        }
        outcome_check = Some(found);
    }
    let remains = if context.script().directives.no_transaction {
        Some(what_remains(locked, context, outcome_check.as_ref()).await)
    } else {
        None
    };
    let mut failure = FailureBuilder {
        script: context.script(),
        name: &context.migration.name,
        direction: context.direction,
        duration_ms: millis(started.elapsed()),
        attempts,
        cancelled: context.is_cancelled(),
        rerun_command: context.rerun_command.to_owned(),
        outcome: outcome_check.as_ref().map(|found| &found.outcome),
        remains,
        in_release: context.in_release,
        ended_itself: outcome_check
            .as_ref()
            .is_some_and(|found| found.ended_itself),
        may_time_out: !context.settings().statement_timeout.is_zero()
            || pg_sql::mentions(&context.script().text, "statement_timeout"),
    }
    .failure(fault);
    if fault.is_retryable() && failure.exit_code == ExitStatus::Unavailable {
        failure.blockers = blockers;
        failure.next = commented(
            context.rerun_command,
            format!("first {}", remedy(&failure.blockers)),
        );
    }
    let attempt = Attempt {
        outcome: if failure.exit_code == ExitStatus::Cancelled {
            AttemptOutcome::Cancelled
        } else {
            AttemptOutcome::Failed
        },
        sqlstate: failure.sqlstate.as_deref(),
        message: Some(&failure.message),
        ..context.done(started, attempts, fault.progress())
    };
    let written = match &outcome_check {
        Some(found) => found.write_failed(&attempt).await,
        None => record_failed(locked.session(), &attempt)
            .await
            .map_err(|error| with_causes(&error)),
    };
    if let Err(error) = written {
        tracing::warn!(service = %context.service.name, %error, "cannot record the failed attempt in the journal");
    }
    let failure = Box::new(failure);
    context.report(EventKind::MigrationFailed(failure.clone()));
    Err(failure)
}

/// Whether the next file needs a new session. A file may change the initial settings of sessions (`ALTER DATABASE … SET`, `ALTER ROLE …
/// SET`), but `RESET ALL` restores the initial settings of *this* session. And once a custom setting (`app.tenant`) was set in a session,
/// it reads as an empty string there, not as unset.
fn needs_new_session(script: &Script) -> bool {
    let text = script.text.to_ascii_lowercase();
    let changes = ["alter database", "alter role", "alter user", "set_config"];
    if changes.iter().any(|words| text.contains(words)) {
        return true;
    }
    sets_own_setting(&text)
}

/// Whether `SET` is followed by a name with a dot.
fn sets_own_setting(text: &str) -> bool {
    let mut words = text
        .split(|character: char| character.is_whitespace() || matches!(character, ';' | '='))
        .filter(|word| !word.is_empty());
    while let Some(word) = words.next() {
        if word != "set" {
            continue;
        }
        let name = match words.next() {
            Some("local" | "session") => words.next(),
            name => name,
        };
        if name.is_some_and(|name| name.contains('.')) {
            return true;
        }
    }
    false
}

async fn try_until_done(
    locked: &mut LockedSession,
    context: &StepContext<'_>,
    watch: &Watch<'_>,
    started: Instant,
) -> Result<(), (Fault, u32)> {
    let most = context.engine.lock_retries.saturating_add(1);
    let mut backoff = retry_backoff();
    let mut attempt = 1;
    let mut session = None;
    loop {
        let tried = {
            let step = try_once(locked, context, watch, &mut session, started, attempt);
            watch.over(step).await
        };
        context.report_notices(locked.session_mut());
        let Err(fault) = tried else { return Ok(()) };
        // Only the record of the file failed, and all of it is rolled back.
        if locked.session().were_statements_deallocated() && !context.is_cancelled() {
            continue;
        }
        if !fault.is_retryable() || attempt >= most || context.is_cancelled() {
            return Err((fault, attempt));
        }
        if !step_back(
            context,
            &fault,
            (attempt, most),
            watch.blockers(),
            &mut backoff,
        )
        .await
        {
            return Err((fault, attempt));
        }
        attempt += 1;
    }
}

/// Waits before the next attempt, longer each time; `false` if the user cancels meanwhile.
pub(super) async fn step_back(
    context: &StepContext<'_>,
    fault: &Fault,
    (attempt, most): (u32, u32),
    blockers: Vec<Blocker>,
    backoff: &mut Backoff,
) -> bool {
    let pause = backoff.next_pause();
    if let Fault::Server { error, .. } = fault {
        context.report(EventKind::MigrationRetrying {
            attempt,
            attempts: most,
            pause_ms: millis(pause),
            sqlstate: error.sqlstate.clone(),
            message: error.message.clone(),
            blockers,
        });
    }
    let mut cancelled = context.cancelled.clone();
    tokio::select! {
        // A cancellation ends the pause at once: no further attempt starts after it.
        () = tokio::time::sleep(pause) => {}
        Ok(_) = cancelled.wait_for(|times| *times > 0) => return false,
    }
    true
}

async fn try_once(
    locked: &mut LockedSession,
    context: &StepContext<'_>,
    watch: &Watch<'_>,
    session: &mut Option<FileSession>,
    started: Instant,
    attempt: u32,
) -> Result<(), Fault> {
    let settings = context.settings();
    let up = &context.migration.script;
    let cleans_up = context.direction == Direction::Down
        && context.has_progress
        && up.directives.no_transaction;
    if !context.script().directives.no_transaction && !cleans_up {
        let attempt = || context.done(started, attempt, None);
        return transactional::attempt(locked, context, attempt).await;
    }
    // What failed in a no-transaction file was rolled back, so the session state is the one after the last completed statement.
    let prepared = match session {
        None => locked.session_mut().prepare(&settings).await,
        Some(_) => locked.session_mut().prepare_again(&settings).await,
    };
    prepared.map_err(Fault::of)?;
    if cleans_up {
        statements::clean_up(locked, context, watch, up).await?;
    }
    if context.script().directives.no_transaction {
        statements::attempt(locked, context, watch, session, |done, total| {
            context.done(started, attempt, Some((done, total)))
        })
        .await
    } else {
        transactional::attempt(locked, context, || context.done(started, attempt, None)).await
    }
}

/// What a failed no-transaction file has left behind: completed statements and half-done ones.
async fn what_remains(
    locked: &LockedSession,
    context: &StepContext<'_>,
    outcome_check: Option<&OutcomeCheck>,
) -> Remains {
    let read = match outcome_check {
        Some(found) => found.left_behind(context).await,
        None => context.left_behind(locked.session().client()).await.ok(),
    };
    // If it cannot be looked up, assume the worst.
    let (recorded, left) = read.unwrap_or((true, Vec::new()));
    Remains { recorded, left }
}

fn count_statements(context: &StepContext<'_>) -> Option<usize> {
    if !context.script().directives.no_transaction {
        return None;
    }
    units::units(context.script()).ok().map(|units| units.len())
}

fn report_success(context: &StepContext<'_>, started: Instant) {
    let name = context.migration.name.clone();
    let duration_ms = millis(started.elapsed());
    context.report(match context.direction {
        Direction::Up => EventKind::MigrationApplied { name, duration_ms },
        Direction::Down => EventKind::MigrationReverted { name, duration_ms },
    });
}

#[cfg(test)]
mod tests {
    use super::sets_own_setting;

    #[test]
    fn a_custom_setting_has_a_dot() {
        for text in [
            "set app.tenant = 'a';",
            "begin; set local app.tenant to 'a'",
            "create table t (id int);set\nsession app.x='1'",
        ] {
            assert!(sets_own_setting(text), "{text}");
        }
        for text in [
            "set search_path = a",
            "set local role x",
            "update t set a = b.c",
            "",
        ] {
            assert!(!sets_own_setting(text), "{text}");
        }
    }
}
