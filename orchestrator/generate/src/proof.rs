//! Proves files: the engine runs them on a copy with generated rows, up and down, and the schemas are compared.

use std::fmt;

use catalog::{Difference, Snapshot, compare};
use client_program::ClientProgram;
use domain::{Diagnostic, Direction, Failure, Migration, Service, Version};
use pg_sql::quote_identifier as quote;
use row_generator::{Culprit, Digests, Filler, LossKind, RowsError, digest, losses};
use safe_form::Guarantees;
use scratch::ScratchError;
use store::DEFAULT_HISTORY_TABLE;

use crate::database::Database;
use crate::file::{File, Step};
use crate::model::Model;
use crate::plan::{Loss, Statement, plan};

/// What the proof found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remaining {
    /// The SQL does not run.
    Fails {
        /// In which direction.
        direction: Direction,
        /// The message of the server.
        message: String,
    },
    /// The schema that results is another one.
    Differs {
        /// In which direction.
        direction: Direction,
        /// The objects that differ.
        differences: Vec<Difference>,
    },
    /// Generating again would yield statements.
    Again(Vec<Statement>),
}

impl fmt::Display for Remaining {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fails { message, .. } => f.write_str(message),
            Self::Differs { differences, .. } => match differences.first() {
                Some(it) => write!(f, "{} {} would differ", it.kind.words(), it.object),
                None => f.write_str("the schema would differ"),
            },
            Self::Again(_) => f.write_str("generating again would yield statements"),
        }
    }
}

/// What a proof requires.
pub(crate) struct Proof<'p, 'a> {
    pub(crate) service: &'p Service,
    /// The version of the first file.
    pub(crate) version: Version,
    /// The name of the migration in file names.
    pub(crate) name: &'p str,
    pub(crate) current: &'p Database<'a>,
    /// The schemas before the migration and after it.
    pub(crate) states: (&'p Snapshot, &'p Snapshot),
    pub(crate) goal: &'p Model,
    pub(crate) pg_dump: &'p ClientProgram,
}

impl Proof<'_, '_> {
    /// Writes the steps as files and proves these.
    pub(crate) async fn of(
        &self,
        mut steps: Vec<Step>,
        losses: &[Loss],
    ) -> Result<(Vec<File>, Vec<Remaining>, Vec<Loss>), ScratchError> {
        let files = File::of(&steps, self.version, self.name, losses);
        let (remaining, on_rows) = self.prove(&files).await?;
        if !matches!(remaining.as_slice(), [Remaining::Fails { .. }])
            || !steps.iter().any(Step::has_sql_function)
        {
            return Ok((files, remaining, on_rows));
        }
        // pg_dump creates functions first, whose bodies may use tables that follow.
        let sides = steps.iter_mut().flat_map(|it| [&mut it.up, &mut it.down]);
        for side in sides.filter(|it| !it.is_apart && !it.statements.is_empty()) {
            let setting = Statement {
                sql: "SET LOCAL check_function_bodies = off;".to_owned(),
                about: "The bodies of functions may use objects that are created after them."
                    .to_owned(),
                adds_value: false,
            };
            side.statements.insert(0, setting);
        }
        let files = File::of(&steps, self.version, self.name, losses);
        let (remaining, on_rows) = self.prove(&files).await?;
        Ok((files, remaining, on_rows))
    }

    /// Proves the files with generated rows, and what happens to these; without rows, if they do not run with them.
    async fn prove(&self, files: &[File]) -> Result<(Vec<Remaining>, Vec<Loss>), ScratchError> {
        let mut on_rows = Vec::new();
        let remaining = self.attempt(files, Some(&mut on_rows)).await?;
        if !(on_rows.iter()).any(|it| ["needs-empty-table", "fails-on-rows"].contains(&it.rule)) {
            return Ok((remaining, on_rows));
        }
        Ok((self.attempt(files, None).await?, on_rows))
    }

