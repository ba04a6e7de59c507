//! What to do with a statement, after a check of the catalog.

use domain::commented;
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use super::before::Before;
use super::{indexes, objects, partitions, reindex};
use crate::runner::fault::Fault;
use crate::runner::step::StepContext;
use pg_session::Session;
use pg_sql::{Name, Statement, StatementKind, is_repeatable, lasting_change};
use settings::UnknownOutcome;
use store::ProgressState;

/// What to do with a statement.
#[derive(Debug)]
pub(in crate::runner) enum Finding {
    /// It is done; the text gives the evidence.
    Done(String),
    /// It is half-done, and another statement finishes it.
    Finish {
        /// The other statement.
        sql: String,
        /// What to store with the intent.
        before: Before,
        /// What was found.
        recovered: String,
    },
    /// Run it, after these statements.
    Run {
        /// Statements that drop what an earlier attempt has left.
        first: Vec<String>,
        /// What to store with the intent. `None` if no intent is worth recording: the catalog already shows the result, which this file
        /// then did not produce.
        before: Option<Before>,
        /// What was found and is dropped.
        recovered: Option<String>,
    },
}

impl Finding {
    /// Run it; `before` is the current state of the catalog.
    pub(super) fn run(before: Before) -> Self {
        Self::Run {
            first: Vec::new(),
            before: Some(before),
            recovered: None,
        }
    }

    /// Run it, and let the server report what is wrong with it.
    pub(super) fn run_as_it_is() -> Self {
        Self::run(Before::Repeatable)
    }
}

/// A check of the catalog for one statement.
pub(in crate::runner) struct CatalogCheck<'a> {
    pub(in crate::runner) session: &'a Session,
    pub(in crate::runner) context: &'a StepContext<'a>,
}

impl CatalogCheck<'_> {
    /// Checks a statement. `state` is what an earlier attempt recorded of it.
    pub(in crate::runner) async fn at(
        &self,
        statement: &Statement<'_>,
        kind: &StatementKind,
        state: Option<&ProgressState>,
    ) -> Result<Finding, Fault> {
        let finding = self.find(statement, kind, state).await;
        finding.map_err(|fault| fault.pointing_at(statement.offset))
    }

    async fn find(
        &self,
        statement: &Statement<'_>,
        kind: &StatementKind,
        state: Option<&ProgressState>,
    ) -> Result<Finding, Fault> {
        let earlier = Before::of(state);
        match kind {
            StatementKind::CreateIndexConcurrently {
                index,
                table,
                if_not_exists,
                unique,
                definition,
            } => {
                let wanted = indexes::Wanted {
                    name: index.as_ref(),
                    table,
                    if_not_exists: *if_not_exists,
                    unique: *unique,
                    definition,
                };
                indexes::created(self, &wanted, earlier.as_ref()).await
            }
            StatementKind::DropIndexConcurrently { indexes, .. } => {
                indexes::dropped(self, indexes, earlier.as_ref()).await
            }
            StatementKind::ReindexConcurrently { target } => {
                reindex::reindexed(self, target, earlier.as_ref()).await
            }
            StatementKind::DetachPartitionConcurrently {
                table, partition, ..
            } => partitions::detached(self, table, partition, earlier.as_ref()).await,
            _ => match lasting_change(statement) {
                Some(change) => objects::changed(self, &change, earlier.as_ref()).await,
                None if is_repeatable(statement) => Ok(Finding::run_as_it_is()),
                None => self.untraceable(statement, earlier.as_ref(), state.is_some()),
            },
        }
    }

    /// Handles a procedure that commits by itself: it never runs a second time without an explicit request.
    fn untraceable(
        &self,
        statement: &Statement<'_>,
        earlier: Option<&Before>,
        intended: bool,
    ) -> Result<Finding, Fault> {
        let text = beginning(statement.text);
        let failed = matches!(earlier, Some(Before::Untraceable { failed: true, .. }));
        if intended && !failed {
            match self.context.engine.unknown_outcome {
                None => return Err(self.unknown_outcome(&text)),
                Some(UnknownOutcome::Done) => {
                    return Ok(Finding::Done(
                        "counted as done because of --unknown-outcome".to_owned(),
                    ));
                }
                Some(UnknownOutcome::Again) => {}
            }
        }
        Ok(Finding::run(Before::Untraceable {
            text,
            failed: false,
        }))
    }

    fn unknown_outcome(&self, text: &str) -> Fault {
        Fault::refused(
            format!("an interrupted run started `{text}`; it is unknown whether it finished"),
            commented(
                format!("{} --unknown-outcome done", self.context.rerun_command),
                "check the data first: this continues after it; --unknown-outcome again runs it from its start; revert undoes the file",
            ),
        )
    }

    /// Queries the catalog, under our settings.
    pub(super) async fn ask(
        &self,
        sql: &str,
        parameters: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Vec<Row>, Fault> {
        self.session
            .aside(async |client| client.query_typed(sql, parameters).await)
            .await
            .map_err(Fault::of)
    }

    /// Finds the relation of that name through the `search_path` of the file. It runs under the file's settings, so the query must mean
    /// the same under any settings.
    pub(super) async fn relation(&self, name: &Name) -> Result<Option<u32>, Fault> {
        let rows = self
            .session
            .client()
            .query_typed(
                "SELECT pg_catalog.to_regclass($1)::pg_catalog.oid",
                &[(&name.to_string(), Type::TEXT)],
            )
            .await
            .map_err(Fault::of)?;
        Ok(rows.first().and_then(|row| row.get(0)))
    }
}

/// The beginning of a statement, shortened for a message, on one line.
fn beginning(text: &str) -> String {
    const LONGEST: usize = 60;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
