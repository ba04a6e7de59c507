//! From migrations to steps: what a file needs, what a reviewer should know of it, and what the engine refuses to run.
//!
//! Pure. The order between services is the business of the caller (the orchestrator's graph; a chain in a service
//! binary). Floor 1.

use crate::domain::{Direction, Fleet, Hazard, Migration, Plan, Script, Service, Step};
use crate::sql::{self, ReadingSetting, StatementKind};

/// A file that the engine does not run as it stands.
#[derive(Debug, thiserror::Error)]
#[error("{path}:{line}:{column}: {problem}")]
pub struct ScriptError {
    /// The file.
    pub path: String,
    /// The line, 1-based.
    pub line: u32,
    /// The column, 1-based.
    pub column: u32,
    /// What is wrong, with the way out.
    pub problem: String,
}

impl ScriptError {
    pub(crate) fn at(script: &Script, offset: usize, problem: impl Into<String>) -> Self {
        let position = sql::position_at(&script.text, offset);
        Self {
            path: script.path.clone(),
            line: position.line,
            column: position.column,
            problem: problem.into(),
        }
    }
}

/// The step that takes one migration in one direction. Order (`after`, `gates`) is left to the caller.
///
/// `migration` must have a revert when `direction` is down; the caller has refused it otherwise.
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
                    || "there is no revert, or it has no statement".to_owned(),
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

/// The file of a migration for one direction. Without a revert file, the migration itself.
pub fn script(migration: &Migration, direction: Direction) -> &Script {
    match direction {
        Direction::Up => &migration.script,
        Direction::Down => migration.revert.as_ref().unwrap_or(&migration.script),
    }
}

/// A plan of steps of one service, each after the one before.
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

/// Puts steps in order. The orchestrator's graph is one; a service binary's chain is another.
pub trait Order: Sync {
    /// A plan of these steps. Those of one service come in their own order already.
    fn arrange(&self, fleet: &Fleet, steps: Vec<Step>, direction: Direction) -> Plan;
}

/// The order of a service binary: one after another.
#[derive(Clone, Copy, Debug)]
pub struct Chain;

impl Order for Chain {
    fn arrange(&self, _fleet: &Fleet, steps: Vec<Step>, _direction: Direction) -> Plan {
        chain(steps)
    }
}

/// Refuses what would defeat the engine, and collects what a reviewer should know.
fn hazards(script: &Script) -> Result<Vec<Hazard>, ScriptError> {
    let statements = sql::split(&script.text)
        .map_err(|error| ScriptError::at(script, error.offset, error.problem.to_string()))?;
    let lines = sql::Lines::of(&script.text);
    let mut hazards = Vec::new();
    if script.directives.no_transaction {
        hazards.push(Hazard {
            hazard: "no-transaction".to_owned(),
            detail: "runs statement by statement; what is done stays done when a later one fails"
                .to_owned(),
            line: None,
        });
    }
    for statement in &statements {
        let kind = sql::classify(statement);
        let problem = refused(&kind, script.directives.no_transaction)
            .or_else(|| sql::changes_reading(statement).map(read_differently));
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
        sql::file_hazards(&statements)
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
                "the engine runs this file in a transaction of its own, together with its history row: remove the \
             statement, or add `-- migration: no-transaction`",
            )
        }
        StatementKind::PrepareTransaction | StatementKind::CommitPrepared => {
            Some("a prepared transaction would outlive the migration: remove the statement")
        }
        StatementKind::CopyFromStdin => Some(
            "COPY … FROM STDIN needs a client that sends the rows: write them as INSERT … VALUES",
        ),
        StatementKind::CopyToStdout => Some(
            "COPY … TO STDOUT sends rows to a client that does not read them: remove the statement, or export with psql",
        ),
        StatementKind::MetaCommand => Some(
            "psql's backslash commands are not SQL: remove the line, or write what it does as SQL",
        ),
        StatementKind::OutsideTransaction("DISCARD ALL") => Some(
            "DISCARD ALL would give up the advisory lock of the run: remove it (each file has a fresh session)",
        ),
        _ => None,
    }
}

fn read_differently(setting: ReadingSetting) -> &'static str {
    match setting {
        ReadingSetting::StandardConformingStrings => {
            "with another standard_conforming_strings the server reads backslashes in the rest of the file differently, which can hide \
             a COMMIT: remove the statement, and write such strings as E'…'"
        }
        ReadingSetting::ClientEncoding => {
            "with another client_encoding the server reads the rest of the file differently: remove the statement; files are UTF-8"
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
