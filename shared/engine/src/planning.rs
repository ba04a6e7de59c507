//! Turns migrations into steps, with their hazards, and refuses files that the engine cannot run.
//!
//! Pure. The caller decides the order between services (the orchestrator's graph, or a chain in a service binary).

use domain::{Direction, Fleet, Hazard, Migration, Plan, Script, Service, Step};
use pg_sql::{ReadingSetting, StatementKind};

/// The error of a file that the engine refuses to run.
#[derive(Debug, thiserror::Error)]
#[error("{path}:{line}:{column}: {problem}")]
pub struct ScriptError {
    /// The path of the file.
    pub path: String,
    /// The line, 1-based.
    pub line: u32,
    /// The column, 1-based.
    pub column: u32,
    /// What is wrong, and how to fix it.
    pub problem: String,
}

impl ScriptError {
    pub(crate) fn at(script: &Script, offset: usize, problem: impl Into<String>) -> Self {
        let position = pg_sql::position_at(&script.text, offset);
        Self {
            path: script.path.clone(),
            line: position.line,
            column: position.column,
            problem: problem.into(),
        }
    }
}

/// The step for one migration in one direction. The caller sets the order (`after`, `gates`).
///
/// With direction down, the caller must have checked that the migration has a revert.
pub fn step(
    service: &Service,
    migration: &Migration,
    direction: Direction,
) -> Result<Step, ScriptError> {
    let script = script(migration, direction);
    let mut hazards = hazards(script)?;
    if direction == Direction::Up && !migration.is_reversible() {
        hazards.push(Hazard {
            hazard: "irreversible".to_owned(),
            detail: migration
                .script
                .directives
                .irreversible
                .clone()
                .map_or_else(
                    || "it has no revert file, or the revert file has no statement".to_owned(),
                    |reason| format!("it cannot be undone: {reason}"),
                ),
            line: None,
        });
    }
    Ok(Step {
        service: service.name.clone(),
        version: migration.version,
        name: migration.name.clone(),
        direction,
        wave: 0,
        requires: migration.script.directives.requires.clone(),
        hazards,
        after: Vec::new(),
        gates: Vec::new(),
        remaining: 0,
    })
}

/// The script of a migration for one direction; the migration itself if it has no revert file.
pub fn script(migration: &Migration, direction: Direction) -> &Script {
    match direction {
        Direction::Up => &migration.script,
        Direction::Down => migration.revert.as_ref().unwrap_or(&migration.script),
    }
}

/// A plan of the steps of one service, each after the previous one.
pub fn chain(steps: Vec<Step>) -> Plan {
    let steps = steps
        .into_iter()
        .enumerate()
        .map(|(index, mut step)| {
            step.after = index.checked_sub(1).into_iter().collect();
            step
        })
        .collect();
    Plan {
        steps,
        gates: Vec::new(),
    }
    .ranked()
}

/// An order of steps: the orchestrator's graph, or a service binary's chain.
pub trait Order: Sync {
    /// Arranges steps into a plan. The steps of one service are already in order.
    fn arrange(&self, fleet: &Fleet, steps: Vec<Step>, direction: Direction) -> Plan;
}

/// The order of a service binary: each step after the previous one.
#[derive(Clone, Copy, Debug)]
pub struct Chain;

impl Order for Chain {
    fn arrange(&self, _fleet: &Fleet, steps: Vec<Step>, _direction: Direction) -> Plan {
        chain(steps)
    }
}

/// Collects the hazards of a script, and refuses statements that would break the engine's guarantees.
fn hazards(script: &Script) -> Result<Vec<Hazard>, ScriptError> {
    let statements = pg_sql::split(&script.text)
        .map_err(|error| ScriptError::at(script, error.offset, error.problem.to_string()))?;
    let lines = pg_sql::Lines::of(&script.text);
    let mut hazards = Vec::new();
    if script.directives.no_transaction {
        hazards.push(Hazard {
            hazard: "no-transaction".to_owned(),
            detail: "runs statement by statement; completed statements stay when a later one fails"
                .to_owned(),
            line: None,
        });
    }
    for statement in &statements {
        let kind = pg_sql::classify(statement);
        let problem = refused(&kind, script.directives.no_transaction)
            .or_else(|| pg_sql::changes_reading(statement).map(reading_problem));
        if let Some(problem) = problem {
            return Err(ScriptError::at(script, statement.offset, problem));
        }
        if !script.directives.no_transaction
            && let Some(what) = runs_outside_transactions(&kind)
        {
            hazards.push(Hazard {
                hazard: "needs-no-transaction".to_owned(),
                detail: format!(
                    "{what} cannot run in a transaction: add `-- migration: no-transaction`"
                ),
                line: Some(lines.position_at(statement.offset).line),
            });
        }
    }
    hazards.extend(
        pg_sql::file_hazards(&statements)
            .into_iter()
            .map(|(index, hazard)| Hazard {
                hazard: hazard.slug().to_owned(),
                detail: hazard.sentence().to_owned(),
                line: Some(lines.position_at(statements[index].offset).line),
            }),
    );
    Ok(hazards)
}

fn refused(kind: &StatementKind, no_transaction: bool) -> Option<&'static str> {
    match kind {
        StatementKind::Begin | StatementKind::Commit { .. } | StatementKind::Rollback { .. }
            if !no_transaction =>
        {
            Some(
                "the engine runs this file and its history row in one transaction: remove the statement, or add \
             `-- migration: no-transaction`",
            )
        }
        StatementKind::PrepareTransaction | StatementKind::CommitPrepared => {
            Some("a prepared transaction would outlive the migration: remove the statement")
        }
        StatementKind::CopyFromStdin => Some(
            "COPY … FROM STDIN requires a client that sends the rows: write them as INSERT … VALUES",
        ),
        StatementKind::CopyToStdout => Some(
            "COPY … TO STDOUT sends rows to a client that does not read them: remove the statement, or export with psql",
        ),
        StatementKind::MetaCommand => {
            Some("psql's backslash commands are not SQL: remove the line, or replace it by SQL")
        }
        StatementKind::OutsideTransaction("DISCARD ALL") => Some(
            "DISCARD ALL would release the advisory lock of the run: remove it (each file starts with clean session settings)",
        ),
        _ => None,
    }
}

fn reading_problem(setting: ReadingSetting) -> &'static str {
    match setting {
        ReadingSetting::StandardConformingStrings => {
            "changing standard_conforming_strings changes the meaning of backslashes in the rest of the file, which can hide \
             a COMMIT: remove the statement, and write such strings as E'…'"
        }
        ReadingSetting::ClientEncoding => {
            "changing client_encoding changes the meaning of the rest of the file: remove the statement; files are UTF-8"
        }
    }
}

fn runs_outside_transactions(kind: &StatementKind) -> Option<&'static str> {
    match kind {
        StatementKind::CreateIndexConcurrently { .. } => Some("CREATE INDEX CONCURRENTLY"),
        StatementKind::DropIndexConcurrently { .. } => Some("DROP INDEX CONCURRENTLY"),
        StatementKind::ReindexConcurrently { .. } => Some("REINDEX CONCURRENTLY"),
        StatementKind::DetachPartitionConcurrently {
            finalize: false, ..
        } => Some("DETACH PARTITION CONCURRENTLY"),
        StatementKind::OutsideTransaction(what) => Some(what),
        _ => None,
    }
}
