//! `--dry-run`: prints the SQL that would run.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use serde::Serialize;

use super::print::print_text;
use super::{CommandError, Context, print_document};
use domain::{Direction, Plan, ServiceName};
use engine::inspect::{ServiceError, Target};
use engine::planning;
use engine::revert;

/// A plan as a JSON document.
#[derive(Serialize)]
struct PlanDocument<'a> {
    schema: u32,
    #[serde(flatten)]
    plan: &'a Plan,
}

/// Prints a plan as JSON.
pub fn print_plan(plan: &Plan) -> Result<(), CommandError> {
    print_document(&PlanDocument { schema: 1, plan })
}

/// Prints the SQL of every step in a possible order of the run, or the plan with `--output json`.
pub fn print_sql(
    context: &Context,
    targets: &BTreeMap<ServiceName, Arc<Target>>,
    plan: &Plan,
    stopped: &[(ServiceName, ServiceError)],
) -> Result<(), CommandError> {
    if !context.is_human() {
        return print_plan(plan);
    }
    let mut text = String::new();
    for (index, step) in plan.steps.iter().enumerate() {
        let Some(target) = targets.get(&step.service) else {
            continue;
        };
        let Some(migration) = target.service.migration(step.version) else {
            continue;
        };
        let script = planning::script(migration, step.direction);
        if step.direction == Direction::Down
            && let Err(refusal) = revert::refuse_irreversible(&target.service, migration)
        {
            let _ = writeln!(text, "-- the revert would stop here: {}\n", refusal.message);
            break;
        }
        let verb = match step.direction {
            Direction::Up => "apply",
            Direction::Down => "revert",
        };
        let how = if script.directives.no_transaction {
            "statement by statement"
        } else {
            "in one transaction"
        };
        let _ = writeln!(
            text,
            "-- {}/{}: {verb} {} {} {} on {} (wave {}, {how})",
            index + 1,
            plan.steps.len(),
            step.service,
            step.version,
            step.name,
            target.address,
            step.wave
        );
        let _ = writeln!(text, "-- {}\n{}\n", script.path, script.text.trim_end());
    }
    if !plan.steps.is_empty() {
        text.push_str("-- dry run: nothing was written\n");
    } else if stopped.is_empty() {
        text.push_str("-- nothing to do\n");
    }
    print_text(&text)
}
