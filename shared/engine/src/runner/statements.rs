//! A no-transaction file: unit by unit, each recorded, resumable.

use std::time::Instant;

use tokio_postgres::error::SqlState;

use super::fault::Fault;
use super::leftovers::{Before, CatalogCheck, Finding, remains};
use super::observer::{Moment, observe, run_outside_before, run_statement_before};
use super::reading::{CheckTime, check_reading};
use super::resumption::FileSession;
use super::rows_only::RowsOnly;
use super::script::run_statement;
use super::step::StepContext;
use super::units::{Block, BlockEnd, Form, Unit, units};
use super::watch::Watch;
use domain::{Direction, EventKind, Phase, Script, millis, with_causes};
use pg_session::{LockedSession, OWN_BEGIN};
use pg_sql::{Statement, StatementKind};
use store::{
    Attempt, LockCheck, Progress, ProgressState, clear_intent, read_progress, read_session,
    record_done, record_intent, record_statement,
};

/// One attempt at the rest of the file. `session` is the state known from an earlier attempt in the same session: `None` in a fresh one.
pub(super) async fn attempt<'a>(
    locked: &mut LockedSession,
    context: &StepContext<'_>,
    watch: &Watch<'_>,
    session: &mut Option<FileSession>,
    attempt: impl Fn(usize, usize) -> Attempt<'a>,
) -> Result<(), Fault> {
    let units = units(context.script()).map_err(Fault::Script)?;
    let progress = context.progress(units.len());
    let known = recorded(locked, &progress).await?;
    let note = read_session(locked.session().client(), &progress)
        .await
        .map_err(Fault::of)?;
    locked.session().enter_file().await.map_err(Fault::of)?;
    let ran = async {
        let file_session = enter(locked, context, session, &units, &known, note.as_deref()).await?;
        run_units(
            locked,
            context,
            watch,
            file_session,
            attempt,
            &units,
            &known,
        )
        .await
    }
    .await;
    if let Err(fault) = &ran
        && !matches!(fault, Fault::Lost { .. })
        && let Err(error) = locked.session().leave_file().await
    {
        tracing::debug!(error = %with_causes(&error), "the connection was lost after the file");
    }
    ran
}

/// Restores the session state that the file had set up, in another session or after an earlier attempt in this one.
async fn enter<'a>(
    locked: &LockedSession,
    context: &StepContext<'_>,
    session: &'a mut Option<FileSession>,
    units: &[Unit<'_>],
    known: &[(usize, ProgressState)],
    note: Option<&str>,
) -> Result<&'a FileSession, Fault> {
    check_reading(locked.session(), context, CheckTime::BeforeFile).await?;
    let client = locked.session().client();
    let done = count_done(known);
    let offset = units
        .get(done)
        .map_or(context.script().text.len(), Unit::offset);
    let entered = async {
        match session {
            Some(known) => {
                known.restore_settings(client, context, offset).await?;
                Ok(&*known)
            }
            None => {
                let begun = FileSession::begin(client, context, note, done > 0, offset).await?;
                Ok(&*session.insert(begun))
            }
        }
    };
    entered
        .await
        .map_err(|fault: Fault| fault.after(done, units.len()))
}

fn count_done(known: &[(usize, ProgressState)]) -> usize {
    known
        .iter()
        .filter(|(_, state)| *state == ProgressState::Done)
        .count()
}

async fn run_units<'a>(
    locked: &mut LockedSession,
    context: &StepContext<'_>,
    watch: &Watch<'_>,
    file_session: &FileSession,
    attempt: impl Fn(usize, usize) -> Attempt<'a>,
    units: &[Unit<'_>],
    known: &[(usize, ProgressState)],
) -> Result<(), Fault> {
    let total = units.len();
    let progress = context.progress(total);
    let mut done = count_done(known);
    let mut rows_only = RowsOnly::default();
    for (index, unit) in units.iter().enumerate() {
        let number = index + 1;
        let state = known
            .iter()
            .find_map(|(known, state)| (*known == number).then_some(state));
        let finished = state == Some(&ProgressState::Done);
        if finished {
            continue;
        }
        if context.is_cancelled_now() {
            return Err(Fault::Cancelled { progress: None }.after(done, total));
        }
        let started = Instant::now();
        let runner = UnitRunner {
            locked,
            context,
            watch,
            progress: &progress,
            number,
            file_session,
        };
        let running = async {
            if let (Form::Inside(statement), None) = (&unit.form, state) {
                let unit = (number, statement);
                let ran = rows_only.run(locked, context, file_session, &progress, unit);
                if ran.await? {
                    return Ok(None);
                }
            }
            rows_only.forget();
            runner.run(unit, state).await
        };
        let recovered = running
            .await
            .map_err(|fault: Fault| fault.after(done, total))?;
        context.report_notices(locked.session_mut());
        done += 1;
        context.report(EventKind::StatementFinished {
            statement: number,
            statements: total,
            duration_ms: millis(started.elapsed()),
            recovered,
        });
    }
    finish(locked, context, || attempt(done, total))
        .await
        .map_err(|fault| fault.after(done, total))
}