    /// Runs the files up and down on a copy, as the engine would, and compares the schemas.
    async fn attempt(
        &self,
        files: &[File],
        mut on_rows: Option<&mut Vec<Loss>>,
    ) -> Result<Vec<Remaining>, ScratchError> {
        let mut service = self.service.clone();
        let mut remaining = Vec::new();
        let mut migrations = Vec::new();
        for file in files {
            match file.migration() {
                Ok(migration) => migrations.push(migration),
                Err(error) => {
                    let (direction, message) = (Direction::Up, error.to_string());
                    return Ok(vec![Remaining::Fails { direction, message }]);
                }
            }
        }
        service.migrations.extend(migrations.iter().cloned());
        let copy = self.current.replay.copy_beside().await?;
        let database = Database {
            replay: copy.keeping_session(),
        };
        let connection = database.connect().await?;
        let client = &connection.client;
        let rows = match on_rows {
            None => None,
            Some(_) => {
                Filler::default().fill(client).await.map_err(of_rows)?;
                Some(digest(client, None).await.map_err(of_rows)?)
            }
        };
        let mut rows_up = None;
        let (before, after) = self.states;
        for direction in [Direction::Up, Direction::Down] {
            let mut order: Vec<&Migration> = migrations.iter().collect();
            if direction == Direction::Down {
                order.reverse();
            }
            if let Err((message, failure)) =
                self.run(&database, &service, &order, direction).await?
            {
                if let (Some(on_rows), Some(rows), Some(failure)) =
                    (on_rows.as_deref_mut(), &rows, failure)
                    && rows.rows() > 0
                {
                    on_rows.push(failed_on(rows, &failure));
                }
                remaining.push(Remaining::Fails { direction, message });
                break;
            }
            if let Some(before) = &rows {
                let here = digest(client, Some(before)).await.map_err(of_rows)?;
                match (&rows_up, on_rows.as_deref_mut()) {
                    (Some(up), Some(on_rows)) => on_rows.extend(changed(before, up, &here)),
                    _ => rows_up = Some(here),
                }
            }
            let expected = match direction {
                Direction::Up => after,
                Direction::Down => before,
            };
            let differences = compare(expected, &database.snapshot().await?).differences;
            if !differences.is_empty() {
                remaining.push(Remaining::Differs {
                    direction,
                    differences,
                });
            } else if direction == Direction::Up {
                let again = plan(&database.model(self.pg_dump).await?, self.goal).statements;
                if !again.is_empty() {
                    remaining.push(Remaining::Again(again));
                }
            }
        }
        drop(connection);
        database.replay.finish().await;
        Ok(remaining)
    }

    /// Runs migrations one by one. The inner error is why they are not proven.
    async fn run(
        &self,
        database: &Database<'_>,
        service: &Service,
        migrations: &[&Migration],
        direction: Direction,
    ) -> Result<Result<(), (String, Option<Box<Failure>>)>, ScratchError> {
        let (before, after) = self.states;
        let guarantees = (Guarantees::of(before), Guarantees::of(after));
        for (index, migration) in migrations.iter().enumerate() {
            let one = [*migration];
            let taken = (database.replay)
                .take(service, DEFAULT_HISTORY_TABLE, &one, direction, None)
                .await;
            match taken {
                Ok(_) => {}
                Err(ScratchError::Replay {
                    trouble, failure, ..
                }) => return Ok(Err((trouble, failure))),
                Err(error) => return Err(error),
            }
            // The reverts pass the same states.
            if direction == Direction::Up && index + 1 < migrations.len() {
                let here = Guarantees::of(&database.snapshot().await?);
                if let Some(guarantee) = here.missing(&guarantees.0, &guarantees.1) {
                    let file = &migration.script.path;
                    let message = format!("after {file} this would be missing: {guarantee}");
                    return Ok(Err((message, None)));
                }
            }
        }
        Ok(Ok(()))
    }
}

fn of_rows(error: RowsError) -> ScratchError {
    Diagnostic::from(error)
        .within("cannot read the rows of a scratch database")
        .into()
}

/// A failure on generated rows. A new column without values fails on any rows.
fn failed_on(before: &Digests, failure: &Failure) -> Loss {
    let object = failure.object.as_deref();
    let Some((table, object)) = object.and_then(|it| Some((it.table.as_ref()?, it))) else {
        return Loss {
            rule: "fails-on-rows",
            object: format!("{}:{}", failure.file, failure.line.unwrap_or(1)),
        };
    };
    let is_new = |column: &String| !before.has_column(object.schema.as_deref(), table, column);
    let rule = match (failure.sqlstate.as_deref(), &object.column) {
        (Some("23502"), Some(column)) if is_new(column) => "needs-empty-table",
        _ => "fails-on-rows",
    };
    let last = object.column.as_ref().or(object.constraint.as_ref());
    let names: Vec<String> = ([object.schema.as_ref(), Some(table), last]
        .into_iter()
        .flatten())
    .map(|it| quote(it))
    .collect();
    Loss {
        rule,
        object: names.join("."),
    }
}

/// The values that do not survive the migration and its revert, apart from those of dropped tables and columns.
fn changed(before: &Digests, up: &Digests, down: &Digests) -> Vec<Loss> {
    (losses(before, up, down).into_iter())
        .filter(|it| it.loses() && it.culprit != Culprit::Drop)
        .map(|it| Loss {
            rule: "loses-data",
            object: match it.kind {
                LossKind::Changed { column, .. } => format!("{}.{}", it.table, quote(&column)),
                _ => it.table,
            },
        })
        .collect()
}
