//! A no-transaction file: unit by unit, each recorded, resumable.

use std::time::Instant;

use tokio_postgres::error::SqlState;

use super::fault::Fault;
use super::leftovers::{self, Finding};
use super::script::run_statement;
use super::step::StepContext;
use super::units::{Block, BlockEnd, Form, Unit, units};
use super::watch::Watch;
use crate::domain::EventKind;
use crate::postgres::{
    Attempt, LockedSession, Progress, ProgressState, clear_intent, read_progress, record_done,
    record_intent, record_statement,
};
use crate::sql::{Statement, StatementKind};

/// One attempt at what is left of the file.
pub(super) async fn attempt<'a>(
    locked: &mut LockedSession,
    context: &StepContext<'_>,
    watch: &Watch<'_>,
    attempt: impl Fn(usize, usize) -> Attempt<'a>,
) -> Result<(), Fault> {
    let units = units(context.script()).map_err(Fault::Script)?;
    let total = units.len();
    let progress = context.progress(total);
    let known = read_progress(locked.session().client(), &progress)
        .await
        .map_err(Fault::of)?;
    let mut done = known
        .iter()
        .filter(|(_, state)| *state == ProgressState::Done)
        .count();
    for (index, unit) in units.iter().enumerate() {
        let number = index + 1;
        let state = known
            .iter()
            .find_map(|(known, state)| (*known == number).then_some(state));
        let finished = state == Some(&ProgressState::Done);
        if context.is_cancelled_now() && !finished {
            return Err(Fault::Cancelled { progress: None }.after(done, total));
        }
        let started = Instant::now();
        let runner = UnitRunner {
            locked,
            context,
            watch,
            progress: &progress,
            number,
        };
        let recovered = match (&unit.form, finished) {
            // A setting does not outlive its session: it is made again, whatever is recorded.
            (Form::Setting(_), true) => runner
                .run(unit, state)
                .await
                .map_err(|fault| fault.after(done, total))?,
            (_, true) => continue,
            (_, false) => runner
                .run(unit, state)
                .await
                .map_err(|fault| fault.after(done, total))?,
        };
        context.report_notices(locked.session_mut());
        if !finished {
            done += 1;
            context.report(EventKind::StatementFinished {
                statement: number,
                statements: total,
                duration_ms: super::step::millis(started.elapsed()),
                recovered,
            });
        }
    }
    finish(locked, context, || attempt(done, total))
        .await
        .map_err(|fault| fault.after(done, total))
}

/// History row, journal row and the end of the progress rows, in one transaction.
async fn finish<'a>(
    locked: &LockedSession,
    context: &StepContext<'_>,
    attempt: impl Fn() -> Attempt<'a>,
) -> Result<(), Fault> {
    let session = locked.session();
    session
        .client()
        .batch_execute("BEGIN")
        .await
        .map_err(Fault::of)?;
    session.become_bookkeeper().await.map_err(Fault::of)?;
    if !locked.is_held().await.map_err(Fault::of)? {
        rollback(locked).await;
        return Err(Fault::LockGone { progress: None });
    }
    match record_done(
        session,
        context.history_table,
        &context.applied_on(),
        &attempt(),
        true,
    )
    .await
    {
        Ok(_) => session
            .client()
            .batch_execute("COMMIT")
            .await
            .map_err(Fault::while_committing),
        Err(error) => {
            rollback(locked).await;
            Err(Fault::of(error))
        }
    }
}

async fn rollback(locked: &LockedSession) {
    if let Err(error) = locked.session().client().batch_execute("ROLLBACK").await {
        tracing::debug!(%error, "the connection was lost during ROLLBACK");
    }
}

struct UnitRunner<'a> {
    locked: &'a LockedSession,
    context: &'a StepContext<'a>,
    watch: &'a Watch<'a>,
    progress: &'a Progress<'a>,
    number: usize,
}