/// Writes the history row and the journal row and deletes the progress rows, in one transaction. Then leaves the file.
async fn finish<'a>(
    locked: &LockedSession,
    context: &StepContext<'_>,
    attempt: impl Fn() -> Attempt<'a>,
) -> Result<(), Fault> {
    let session = locked.session();
    session
        .client()
        .batch_execute(OWN_BEGIN)
        .await
        .map_err(Fault::of)?;
    session
        .leave_file_in_transaction("")
        .await
        .map_err(Fault::of)?;
    if !locked.is_held().await.map_err(Fault::of)? {
        rollback(locked).await;
        return Err(Fault::LockGone { progress: None });
    }
    if let Err(fault) = context.check_gates().await {
        rollback(locked).await;
        return Err(fault);
    }
    let (table, applied_on) = (context.history_table, context.applied_on());
    let written = record_done(
        session,
        table,
        &applied_on,
        &attempt(),
        true,
        LockCheck::List,
    )
    .await;
    match context.check_written(written) {
        Ok(_) => {
            let _measured = Phase::Commit.begin();
            session
                .client()
                .batch_execute("COMMIT")
                .await
                .map_err(Fault::while_committing)
        }
        Err(fault) => {
            rollback(locked).await;
            Err(fault)
        }
    }
}

async fn rollback(locked: &LockedSession) {
    if let Err(error) = locked.session().client().batch_execute("ROLLBACK").await {
        tracing::debug!(error = %with_causes(&error), "the connection was lost during ROLLBACK");
    }
}

/// What earlier attempts recorded of the file.
async fn recorded(
    locked: &LockedSession,
    progress: &Progress<'_>,
) -> Result<Vec<(usize, ProgressState)>, Fault> {
    let client = locked.session().client();
    read_progress(
        client,
        progress.service,
        progress.version,
        progress.direction,
    )
    .await
    .map_err(Fault::of)
}

struct UnitRunner<'a> {
    locked: &'a LockedSession,
    context: &'a StepContext<'a>,
    watch: &'a Watch<'a>,
    progress: &'a Progress<'a>,
    number: usize,
    file_session: &'a FileSession,
}

