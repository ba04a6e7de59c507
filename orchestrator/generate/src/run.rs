//! Computes the steps, and has them proven.

use std::collections::BTreeSet;
use std::path::PathBuf;

use catalog::compare;
use client_program::{ClientProgram, major};
use domain::{Diagnostic, Service, Version};
use pg_address::DatabaseAddress;
use scratch::{Replay, ScratchError, ScratchServers};

use crate::both::Both;
use crate::database::Database;
use crate::file::{File, Side, Step};
use crate::model::Model;
use crate::plan::{Likely, Loss, Plan, Planner, Statement, plan, same_by_another_name};
use crate::proof::{Proof, Remaining};
use crate::rename;
use crate::safe::{Choice, Layout, Place, is_apart};

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
    /// Whether the statements keep their plain form, which blocks traffic on large tables.
    pub is_unsafe: bool,
    /// The version of the first migration.
    pub version: Version,
    /// The name of the migration in file names.
    pub name: &'a str,
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
    Files {
        /// The migrations with their reverts, in order.
        files: Vec<File>,
        /// What they delete for good.
        losses: Vec<Loss>,
        /// Why they are not proven; empty if they are.
        remaining: Vec<Remaining>,
        /// Why they keep their plain form although a safe one is known.
        not_safe: Option<String>,
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
    let major = major(&replay.server_version().await?);
    let folder = request.pg_bin.clone();
    let finding = move || ClientProgram::find("pg_dump", folder.as_deref(), major);
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
    let mut renamed: Option<Database<'_>> = None;
    if !request.renames.is_empty() {
        let copy = copy_of(current).await?;
        for text in request.renames {
            let mut found = rename::statements(&start, text);
            let has_new_schema = (renames.last())
                .is_some_and(|it: &(String, String)| it.0.starts_with("CREATE SCHEMA"));
            if found.is_none() || has_new_schema {
                // It may refer to a name that an earlier one gives.
                start = copy.model(pg_dump).await?;
                found = rename::statements(&start, text);
            }
            let Some(statements) = found else {
                return Ok(Generated::UnknownRename(text.clone()));
            };
            if let Err(message) = run_all(&copy, [statements.0.as_str()].into_iter()).await? {
                return Ok(Generated::UnknownRename(message));
            }
            renames.push(statements);
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
    let losses = up.losses.clone();
    let origin = renamed.as_ref().unwrap_or(current);
    let plain = plain(origin, pg_dump, (&start, &goal), &up).await?;
    let proof = Proof {
        service: request.service,
        version: request.version,
        name: request.name,
        current,
        states: (&before, &after),
        goal: &goal,
        pg_dump,
    };
    let (mut proven, mut not_safe) = (None, None);
    if !request.is_unsafe {
        match safe(origin, pg_dump, &plain, &goal).await? {
            Ok(None) => {}
            Err(why) => not_safe = Some(why),
            Ok(Some(steps)) => {
                let outcome = proof.of(with_renames(steps, &renames), &losses).await?;
                match outcome.1.first() {
                    None => proven = Some(outcome),
                    Some(why) => not_safe = Some(why.to_string()),
                }
            }
        }
    }
    let (files, remaining, on_rows) = match proven {
        Some(proven) => proven,
        None => {
            let steps = plain.into_iter().map(|it| it.step).collect();
            proof.of(with_renames(steps, &renames), &losses).await?
        }
    };
    if let Some(copy) = renamed {
        copy.replay.finish().await;
    }
    Ok(Generated::Files {
        files,
        losses: [losses, on_rows].concat(),
        remaining,
        not_safe,
    })
}

/// A step, and the schema before it.
struct PlainStep {
    start: Model,
    step: Step,
}

/// The steps in their plain form: values of enums have a file of their own if others may use them.
async fn plain(
    origin: &Database<'_>,
    pg_dump: &ClientProgram,
    (start, goal): (&Model, &Model),
    up: &Plan,
) -> Result<Vec<PlainStep>, ScratchError> {
    let (values, others): (Vec<Statement>, Vec<Statement>) =
        (up.statements.iter().cloned()).partition(|it| it.adds_value);
    if !values.is_empty() && !others.is_empty() {
        // The transaction that adds a value cannot use it.
        let middle = copy_of(origin).await?;
        let sql: Vec<&str> = values.iter().map(|it| it.sql.as_str()).collect();
        let steps = match middle.run(&sql.join("\n")).await? {
            Err(_) => None,
            Ok(()) => {
                let with_values = middle.model(pg_dump).await?;
                let first = Step {
                    suffix: "enum_values",
                    up: Side::plain(values),
                    down: Side::plain(revert(&with_values, start)),
                };
                let second = Step {
                    suffix: "",
                    up: Side::plain(plan(&with_values, goal).statements),
                    down: Side::plain(revert(goal, &with_values)),
                };
                Some(vec![
                    PlainStep {
                        start: start.clone(),
                        step: first,
                    },
                    PlainStep {
                        start: with_values,
                        step: second,
                    },
                ])
            }
        };
        middle.replay.finish().await;
        if let Some(steps) = steps {
            return Ok(steps);
        }
    }
    let step = Step {
        suffix: "",
        up: Side::plain(up.statements.clone()),
        down: Side::plain(revert(goal, start)),
    };
    Ok(vec![PlainStep {
        start: start.clone(),
        step,
    }])
}

/// The steps in their safe form, each with a revert to the schema before it. `None` if there is none; the inner error is why it
/// does not run.
async fn safe(
    origin: &Database<'_>,
    pg_dump: &ClientProgram,
    plain: &[PlainStep],
    goal: &Model,
) -> Result<Result<Option<Vec<Step>>, String>, ScratchError> {
    let Some(last) = plain.last() else {
        return Ok(Ok(None));
    };
    let mut choice = Choice {
        suffix: "__new",
        late: BTreeSet::new(),
    };
    let layout_of = |choice: &Choice| Layout::of(&last.start, &last.step.up.statements, choice);
    let mut layout = layout_of(&choice);
    let reverts_safely = Layout::in_one_file(goal, &last.step.down.statements).is_apart;
    if !layout.has_forms && !reverts_safely {
        return Ok(Ok(None));
    }
    let walked = copy_of(origin).await?;
    let mut steps: Vec<Step> = Vec::new();
    for earlier in plain.iter().rev().skip(1).rev() {
        let sql = earlier.step.up.sql();
        let run = walked.run(&sql.join("\n")).await?;
        if let Err(error) = run {
            walked.replay.finish().await;
            return Ok(Err(error.to_string()));
        }
        steps.push(earlier.step.clone());
    }
    loop {
        let first = layout.first();
        let sql: Vec<&str> = first.iter().map(|(_, sql)| *sql).collect();
        let failing = walked.failing(&sql).await?;
        if failing.is_empty() {
            break;
        }
        let late = failing.iter().filter_map(|it| first.get(*it));
        choice.late.extend(late.map(|(place, _)| *place));
        layout = layout_of(&choice);
    }
    let files = layout.files();
    let mut before = last.start.clone();
    for (index, (place, statements)) in files.iter().enumerate() {
        let up = Side {
            is_apart: statements.iter().any(is_apart),
            statements: statements.clone(),
        };
        let is_last = index + 1 == files.len();
        let behind = if is_last {
            goal.clone()
        } else {
            let setting = "SET LOCAL check_function_bodies = off;\n".to_owned();
            let run = match up.is_apart {
                true => walked.run_apart(&up.sql()).await?,
                false => walked.run(&(setting + &up.sql().join("\n"))).await?,
            };
            if let Err(error) = run {
                walked.replay.finish().await;
                return Ok(Err(error.to_string()));
            }
            walked.model(pg_dump).await?
        };
        steps.push(Step {
            suffix: match (place, index, up.is_apart) {
                (_, 0, _) => "",
                (Place::Finish, ..) => "finish",
                (_, _, true) => "indexes",
                (_, _, false) => "validate",
            },
            down: Layout::in_one_file(&behind, &revert(&behind, &before)),
            up,
        });
        before = behind;
    }
    walked.replay.finish().await;
    Ok(Ok(Some(steps)))
}

/// Renames are the beginning of the first file that is one transaction, and the end of its revert.
fn with_renames(mut steps: Vec<Step>, renames: &[(String, String)]) -> Vec<Step> {
    if renames.is_empty() {
        return steps;
    }
    let is_transaction = (steps.first()).is_some_and(|it| !it.up.is_apart && !it.down.is_apart);
    if !is_transaction {
        for step in &mut steps {
            if step.suffix.is_empty() {
                step.suffix = "indexes";
            }
        }
        steps.insert(0, Step::default());
    }
    if let Some(step) = steps.first_mut() {
        let statement = |sql: &String| Statement {
            sql: sql.clone(),
            about: "Renames.".to_owned(),
            adds_value: false,
        };
        let ups = renames.iter().map(|(up, _)| statement(up));
        step.up.statements.splice(0..0, ups);
        let downs = renames.iter().rev().map(|(_, down)| statement(down));
        step.down.statements.extend(downs);
    }
    steps
}

/// The statements of a revert, which is one transaction.
fn revert(from: &Model, to: &Model) -> Vec<Statement> {
    let statements = plan(from, to).statements;
    let adding = statements.iter().filter(|it| it.adds_value).count();
    match adding == 0 || adding == statements.len() {
        true => statements,
        false => Planner::plan(&mut from.clone(), &mut to.clone(), true).statements,
    }
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