impl UnitRunner<'_> {
    /// Runs a unit and records it. Gives why it was not run, where the catalog shows that it is done already.
    async fn run(
        &self,
        unit: &Unit<'_>,
        state: Option<&ProgressState>,
    ) -> Result<Option<String>, Fault> {
        match &unit.form {
            Form::Setting(statement) => {
                run_statement(
                    self.locked.session().client(),
                    statement.text,
                    statement.offset,
                )
                .await?;
                self.in_transaction("BEGIN", async || Ok(()))
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
        let client = self.locked.session().client();
        let ran = self
            .in_transaction("BEGIN", async || {
                run_statement(client, statement.text, statement.offset).await
            })
            .await;
        match ran {
            Ok(()) => Ok(None),
            // Some statements show only when run that they want no transaction around them: a procedure that
            // commits, for instance. The server has undone all of it; nothing has happened yet.
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
        let client = self.locked.session().client();
        let body = async || {
            for statement in &block.body {
                run_statement(client, statement.text, statement.offset).await?;
            }
            Ok(())
        };
        match block.end {
            BlockEnd::Commit => self.in_transaction(block.begin.text, body).await,
            BlockEnd::Rollback => {
                client
                    .batch_execute(block.begin.text)
                    .await
                    .map_err(Fault::of)?;
                let ran = body().await;
                rollback(self.locked).await;
                ran?;
                self.in_transaction("BEGIN", async || Ok(())).await
            }
        }
    }

    /// Runs `work` and records the unit as done, both in one transaction.
    async fn in_transaction(
        &self,
        begin: &str,
        work: impl AsyncFnOnce() -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let session = self.locked.session();
        session
            .client()
            .batch_execute(begin)
            .await
            .map_err(Fault::of)?;
        let ran = async {
            work().await?;
            session.become_bookkeeper().await.map_err(Fault::of)?;
            if !self.locked.is_held().await.map_err(Fault::of)? {
                return Err(Fault::LockGone { progress: None });
            }
            record_statement(session.client(), self.progress, self.number)
                .await
                .map_err(Fault::of)
        }
        .await;
        match ran {
            Ok(()) => session
                .client()
                .batch_execute("COMMIT")
                .await
                .map_err(Fault::while_committing),
            Err(fault) => {
                if !matches!(fault, Fault::Lost { .. }) {
                    rollback(self.locked).await;
                }
                Err(fault)
            }
        }
    }

    /// A statement that cannot be rolled back: look, note the intent, run, record.
    async fn outside(
        &self,
        statement: &Statement<'_>,
        kind: &StatementKind,
        state: Option<&ProgressState>,
    ) -> Result<Option<String>, Fault> {
        let session = self.locked.session();
        let finding = leftovers::look(session.client(), kind, state)
            .await
            .map_err(Fault::of)?;
        let note = match finding {
            Finding::Done(why) => {
                self.in_transaction("BEGIN", async || Ok(())).await?;
                return Ok(Some(why));
            }
            Finding::FinishWith(sql) => {
                self.unlimited(&sql, statement.offset).await?;
                self.in_transaction("BEGIN", async || Ok(())).await?;
                return Ok(Some(
                    "finished what an interrupted attempt had begun".to_owned(),
                ));
            }
            Finding::Run {
                first,
                note,
                intent,
            } => {
                for sql in first {
                    self.unlimited(&sql, statement.offset).await?;
                }
                intent.then_some(note)
            }
        };
        if let Some(note) = &note {
            self.as_bookkeeper(async || {
                record_intent(
                    session.client(),
                    self.progress,
                    self.number,
                    note.as_deref(),
                )
                .await
            })
            .await?;
        }
        let ran = if waits_without_blocking(kind) {
            self.unlimited(statement.text, statement.offset).await
        } else {
            run_statement(session.client(), statement.text, statement.offset).await
        };
        match ran {
            Ok(()) => {
                self.in_transaction("BEGIN", async || Ok(())).await?;
                Ok(None)
            }
            Err(fault) => {
                // Where that cannot be seen, the intent stays, and with it the look at the next attempt.
                if let Some(note) = &note
                    && matches!(fault, Fault::Server { .. })
                    && !leftovers::leaves_traces(session.client(), kind, note.as_deref())
                        .await
                        .unwrap_or(true)
                {
                    self.as_bookkeeper(async || {
                        clear_intent(session.client(), self.progress, self.number).await
                    })
                    .await?;
                }
                Err(fault)
            }
        }
    }

    async fn as_bookkeeper(
        &self,
        work: impl AsyncFnOnce() -> Result<(), tokio_postgres::Error>,
    ) -> Result<(), Fault> {
        let session = self.locked.session();
        session
            .client()
            .batch_execute("BEGIN")
            .await
            .map_err(Fault::of)?;
        let worked = async {
            session.become_bookkeeper().await?;
            work().await?;
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

    /// Runs a statement that waits for other transactions without blocking anybody: it gets the long time limit, for
    /// each try that fails would leave an INVALID index behind.
    async fn unlimited(&self, sql: &str, offset: usize) -> Result<(), Fault> {
        let session = self.locked.session();
        let limit = self
            .context
            .engine
            .concurrently_timeout
            .as_millis()
            .to_string();
        let before = session
            .exchange_lock_timeout(&limit)
            .await
            .map_err(Fault::of)?;
        self.watch.be_patient(true);
        let ran = run_statement(session.client(), sql, offset).await;
        self.watch.be_patient(false);
        if !matches!(ran, Err(Fault::Lost { .. })) {
            session
                .exchange_lock_timeout(&before)
                .await
                .map_err(Fault::of)?;
        }
        ran
    }
}

/// Whether a statement waits for others' transactions under locks that readers and writers do not conflict with. The
/// other statements that want no transaction around them (`VACUUM FULL`, `CLUSTER`, a procedure) lock like any.
fn waits_without_blocking(kind: &StatementKind) -> bool {
    matches!(
        kind,
        StatementKind::CreateIndexConcurrently { .. }
            | StatementKind::DropIndexConcurrently { .. }
            | StatementKind::ReindexConcurrently { .. }
            | StatementKind::DetachPartitionConcurrently { .. }
    )
}
