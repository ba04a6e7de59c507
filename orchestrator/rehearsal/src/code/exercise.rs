//! Fires the triggers of one table.
//!
//! Runs an insert, an update and a delete, each rolled back at once. The rows come from `rows`.

use domain::ServerError;
use pg_session::Client;
use pg_sql::{quote_identifier, quote_literal};
use tokio_postgres::SimpleQueryMessage;
use tokio_postgres::error::SqlState;

use super::broken::{
    Broken, BrokenCode, Event, culprit, may_be_the_values, missing_setting, shows_broken_code,
};
use super::state::{Trigger, TriggeredTable};
use row_generator::{AS_APPLICATION, RowsError, attempt, shown};

/// How many rows are tested: triggers may have conditions.
const ROWS: usize = 30;

/// As in an application's session: triggers fire and foreign keys are checked.
const ORIGIN: &str = "SET LOCAL session_replication_role = origin";
const REPLICA: &str = "SET LOCAL session_replication_role = replica";
/// Fires deferred triggers now.
const NOW: &str = "SET CONSTRAINTS ALL IMMEDIATE";

/// Values to try for application settings: a number, or a tenant id.
const SETTINGS: [&str; 2] = ["1", "00000000-0000-4000-8000-000000000001"];
/// How many application settings get a value.
const MOST_SETTINGS: usize = 8;

/// Runs a statement as an application would, in the open transaction, and rolls it back. Returns the server's error.
pub(super) async fn trial(client: &Client, sql: &str) -> Result<Option<ServerError>, RowsError> {
    let savepoint = format!("SAVEPOINT trial; {AS_APPLICATION}");
    client.batch_execute(&savepoint).await?;
    let refused = match client.batch_execute(sql).await.map_err(RowsError::from) {
        Ok(()) => None,
        Err(RowsError::Query(error)) => Some(*error),
        Err(error) => return Err(error),
    };
    client
        .batch_execute("ROLLBACK TO SAVEPOINT trial; RELEASE SAVEPOINT trial")
        .await?;
    Ok(refused)
}

/// Fires each trigger of a table on each of its events; `notes` receives what could not be tested. A table without rows is
/// not tested.
pub(super) async fn exercise(
    client: &Client,
    table: &TriggeredTable,
    notes: &mut Vec<String>,
) -> Result<Vec<BrokenCode>, RowsError> {
    // A role that may not set it does not run as `replica` either.
    let _refused = attempt(client, async { Ok(client.batch_execute(ORIGIN).await?) }).await?;
    let trials = Trials::read(client, table).await?;
    let mut broken = Vec::new();
    for event in [Event::Insert, Event::Update, Event::Delete, Event::Truncate] {
        let triggers: Vec<&Trigger> = table
            .triggers
            .iter()
            .filter(|trigger| trigger.fires_on(event))
            .collect();
        if triggers.is_empty() {
            continue;
        }
        let mut error = trials.attempt(event).await?;
        let mut only_changes = false;
        if error.is_none() && event == Event::Update {
            error = trials.change().await?;
            only_changes = true;
        }
        if let Some(error) = error.filter(|error| shows_broken_code(error, &table.triggers)) {
            let values = trials.rows.iter().flatten().flatten().map(String::as_str);
            if may_be_the_values(&error, &table.triggers, values) {
                notes.push(format!(
                    "the triggers of {} are only partly tested on {event}: a row value causes an error: {} ({})",
                    shown(&table.schema, &table.name),
                    error.message,
                    error.sqlstate
                ));
                continue;
            }
            broken.push(BrokenCode {
                what: Broken::Trigger {
                    table: shown(&table.schema, &table.name),
                    trigger: culprit(&error, &triggers),
                    event,
                    only_changes,
                },
                message: error.message,
                sqlstate: error.sqlstate,
            });
        }
    }
    Ok(broken)
}

/// The tested rows of a table.
struct Trials<'a> {
    client: &'a Client,
    table: &'a TriggeredTable,
    name: String,
    /// Their `ctid`s.
    places: Vec<String>,
    /// Their values.
    rows: Vec<Vec<Option<String>>>,
}

impl<'a> Trials<'a> {
    async fn read(client: &'a Client, table: &'a TriggeredTable) -> Result<Self, RowsError> {
        let name = format!(
            "{}.{}",
            quote_identifier(&table.schema),
            quote_identifier(&table.name)
        );
        let columns: String = table
            .columns
            .iter()
            .map(|column| format!(", {}", quote_identifier(&column.name)))
            .collect();
        let sql = format!(
            "SELECT ctid{columns} FROM {} {name} LIMIT {ROWS}",
            if table.partitioned { "" } else { "ONLY" }
        );
        let mut places = Vec::new();
        let mut rows = Vec::new();
        for message in client.simple_query(&sql).await? {
            if let SimpleQueryMessage::Row(row) = message {
                places.push(row.get(0).unwrap_or_default().to_owned());
                rows.push(
                    (1..row.len())
                        .map(|place| row.get(place).map(str::to_owned))
                        .collect(),
                );
            }
        }
        Ok(Self {
            client,
            table,
            name,
            places,
            rows,
        })
    }

