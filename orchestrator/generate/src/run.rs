//! Computes the steps and proves them.

use std::path::PathBuf;

use catalog::{Difference, Snapshot, compare};
use client_program::ClientProgram;
use domain::{Diagnostic, Service};
use pg_address::DatabaseAddress;
use scratch::{Replay, ScratchError, ScratchServers};

use crate::both::Both;
use crate::database::Database;
use crate::model::Model;
use crate::plan::{Likely, Loss, Plan, Planner, Statement, same_by_another_name};
use crate::rename;

/// What to generate.
pub struct Request<'a> {
    pub service: &'a Service,
    /// Where its scratch databases are.
    pub server: &'a DatabaseAddress,
    /// The folder of pg_dump, which writes the SQL, if it is given.
    pub pg_bin: Option<PathBuf>,
    /// The contents of `schema.sql`.
    pub schema: &'a str,
    /// The values of `--rename`.
    pub renames: &'a [String],
    /// Whether a drop and an addition that look alike are meant.
    pub no_rename: bool,
}

/// A migration and its revert.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// The statements of the migration.
    pub up: Vec<Statement>,
    /// The statements of the revert.
    pub down: Vec<Statement>,
}

impl Step {
    fn has_sql_function(&self) -> bool {
        (self.up.iter().chain(&self.down))
            .any(|it| it.sql.starts_with("CREATE ") && it.sql.contains("LANGUAGE sql"))
    }
}

/// The direction of a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The migration.
    Up,
    /// The revert.
    Down,
}

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

/// The outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Generated {
    /// `schema.sql` declares what the migrations produce.
    Nothing,
    /// `schema.sql` does not load.
    Invalid(String),
    /// No object has the name that `--rename` gives.
    UnknownRename(String),
    /// These may be renames, and nothing else was computed.
    Ambiguous(Vec<Likely>),
    Steps {
        /// The migrations, in order.
        steps: Vec<Step>,
        /// What they delete for good.
        losses: Vec<Loss>,
        /// Why they are not proven; empty if they are.
        remaining: Vec<Remaining>,
    },
}

/// Computes the steps from the migrations of a service to its `schema.sql`, and proves them.
///
/// # Errors
/// When the scratch databases cannot be used, or the migrations do not run.
pub async fn generate(
    scratch_servers: &ScratchServers<'_>,
    request: &Request<'_>,
) -> Result<Generated, ScratchError> {
    let (service, server) = (request.service, request.server);
    let both = match Both::prepare(scratch_servers, service, server, request.schema).await? {
        Ok(both) => both,
        Err(message) => return Ok(Generated::Invalid(message)),
    };
    let pg_dump = pg_dump(request, &both.current.replay).await?;
    let generated = Box::pin(between(request, &pg_dump, &both.current, &both.desired)).await?;
    both.finish().await;
    Ok(generated)
}

/// A pg_dump of the server's version.
async fn pg_dump(
    request: &Request<'_>,
    replay: &Replay<'_>,
) -> Result<ClientProgram, ScratchError> {
    let version = replay.server_version().await?;
    let digits = version.find(|c: char| !c.is_ascii_digit());
    let major = version[..digits.unwrap_or(version.len())].parse();
    let folder = request.pg_bin.clone();
    let finding = move || ClientProgram::find("pg_dump", folder.as_deref(), major.unwrap_or(0));
    let found = tokio::task::spawn_blocking(finding).await;
    let found = found.map_err(|error| Diagnostic::failed("cannot look for pg_dump", &error))?;
    Ok(found.map_err(Diagnostic::from)?)
}

