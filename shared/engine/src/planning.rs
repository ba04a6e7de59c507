//! Turns migrations into steps, and refuses files that the engine cannot run.
//!
//! Pure. The caller decides the order between services (the orchestrator's graph, or a chain in a service binary).

use domain::{Diagnostic, Direction, Fleet, Migration, Plan, Script, Service, Step};

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

impl From<ScriptError> for Diagnostic {
    fn from(error: ScriptError) -> Self {
        Self::invalid(&error)
    }
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
    let script = migration.script(direction);
    pg_sql::runnable(&script.text, script.directives.no_transaction)
        .map_err(|refused| ScriptError::at(script, refused.offset, refused.problem))?;
    Ok(Step {
        service: service.name.clone(),
        version: migration.version,
        name: migration.name.clone(),
        direction,
        wave: 0,
        requires: migration.script.directives.requires.clone(),
        after: Vec::new(),
        gates: Vec::new(),
        expected_ms: None,
        remaining_ms: 0,
    })
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