impl UnitRunner<'_> {
    /// Runs a unit and records it. If the catalog shows that it is done already, returns the evidence instead.
    async fn run(
        &self,
        unit: &Unit<'_>,
        state: Option<&ProgressState>,
    ) -> Result<Option<String>, Fault> {
        match &unit.form {
            Form::Setting(statement) => {
                let session = self.locked.session();
                // One round trip: the file's own idle timeout could end the session before the next message.
                let (ran, guarded) = tokio::join!(
                    biased;
                    run_statement(session.client(), statement.text, statement.offset),
                    session.guard(),
                );
                ran?;
                guarded.map_err(Fault::of)?;
                self.in_transaction(OWN_BEGIN, &[], async || Ok(()))
                    .await
                    .map(|()| None)
            }
            Form::Inside(statement) => self.inside(statement, state).await,
            Form::Outside(statement, kind) => self.outside(statement, kind, state).await,
            Form::Block(block) => self.block(block).await.map(|()| None),
        }
    }

    async fn inside(
        &self,
        statement: &Statement<'_>,
        state: Option<&ProgressState>,
    ) -> Result<Option<String>, Fault> {
        // A unit has an intent only if the server refused it in a transaction: it has run outside of one, and may be done.
        if state.is_some() {
            return self.outside(statement, &StatementKind::Other, state).await;
        }
        let session = self.locked.session();
        let ran = self
            .in_transaction("BEGIN", &[*statement], async || {
                run_statement_before(self.context, session, statement).await
            })
            .await;
        match ran {
            Ok(()) => Ok(None),
            // Some statements turn out only when run to require that no transaction is open, such as a procedure that commits. The server has
            // rolled all of it back, so nothing has happened yet.
            Err(fault)
                if fault.is(&SqlState::ACTIVE_SQL_TRANSACTION)
                    || fault.is(&SqlState::INVALID_TRANSACTION_TERMINATION) =>
            {
                self.outside(statement, &StatementKind::Other, state).await
            }
            Err(fault) => Err(fault),
        }
    }

    /// An explicit transaction of the file; its progress row commits with it.
    async fn block(&self, block: &Block<'_>) -> Result<(), Fault> {
        let session = self.locked.session();
        let client = session.client();
        let body = async || {
            for statement in &block.body {
                run_statement_before(self.context, session, statement).await?;
            }
            Ok(())
        };
        match block.end {
            BlockEnd::Commit => {
                self.in_transaction(block.begin.text, &block.body, body)
                    .await
            }
            BlockEnd::Rollback => {
                client
                    .batch_execute(block.begin.text)
                    .await
                    .map_err(Fault::of)?;
                let ran = body().await;
                rollback(self.locked).await;
                ran?;
                self.in_transaction(OWN_BEGIN, &[], async || Ok(())).await
            }
        }
    }

    /// Runs `work`, which runs `statements`, and records the unit as done, both in one transaction.
    async fn in_transaction(
        &self,
        begin: &str,
        statements: &[Statement<'_>],
        work: impl AsyncFnOnce() -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let session = self.locked.session();
        session
            .client()
            .batch_execute(begin)
            .await
            .map_err(Fault::of)?;
        let ran = async {
            observe(self.context, session, Moment::Begun).await?;
            work().await?;
            check_reading(session, self.context, CheckTime::AfterFile).await?;
            let recorded = self
                .file_session
                .recorded(session.client(), statements, true)
                .await?;
            session.become_bookkeeper().await.map_err(Fault::of)?;
            if !self.locked.is_held().await.map_err(Fault::of)? {
                return Err(Fault::LockGone { progress: None });
            }
            record_statement(session.client(), self.progress, self.number, &recorded.note)
                .await
                .map_err(Fault::of)?;
            self.context.check_gates().await?;
            observe(self.context, session, Moment::BeforeCommit).await?;
            Ok(recorded)
        }
        .await;
        let recorded = match ran {
            Ok(recorded) => {
                let _measured = Phase::Commit.begin();
                session
                    .client()
                    .batch_execute("COMMIT")
                    .await
                    .map_err(Fault::while_committing)?;
                recorded
            }
            Err(fault) => {
                if !matches!(fault, Fault::Lost { .. }) {
                    rollback(self.locked).await;
                }
                return Err(fault);
            }
        };
        if recorded.is_certain {
            self.file_session.keep(recorded);
            return Ok(());
        }
        // Only after the commit does the server show which settings were local to the transaction.
        let client = session.client();
        let recorded = self.file_session.recorded(client, &[], false).await?;
        self.as_bookkeeper(async || {
            record_statement(client, self.progress, self.number, &recorded.note).await
        })
        .await?;
        self.file_session.keep(recorded);
        Ok(())
    }

    /// Runs a statement that cannot be rolled back: checks the catalog, records the intent, runs it, records the outcome.
    async fn outside(
        &self,
        statement: &Statement<'_>,
        kind: &StatementKind,
        state: Option<&ProgressState>,
    ) -> Result<Option<String>, Fault> {
        let catalog = CatalogCheck {
            session: self.locked.session(),
            context: self.context,
        };
        match catalog.at(statement, kind, state).await? {
            Finding::Done(why) => {
                self.in_transaction(OWN_BEGIN, &[], async || Ok(())).await?;
                Ok(Some(why))
            }
            Finding::Finish {
                sql,
                before,
                recovered,
            } => {
                self.intend(&before).await?;
                // It takes the strongest lock, so it gets the same lock timeout as other statements.
                let client = self.locked.session().client();
                let finished = run_statement(client, &sql, statement.offset).await;
                self.settle(finished, Some(&before)).await?;
                Ok(Some(recovered))
            }
            Finding::Run {
                first,
                before,
                recovered,
            } => {
                for sql in first {
                    run_with_long_limit(
                        self.locked,
                        self.context,
                        self.watch,
                        &sql,
                        statement.offset,
                    )
                    .await?;
                }
                if let Some(before) = &before {
                    self.intend(before).await?;
                }
                let ran = if waits_without_blocking(kind) {
                    run_with_long_limit(
                        self.locked,
                        self.context,
                        self.watch,
                        statement.text,
                        statement.offset,
                    )
                    .await
                } else {
                    let session = self.locked.session();
                    run_outside_before(self.context, session, statement.text, statement.offset)
                        .await
                };
                self.settle(ran, before.as_ref()).await?;
                Ok(recovered)
            }
        }
    }

    async fn intend(&self, before: &Before) -> Result<(), Fault> {
        let client = self.locked.session().client();
        self.as_bookkeeper(async || {
            record_intent(client, self.progress, self.number, Some(&before.note())).await
        })
        .await
    }

    /// Records the outcome of a statement that ran outside of a transaction.
    async fn settle(&self, ran: Result<(), Fault>, before: Option<&Before>) -> Result<(), Fault> {
        let client = self.locked.session().client();
        let fault = match ran {
            Ok(()) => return self.in_transaction(OWN_BEGIN, &[], async || Ok(())).await,
            Err(fault) => fault,
        };
        let (Some(before), Fault::Server { .. }) = (before, &fault) else {
            return Err(fault);
        };
        if let Before::Untraceable { text, .. } = before {
            let failed = Before::Untraceable {
                text: text.clone(),
                failed: true,
            };
            self.intend(&failed).await?;
            return Err(fault.only_once());
        }
        let left = self
            .locked
            .session()
            .aside(async |client| remains(client, before).await);
        if left.await.is_ok_and(|left| left.is_empty()) {
            self.as_bookkeeper(async || clear_intent(client, self.progress, self.number).await)
                .await?;
        }
        // Otherwise the intent stays, so that the next attempt checks the catalog.
        Err(fault)
    }

    async fn as_bookkeeper(
        &self,
        work: impl AsyncFnOnce() -> Result<(), tokio_postgres::Error>,
    ) -> Result<(), Fault> {
        let session = self.locked.session();
        session
            .client()
            .batch_execute(OWN_BEGIN)
            .await
            .map_err(Fault::of)?;
        let worked = async {
            session.become_bookkeeper().await?;
            work().await?;
            let _measured = Phase::Commit.begin();
            session.client().batch_execute("COMMIT").await
        };
        match worked.await.map_err(Fault::of) {
            Ok(()) => Ok(()),
            Err(fault) => {
                if !matches!(fault, Fault::Lost { .. }) {
                    rollback(self.locked).await;
                }
                Err(fault)
            }
        }
    }
}

