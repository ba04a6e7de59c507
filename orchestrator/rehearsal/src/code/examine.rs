//! Checks all code of a database after each migration.
//!
//! Selects what to test, and reports each fault once, at the migration that first causes it.

use domain::ServerError;
use pg_sql::quote_literal;
use std::collections::BTreeMap;

use pg_session::Client;
use tokio_postgres::error::SqlState;

use super::broken::{Broken, BrokenCode};
use super::exercise::{exercise, trial};
use super::state::{Function, State};
use row_generator::{RowsError, fill_in};

/// The result of one check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Examined {
    /// Code that cannot work and that did at the last check or did not exist.
    pub broken: Vec<BrokenCode>,
    /// What could not be tested, for messages.
    pub notes: Vec<String>,
}

/// Checks the code of a database and remembers the results.
#[derive(Debug, Default)]
pub struct Examiner {
    seen: Option<State>,
    known: BTreeMap<Subject, Vec<BrokenCode>>,
}

/// A function, or a table with its triggers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Function(String),
    Table(String),
}

impl Examiner {
    /// Tests all code that may behave differently than at the last check, and rolls back. The client must not be
    /// in a transaction.
    ///
    /// # Errors
    /// When the catalog cannot be read or the connection is lost.
    pub async fn examine(&mut self, client: &Client) -> Result<Examined, RowsError> {
        client
            .batch_execute("BEGIN; SET LOCAL row_security = on")
            .await?;
        let examined = self.examine_within(client).await;
        client.batch_execute("ROLLBACK").await?;
        examined
    }

    async fn examine_within(&mut self, client: &Client) -> Result<Examined, RowsError> {
        let state = State::read(client).await?;
        let (functions, tables) = state.since(self.seen.as_ref());
        let mut examined = Examined::default();
        let mut tried: BTreeMap<Subject, Vec<BrokenCode>> = BTreeMap::new();
        if !functions.is_empty() {
            client
                .batch_execute(
                    "SET LOCAL check_function_bodies = on; SET LOCAL client_min_messages = error",
                )
                .await?;
        }
        for (name, function) in &state.functions {
            if functions.contains(name) {
                let broken = validate(client, function).await?.into_iter().collect();
                tried.insert(Subject::Function(name.clone()), broken);
            }
        }
        let selected: BTreeMap<_, _> = state
            .tables
            .iter()
            .filter(|(name, _)| tables.contains(*name))
            .collect();
        if !selected.is_empty() {
            let oids = selected.values().map(|table| table.oid).collect();
            for unfilled in fill_in(client, &oids).await?.unfilled {
                if tables.contains(&unfilled.table) {
                    examined.notes.push(format!(
                        "the triggers of {} were not tested: {}",
                        unfilled.table, unfilled.why
                    ));
                }
            }
        }
        for (name, table) in selected {
            let broken = exercise(client, table, &mut examined.notes).await?;
            tried.insert(Subject::Table(name.clone()), broken);
        }
        for (subject, broken) in tried {
            let known = self
                .known
                .insert(subject, broken.clone())
                .unwrap_or_default();
            examined.broken.extend(
                broken
                    .into_iter()
                    .filter(|one| !known.iter().any(|known| known.what == one.what)),
            );
        }
        self.known.retain(|subject, _| match subject {
            Subject::Function(name) => state.functions.contains_key(name),
            Subject::Table(name) => state.tables.contains_key(name),
        });
        self.seen = Some(state);
        Ok(examined)
    }
}

/// Calls the validator of a function's language, under the function's own `search_path`.
async fn validate(client: &Client, function: &Function) -> Result<Option<BrokenCode>, RowsError> {
    let mut sql = String::new();
    for (name, value) in function
        .settings
        .iter()
        .filter_map(|setting| setting.split_once('='))
        .filter(|(name, _)| *name == "search_path")
    {
        sql.push_str(&format!(
            "SELECT set_config({}, {}, true); ",
            quote_literal(name),
            quote_literal(value)
        ));
    }
    sql.push_str(&format!("SELECT {}({})", function.validator, function.oid));
    Ok(trial(client, &sql)
        .await?
        .filter(cannot_run)
        .map(|error| BrokenCode {
            what: Broken::Function(function.name.clone()),
            message: error.message,
            sqlstate: error.sqlstate,
        }))
}

/// Another role may have a missing privilege, and a shortage of resources or a system error is not the function's fault.
fn cannot_run(error: &ServerError) -> bool {
    error.code() != SqlState::INSUFFICIENT_PRIVILEGE
        && !error.sqlstate.starts_with("5")
        && !error.sqlstate.starts_with("XX")
}
