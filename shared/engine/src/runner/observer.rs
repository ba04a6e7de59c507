//! An observer of a migration while its transaction is open.
//!
//! Defines the moments at which a migration can be observed. The implementations decide what they record.

use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;

use super::fault::Fault;
use super::script::{run_file, run_part, run_statement};
use super::step::StepContext;
use domain::{Direction, Migration};
use pg_session::Session;
use pg_sql::Statement;

/// A running migration, as an observer sees it.
#[derive(Clone, Copy)]
pub struct ObservedStep<'a> {
    pub migration: &'a Migration,
    pub direction: Direction,
    /// The session that runs it.
    pub session: &'a Session,
}

/// A moment at which a migration is observed.
#[derive(Clone, Copy, Debug)]
pub enum Moment {
    /// A transaction has begun; it has done nothing yet. In a no-transaction file, each statement that can be rolled back has its own
    /// transaction.
    Begun,
    /// A statement is done, and its transaction is still open.
    Done {
        /// Its offset in the file, in bytes.
        offset: usize,
        /// The duration of the statement.
        took: Duration,
    },
    /// The file is done, its history row is written, and the commit is next.
    BeforeCommit,
}

/// Observes a migration. The observer's statements run in the migration's transaction, through [`Session::aside_within`], so the
/// migration's role and settings are in force.
pub trait StepObserver: Send + Sync {
    /// Observes. An error ends the migration.
    fn look<'a>(
        &'a self,
        observed: ObservedStep<'a>,
        moment: Moment,
    ) -> BoxFuture<'a, Result<(), tokio_postgres::Error>>;

    /// Observes, from another session, a running statement that has no transaction around it. Awaits `running` to its end.
    fn look_on<'a>(
        &'a self,
        observed: ObservedStep<'a>,
        offset: usize,
        running: BoxFuture<'a, ()>,
    ) -> BoxFuture<'a, ()>;
}

/// How many statements in a row that differ only in literals run one by one.
const ALIKE_ONE_BY_ONE: usize = 2;

/// How many further ones run at once: the observer sees them as one statement.
const ALIKE_AT_ONCE: usize = 1000;

/// Runs a whole file; with an observer, statement by statement. Of a long row of statements that differ only in literals, such as
/// inserts, only the first ones run one by one. Locks and counters last until the transaction ends, so what any of them does is seen.
pub(super) async fn run_file_before(
    context: &StepContext<'_>,
    session: &Session,
) -> Result<(), Fault> {
    let text = &context.script().text;
    let Some(observer) = context.observer else {
        return run_file(session.client(), text).await;
    };
    let Ok(statements) = pg_sql::split(text) else {
        return run_file(session.client(), text).await;
    };
    let observed = context.observed(session);
    observe(context, session, Moment::Begun).await?;
    for group in groups(&statements) {
        let started = Instant::now();
        match group {
            [] => continue,
            [statement] => {
                run_statement(session.client(), statement.text, statement.offset).await?;
            }
            [first, .., last] => {
                let end = last.offset + last.text.len();
                run_part(session.client(), &text[first.offset..end], first.offset).await?;
            }
        }
        let moment = Moment::Done {
            offset: group[0].offset,
            took: started.elapsed(),
        };
        observer.look(observed, moment).await.map_err(Fault::of)?;
    }
    Ok(())
}

/// The statements in groups that run at once, in order.
fn groups<'s, 't>(statements: &'s [Statement<'t>]) -> Vec<&'s [Statement<'t>]> {
    let mut groups = Vec::new();
    for alike in statements.chunk_by(pg_sql::are_alike) {
        let (single, rest) = alike.split_at(alike.len().min(ALIKE_ONE_BY_ONE));
        groups.extend(single.chunks(1));
        groups.extend(rest.chunks(ALIKE_AT_ONCE));
    }
    groups
}

/// Runs one statement of a file within a transaction, and calls the observer.
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
    observe(context, session, moment).await
}

/// Runs one statement outside of any transaction, while the observer watches.
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

/// Calls the observer, if there is one.
pub(super) async fn observe(
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_long_rows_of_like_statements_run_at_once() {
        let inserts = |table: &str, number: usize| {
            let insert = |id| format!("INSERT INTO {table} VALUES ({id});\n");
            (0..number).map(insert).collect::<String>()
        };
        let text = format!(
            "ALTER TABLE t ADD c int;\n{}{}UPDATE t SET c = 1;\n",
            inserts("t", 3),
            inserts("u", 2500)
        );
        let statements = pg_sql::split(&text).expect("statements");
        let groups: Vec<usize> = groups(&statements).iter().map(|it| it.len()).collect();
        assert_eq!(groups, [1, 1, 1, 1, 1, 1, 1000, 1000, 498, 1]);
    }
}
