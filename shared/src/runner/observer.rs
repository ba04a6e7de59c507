//! Somebody who looks at what a migration does while its transaction is open.
//!
//! Responsible for the moments at which a migration can be looked at. Not for what is seen. Floor 3.

use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;

use super::fault::Fault;
use super::script::{run_file, run_statement};
use super::step::StepContext;
use crate::domain::{Direction, Migration};
use crate::postgres::Session;
use crate::sql::{self, Statement};

/// A migration on its way, as an observer sees it.
#[derive(Clone, Copy)]
pub struct ObservedStep<'a> {
    /// The migration.
    pub migration: &'a Migration,
    /// Which way.
    pub direction: Direction,
    /// The session that runs it.
    pub session: &'a Session,
}

/// A moment at which a migration is looked at.
#[derive(Clone, Copy, Debug)]
pub enum Moment {
    /// A transaction has begun; nothing has been done in it. Of a no-transaction file each statement that can be rolled back has
    /// one of its own.
    Begun,
    /// A statement is done, and its transaction still open.
    Done {
        /// Where it begins in the file, in bytes.
        offset: usize,
        /// How long it took.
        took: Duration,
    },
    /// The file is done, its history row is written, and the commit is next.
    BeforeCommit,
}

/// Looks at a migration. Its own statements run in the migration's transaction, through [`Session::aside_within`]: the migration's role
/// and settings are in force.
pub trait StepObserver: Send + Sync {
    /// Looks. An error ends the migration.
    fn look<'a>(
        &'a self,
        observed: ObservedStep<'a>,
        moment: Moment,
    ) -> BoxFuture<'a, Result<(), tokio_postgres::Error>>;

    /// Looks on, from another session, while a statement runs that has no transaction around it. Awaits `running` to its end.
    fn look_on<'a>(
        &'a self,
        observed: ObservedStep<'a>,
        offset: usize,
        running: BoxFuture<'a, ()>,
    ) -> BoxFuture<'a, ()>;
}

/// Runs a whole file; before an observer, statement by statement.
pub(super) async fn run_file_before(
    context: &StepContext<'_>,
    session: &Session,
) -> Result<(), Fault> {
    let text = &context.script().text;
    let Some(observer) = context.observer else {
        return run_file(session.client(), text).await;
    };
    let Ok(statements) = sql::split(text) else {
        return run_file(session.client(), text).await;
    };
    let observed = context.observed(session);
    look(context, session, Moment::Begun).await?;
    for statement in statements {
        let started = Instant::now();
        run_statement(session.client(), statement.text, statement.offset).await?;
        let moment = Moment::Done {
            offset: statement.offset,
            took: started.elapsed(),
        };
        observer.look(observed, moment).await.map_err(Fault::of)?;
    }
    Ok(())
}

/// Runs one statement of a file within a transaction, and lets an observer look.
pub(super) async fn run_statement_before(
    context: &StepContext<'_>,
    session: &Session,
    statement: &Statement<'_>,
) -> Result<(), Fault> {
    let started = Instant::now();
    run_statement(session.client(), statement.text, statement.offset).await?;
    let moment = Moment::Done {
        offset: statement.offset,
        took: started.elapsed(),
    };
    look(context, session, moment).await
}

/// Runs one statement outside of any transaction, and lets an observer look on.
pub(super) async fn run_outside_before(
    context: &StepContext<'_>,
    session: &Session,
    sql: &str,
    offset: usize,
) -> Result<(), Fault> {
    let Some(observer) = context.observer else {
        return run_statement(session.client(), sql, offset).await;
    };
    let mut ran = Ok(());
    let running = Box::pin(async {
        ran = run_statement(session.client(), sql, offset).await;
    });
    observer
        .look_on(context.observed(session), offset, running)
        .await;
    ran
}

/// Lets an observer look, where there is one.
pub(super) async fn look(
    context: &StepContext<'_>,
    session: &Session,
    moment: Moment,
) -> Result<(), Fault> {
    match context.observer {
        Some(observer) => observer
            .look(context.observed(session), moment)
            .await
            .map_err(Fault::of),
        None => Ok(()),
    }
}