async fn between(
    request: &Request<'_>,
    pg_dump: &ClientProgram,
    current: &Database<'_>,
    desired: &Database<'_>,
) -> Result<Generated, ScratchError> {
    let (before, after) = (current.snapshot().await?, desired.snapshot().await?);
    if compare(&after, &before).is_same() {
        return Ok(Generated::Nothing);
    }
    let goal = desired.model(pg_dump).await?;
    let mut start = current.model(pg_dump).await?;
    let mut renames = Vec::new();
    for text in request.renames {
        match rename::statements(&start, text) {
            Some(statements) => renames.push(statements),
            None => return Ok(Generated::UnknownRename(text.clone())),
        }
    }
    let mut renamed: Option<Database<'_>> = None;
    if !renames.is_empty() {
        let copy = copy_of(current).await?;
        if let Err(message) = run_all(&copy, renames.iter().map(|it| it.0.as_str())).await? {
            return Ok(Generated::UnknownRename(message));
        }
        start = copy.model(pg_dump).await?;
        renamed = Some(copy);
    }
    let implied = same_by_another_name(&start, &goal);
    if !implied.is_empty() {
        let copy = match renamed {
            Some(copy) => copy,
            None => copy_of(current).await?,
        };
        // Without them the objects are dropped and created.
        if run_all(&copy, implied.iter().map(|it| it.0.as_str()))
            .await?
            .is_ok()
        {
            renames.extend(implied);
        }
        start = copy.model(pg_dump).await?;
        renamed = Some(copy);
    }
    let up = plan(&start, &goal);
    if !up.likely.is_empty() && !request.no_rename {
        return Ok(Generated::Ambiguous(up.likely));
    }
    let down = plan(&goal, &start);
    let losses = up.losses.clone();
    let is_mixed = up.statements.iter().any(|it| it.adds_value)
        && !up.statements.iter().all(|it| it.adds_value);
    let mut steps = vec![Step {
        up: up.statements.clone(),
        down: down.statements,
    }];
    if is_mixed {
        // The transaction that adds a value cannot use it.
        let middle = copy_of(renamed.as_ref().unwrap_or(current)).await?;
        let first: Vec<Statement> = up
            .statements
            .iter()
            .filter(|it| it.adds_value)
            .cloned()
            .collect();
        if run_all(&middle, first.iter().map(|it| it.sql.as_str()))
            .await?
            .is_ok()
        {
            let with_values = middle.model(pg_dump).await?;
            steps = vec![
                Step {
                    up: first,
                    down: plan(&with_values, &start).statements,
                },
                Step {
                    up: plan(&with_values, &goal).statements,
                    down: plan(&goal, &with_values).statements,
                },
            ];
        }
        middle.replay.finish().await;
    }
    if let Some(step) = steps.first_mut() {
        let statement = |sql: String| Statement {
            sql,
            about: "Renames.".to_owned(),
            adds_value: false,
        };
        let (ups, downs): (Vec<_>, Vec<_>) = renames.into_iter().unzip();
        step.up.splice(0..0, ups.into_iter().map(statement));
        step.down.extend(downs.into_iter().rev().map(statement));
    }
    if let Some(copy) = renamed {
        copy.replay.finish().await;
    }
    let proof = (&before, &after, &goal, pg_dump);
    let mut remaining = prove(current, proof, &steps).await?;
    if matches!(remaining.as_slice(), [Remaining::Fails { .. }])
        && steps.iter().any(Step::has_sql_function)
    {
        // pg_dump creates functions first, whose bodies may use tables that follow.
        for statements in steps.iter_mut().flat_map(|it| [&mut it.up, &mut it.down]) {
            let setting = Statement {
                sql: "SET LOCAL check_function_bodies = off;".to_owned(),
                about: "The bodies of functions may use objects that are created after them."
                    .to_owned(),
                adds_value: false,
            };
            statements.insert(0, setting);
        }
        remaining = prove(current, proof, &steps).await?;
    }
    Ok(Generated::Steps {
        steps,
        losses,
        remaining,
    })
}

/// Runs the steps up and down on a copy, and compares the schemas.
async fn prove(
    current: &Database<'_>,
    (before, after, goal, pg_dump): (&Snapshot, &Snapshot, &Model, &ClientProgram),
    steps: &[Step],
) -> Result<Vec<Remaining>, ScratchError> {
    let database = copy_of(current).await?;
    let mut remaining = Vec::new();
    for direction in [Direction::Up, Direction::Down] {
        let sides: Vec<&[Statement]> = match direction {
            Direction::Up => steps.iter().map(|it| it.up.as_slice()).collect(),
            Direction::Down => steps.iter().rev().map(|it| it.down.as_slice()).collect(),
        };
        for statements in sides {
            if let Err(message) =
                run_all(&database, statements.iter().map(|it| it.sql.as_str())).await?
            {
                remaining.push(Remaining::Fails { direction, message });
                database.replay.finish().await;
                return Ok(remaining);
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
            let again = plan(&database.model(pg_dump).await?, goal).statements;
            if !again.is_empty() {
                remaining.push(Remaining::Again(again));
            }
        }
    }
    database.replay.finish().await;
    Ok(remaining)
}

fn plan(from: &Model, to: &Model) -> Plan {
    Planner::plan(&mut from.clone(), &mut to.clone())
}

async fn copy_of<'a>(database: &Database<'a>) -> Result<Database<'a>, ScratchError> {
    Ok(Database {
        replay: database.replay.copy_beside().await?,
    })
}

/// Runs statements in one transaction. The inner error names the statement that fails.
async fn run_all<'s>(
    database: &Database<'_>,
    statements: impl Iterator<Item = &'s str>,
) -> Result<Result<(), String>, ScratchError> {
    let statements: Vec<&str> = statements.collect();
    let sql = statements.join("\n");
    Ok(database.run(&sql).await?.map_err(|error| error.to_string()))
}
