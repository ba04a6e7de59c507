//! The `plan` command: the steps of a run, without running them.

use domain::{Diagnostic, ExitStatus, Plan, Step, Version};
use report::Role;
use report::table::{Align, Cell, columns_without};
use report::units::count;
use service_cli::command::{
    Context, Hazards, gather, meet, planned_run, print_plan, refuse_stopped, select, warn_in_doubt,
};

use crate::graph::GraphOrder;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  orchestrator plan
  orchestrator plan policy --with-dependencies
  orchestrator plan --output json

Steps in one wave can run in any order. Waves only structure the output: a run starts a step as soon as its dependencies are
done.")]
pub(super) struct Args {
    /// Names of services [default: all]
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
    /// Also plan everything that the services depend on
    #[arg(long)]
    with_dependencies: bool,
    /// Plan up to this version of a single service
    #[arg(long, value_name = "VERSION")]
    to: Option<Version>,
}

pub(super) async fn plan(context: &Context, args: &Args) -> Result<ExitStatus, Diagnostic> {
    let selected = select(
        &context.fleet,
        &super::or_all(&args.services),
        args.with_dependencies,
    )?;
    if let Some(to) = args.to {
        service_cli::command::named_version(context, &selected, to)?;
    }
    let targets = context.targets(&selected.names, &selected, false).await?;
    let mut gathered = gather(&context.connections(), &targets).await?;
    warn_in_doubt(&gathered);
    let planned = planned_run(context, &selected, &mut gathered, args.to, &GraphOrder).await?;
    if context.is_human() {
        // The state of an unreachable service is unknown.
        if planned.stopped.is_empty() || !planned.plan.steps.is_empty() {
            super::print(&human(context, &planned.plan)?)?;
        }
    } else {
        print_plan(context, &planned.plan)?;
    }
    refuse_stopped(&planned.stopped)?;
    Ok(ExitStatus::Done)
}

fn human(context: &Context, plan: &Plan) -> Result<String, Diagnostic> {
    if plan.steps.is_empty() {
        return Ok("nothing to do\n".to_owned());
    }
    let hazards = Hazards::of(context, &plan.steps)?;
    let rows: Vec<Vec<Cell>> = plan
        .steps
        .iter()
        .map(|step| {
            let notes = notes(context, step, &hazards);
            vec![
                step.wave.to_string().into(),
                step.service.to_string().into(),
                step.version.to_string().into(),
                step.name.clone().into(),
                Cell::new(Role::Warning, notes.join(", ")),
            ]
        })
        .collect();
    let table = columns_without(
        &[0],
        &["wave", "service", "version", "name", "notes"],
        &rows,
        &[
            Align::Right,
            Align::Left,
            Align::Left,
            Align::Left,
            Align::Left,
        ],
        context.terminal.out,
        context.terminal.width,
    );
    let mut text = format!(
        "{table}\n{} in {}\n",
        count(plan.steps.len(), "step"),
        count(plan.services().len(), "service")
    );
    for gate in &plan.gates {
        let newest = gate
            .versions
            .last()
            .map_or_else(String::new, |version| format!("{}@{version}", gate.service));
        text.push_str(&format!(
            "unmet gate: requires {newest} and earlier; next: {}\n",
            meet(&gate.service)
        ));
    }
    Ok(text)
}

/// What a reviewer should know about a step: its requirements, the properties of its file, and its hazards, each rule once.
fn notes(context: &Context, step: &Step, hazards: &Hazards) -> Vec<String> {
    let required = step.requires.iter();
    let mut notes: Vec<String> = required.map(|it| format!("requires {it}")).collect();
    let service = context.fleet.service(&step.service);
    if let Some(migration) = service.and_then(|service| service.migration(step.version)) {
        if migration.script(step.direction).directives.no_transaction {
            notes.push("no-transaction".to_owned());
        }
        if !migration.is_reversible() {
            notes.push("irreversible".to_owned());
        }
        for finding in hazards.of_file(migration, step.direction) {
            let note = format!("{} {}", finding.severity, finding.rule);
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
    }
    notes
}
