//! `--dry-run`: prints the SQL that would run.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;

use super::hazards::line;
use super::print::print_text;
use super::{Context, Hazards, print_document};
use domain::{Diagnostic, Direction, Gate, Place, Plan, ServiceName, Severity, Step};
use engine::inspect::{ServiceError, Target};
use engine::revert;

/// A plan in JSON.
#[derive(Serialize, JsonSchema)]
pub struct PlanDocument<'a> {
    steps: Vec<StepDocument<'a>>,
    gates: &'a [Gate],
}

#[derive(Serialize, JsonSchema)]
struct StepDocument<'a> {
    #[serde(flatten)]
    step: &'a Step,
    reversible: bool,
    no_transaction: bool,
    hazards: Vec<HazardDocument<'a>>,
}

#[derive(Serialize, JsonSchema)]
struct HazardDocument<'a> {
    hazard: &'a str,
    severity: Severity,
    detail: &'a str,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    place: Option<Place>,
    #[serde(skip_serializing_if = "Option::is_none")]
    safe_form: Option<&'a str>,
}

/// Prints a plan as JSON.
pub fn print_plan(context: &Context, plan: &Plan) -> Result<(), Diagnostic> {
    let hazards = Hazards::of(context, &plan.steps)?;
    let steps = plan.steps.iter().filter_map(|step| {
        let migration = context.service(&step.service)?.migration(step.version)?;
        let found = hazards.of_file(migration, step.direction).iter();
        let found = found.map(|finding| HazardDocument {
            hazard: &finding.rule,
            severity: finding.severity,
            detail: &finding.message,
            place: finding.place,
            safe_form: finding.safe_form.as_deref(),
        });
        let script = migration.script(step.direction);
        Some(StepDocument {
            step,
            reversible: migration.is_reversible(),
            no_transaction: script.directives.no_transaction,
            hazards: found.collect(),
        })
    });
    print_document(&PlanDocument {
        steps: steps.collect(),
        gates: &plan.gates,
    })
}

/// Prints the SQL of every step in a possible order of the run, or the plan with `--output json`.
pub fn print_sql(
    context: &Context,
    targets: &BTreeMap<ServiceName, Arc<Target>>,
    plan: &Plan,
    stopped: &[(ServiceName, ServiceError)],
) -> Result<(), Diagnostic> {
    if !context.is_human() {
        return print_plan(context, plan);
    }
    let hazards = Hazards::of(context, &plan.steps)?;
    let mut text = String::new();
    for (index, step) in plan.steps.iter().enumerate() {
        let Some(target) = targets.get(&step.service) else {
            continue;
        };
        let Some(migration) = target.service.migration(step.version) else {
            continue;
        };
        let script = migration.script(step.direction);
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
        let _ = writeln!(text, "-- {}", script.path);
        for finding in hazards.of_file(migration, step.direction) {
            let _ = writeln!(text, "-- {}", line(finding));
        }
        let _ = writeln!(text, "{}\n", script.text.trim_end());
    }
    if !plan.steps.is_empty() {
        text.push_str("-- dry run: nothing was written\n");
    } else if stopped.is_empty() {
        text.push_str("-- nothing to do\n");
    }
    print_text(&text)
}