    /// As [`trial`], but sets the application settings that triggers read.
    async fn trial(&self, sql: &str) -> Result<Option<ServerError>, RowsError> {
        let mut error = trial(self.client, sql).await?;
        let mut names: Vec<String> = Vec::new();
        while let Some(name) = error.as_ref().and_then(missing_setting)
            && names.len() < MOST_SETTINGS
            && !names.iter().any(|known| known == name)
        {
            names.push(name.to_owned());
            for value in SETTINGS {
                let set: String = names
                    .iter()
                    .map(|name| {
                        let (name, value) = (quote_literal(name), quote_literal(value));
                        format!("SELECT pg_catalog.set_config({name}, {value}, true); ")
                    })
                    .collect();
                error = trial(self.client, &format!("{set}{sql}")).await?;
                let is_of_another_type = |error: &ServerError| error.sqlstate.starts_with("22");
                if !error.as_ref().is_some_and(is_of_another_type) {
                    break;
                }
            }
        }
        Ok(error)
    }

    async fn attempt(&self, event: Event) -> Result<Option<ServerError>, RowsError> {
        let Some(first) = self.places.first() else {
            return Ok(None);
        };
        let here = format!("ctid = {}", quote_literal(first));
        let name = &self.name;
        match event {
            Event::Insert => {
                // The existing row is deleted first, so that its copy does not violate a unique constraint.
                let sql = format!(
                    "{REPLICA}; DELETE FROM {name} WHERE {here}; {ORIGIN}; {}; {NOW}",
                    self.insert()
                );
                self.trial(&sql).await
            }
            Event::Update => {
                let assignments: Vec<String> = self
                    .table
                    .columns
                    .iter()
                    .filter(|column| column.assignable)
                    .map(|column| format!("{0} = {0}", quote_identifier(&column.name)))
                    .collect();
                if assignments.is_empty() {
                    return Ok(None);
                }
                let places: Vec<String> = self
                    .places
                    .iter()
                    .map(|place| format!("\"{place}\""))
                    .collect();
                let sql = format!(
                    "UPDATE {name} SET {} WHERE ctid = ANY ({}::tid[]); {NOW}",
                    assignments.join(", "),
                    quote_literal(&format!("{{{}}}", places.join(",")))
                );
                self.trial(&sql).await
            }
            Event::Delete => {
                let delete = format!("DELETE FROM {name} WHERE {here}; {NOW}");
                let error = self.trial(&delete).await?;
                // Referencing rows are deleted first.
                if error
                    .as_ref()
                    .is_none_or(|error| error.code() != SqlState::FOREIGN_KEY_VIOLATION)
                {
                    return Ok(error);
                }
                let children: String = self
                    .table
                    .children
                    .iter()
                    .map(|child| format!("DELETE FROM {child}; "))
                    .collect();
                let sql = format!("{REPLICA}; {children}{ORIGIN}; {delete}");
                self.trial(&sql).await
            }
            Event::Truncate => {
                let sql = format!("TRUNCATE {name} CASCADE; {NOW}");
                self.trial(&sql).await
            }
        }
    }

    /// Updates the first row to the values of each other row, except in unique columns.
    async fn change(&self) -> Result<Option<ServerError>, RowsError> {
        let assignments: Vec<String> = self
            .table
            .columns
            .iter()
            .filter(|column| column.assignable && !column.unique)
            .map(|column| format!("{0} = other.{0}", quote_identifier(&column.name)))
            .collect();
        let Some(first) = self.places.first().filter(|_| !assignments.is_empty()) else {
            return Ok(None);
        };
        for other in self.places.iter().skip(1).take(4) {
            let sql = format!(
                "UPDATE {0} AS this SET {1} FROM {0} AS other WHERE this.ctid = {2} AND other.ctid = {3}; {NOW}",
                self.name,
                assignments.join(", "),
                quote_literal(first),
                quote_literal(other),
            );
            let error = self.trial(&sql).await?;
            if let Some(error) =
                error.filter(|error| shows_broken_code(error, &self.table.triggers))
            {
                return Ok(Some(error));
            }
        }
        Ok(None)
    }

    fn insert(&self) -> String {
        let kept: Vec<usize> = (0..self.table.columns.len())
            .filter(|place| !self.table.columns[*place].generated)
            .collect();
        let names: Vec<String> = kept
            .iter()
            .map(|place| quote_identifier(&self.table.columns[*place].name))
            .collect();
        let values: Vec<String> = kept
            .iter()
            .map(|place| match self.rows.first().map(|row| &row[*place]) {
                Some(Some(value)) => quote_literal(value),
                _ => "NULL".to_owned(),
            })
            .collect();
        if names.is_empty() {
            return format!("INSERT INTO {} DEFAULT VALUES", self.name);
        }
        format!(
            "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({})",
            self.name,
            names.join(", "),
            values.join(", ")
        )
    }
}