/// Runs a statement that waits for other transactions without blocking them. It gets the long time limit, because each failed attempt
/// would leave an INVALID index behind.
async fn run_with_long_limit(
    locked: &LockedSession,
    context: &StepContext<'_>,
    watch: &Watch<'_>,
    sql: &str,
    offset: usize,
) -> Result<(), Fault> {
    let session = locked.session();
    let limit = context.engine.concurrently_timeout.as_millis().to_string();
    let before = session
        .exchange_lock_timeout(&limit)
        .await
        .map_err(Fault::of)?;
    watch.set_patient(true);
    let ran = run_outside_before(context, session, sql, offset).await;
    watch.set_patient(false);
    if !matches!(ran, Err(Fault::Lost { .. })) {
        session
            .exchange_lock_timeout(&before)
            .await
            .map_err(Fault::of)?;
    }
    ran
}

/// Whether a statement waits for other transactions under locks that do not conflict with readers and writers. Other statements that
/// cannot run in a transaction (`VACUUM FULL`, `CLUSTER`, a procedure) lock like any statement.
fn waits_without_blocking(kind: &StatementKind) -> bool {
    matches!(
        kind,
        StatementKind::CreateIndexConcurrently { .. }
            | StatementKind::DropIndexConcurrently { .. }
            | StatementKind::ReindexConcurrently { .. }
            | StatementKind::DetachPartitionConcurrently { .. }
    )
}

/// Before the revert of an interrupted file: removes what the file has left and no revert would name, the copies of a `REINDEX` and a
/// pending detachment. An INVALID index needs no cleanup: the revert drops it by its name.
pub(super) async fn clean_up(
    locked: &LockedSession,
    context: &StepContext<'_>,
    watch: &Watch<'_>,
    up: &Script,
) -> Result<(), Fault> {
    let units = units(up).map_err(Fault::Script)?;
    let progress = Progress {
        direction: Direction::Up,
        ..context.progress(units.len())
    };
    let client = locked.session().client();
    let known = recorded(locked, &progress).await?;
    for (number, state) in &known {
        let Some(Unit {
            form: Form::Outside(statement, kind),
        }) = units.get(number.wrapping_sub(1))
        else {
            continue;
        };
        let before = Before::of(Some(state));
        if !matches!(before, Some(Before::Reindex { .. } | Before::Detach { .. })) {
            continue;
        }
        let session = locked.session();
        match (CatalogCheck { session, context })
            .at(statement, kind, Some(state))
            .await?
        {
            Finding::Finish { sql, .. } => run_statement(client, &sql, 0).await?,
            Finding::Run { first, .. } => {
                for sql in first {
                    run_with_long_limit(locked, context, watch, &sql, 0).await?;
                }
            }
            Finding::Done(_) => {}
        }
    }
    Ok(())
}
