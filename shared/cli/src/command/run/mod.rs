//! `run`: applies pending migrations.

mod args;
mod atomic;
mod plan;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::compensation::{reverts, undone_first};
use super::confirm::confirm_reviewed;
use super::gather::{gather_resolved, warn_in_doubt};
use super::hazards::review;
use super::interrupt::watch_stops;
use super::refuse::refuse_run;
use super::revert::requiring_services;
use super::{
    Context, Gathered, Selected, gather, invocation, print_sql, print_text, refuse_stopped,
};
use domain::{
    Diagnostic, Direction, ExitStatus, Plan, Refusal, RefusalKind, Resolved, ServiceName, Step,
    commented, suggest,
};
use engine::dispatch::{
    Compensation, DependencyGates, LaneInput, OnFailure, PreRunCheck, Run, Stops, dispatch,
};
use engine::gates;
use engine::inspect::{ServiceError, Target};
use engine::planning::Order;
use report::CommandLines;
use report::units::count;
use settings::EngineSettings;

pub use args::{FailureChoice, OutcomeChoice, RunArgs};
pub use plan::{Planned, planned_run};

/// What runs before the first step of a run, and the lines for its events.
pub struct PreRun {
    pub check: Arc<dyn PreRunCheck>,
    pub lines: Box<dyn CommandLines>,
}

/// Applies the pending migrations of the selected services, after the pre-run check if there is one.
pub async fn run(
    context: &Context,
    selected: &Selected,
    args: &RunArgs,
    order: &dyn Order,
    pre_run: Option<PreRun>,
) -> Result<ExitStatus, Diagnostic> {
    context.request_timings(args.timings);
    check_version(context, selected, args)?;
    check_outcome(selected, args.unknown_outcome)?;
    atomic::check_flags(args)?;
    let stops = watch_stops(context.configuration.engine().stop_grace);
    let preparation = async {
        let mut targets = context
            .targets(&selected.names, selected, args.create_databases)
            .await?;
        let (mut gathered, resolved) = match args.dry_run {
            true => (gather(&context.connections(), &targets).await?, Vec::new()),
            false => gather_resolved(context, selected, &targets, &stops).await?,
        };
        warn_in_doubt(&gathered);
        let (first, in_the_way) = match args.on_failure {
            FailureChoice::Revert => {
                undone_first(context, selected, &mut gathered, &mut targets, order).await?
            }
            FailureChoice::Stop | FailureChoice::Continue => (Vec::new(), Vec::new()),
        };
        let mut planned = planned_run(context, selected, &mut gathered, args.to, order).await?;
        planned.stopped.extend(in_the_way);
        Ok::<_, Diagnostic>((targets, gathered, first, planned, resolved))
    };
    let Some(prepared) = stops.unless_asked(preparation).await else {
        return match args.dry_run {
            true => Err(Diagnostic::cancelled()),
            false => refuse_run(context, "run", Diagnostic::cancelled()),
        };
    };
    let (targets, gathered, mut first, mut planned, resolved) = prepared?;
    if args.atomic
        && let Err(error) = atomic::check_plan(context, &targets, &planned.plan).await
    {
        return match args.dry_run {
            true => Err(error),
            false => refuse_run(context, "run", error),
        };
    }
    if args.dry_run {
        return dry_run(
            context,
            &targets,
            &gathered,
            &first,
            planned,
            args,
            pre_run.as_ref().map(|it| it.check.as_ref()),
        );
    }
    if args.wait.is_none() {
        refuse_unmet_gates(&mut planned);
    }
    if args.on_failure != FailureChoice::Continue {
        hold_everything_back(&mut planned);
    }
    if !planned.stopped.is_empty() {
        first.clear();
    }
    first.retain(|compensation| !compensation.plan.steps.is_empty());
    if let (Some(compensation), true) = (first.first(), pre_run.is_some()) {
        let error = finish_first(selected, compensation).into();
        return refuse_run(context, "run", error);
    }
    if !planned.plan.steps.is_empty() || !first.is_empty() {
        let undone: usize = first.iter().map(|it| it.plan.steps.len()).sum();
        let services = planned.plan.services().len();
        let undo = match undone {
            0 => String::new(),
            undone => format!(
                "undo {} of an earlier run, then ",
                count(undone, "migration")
            ),
        };
        let what = format!(
            "{undo}apply {} to {}",
            count(planned.plan.steps.len(), "migration"),
            count(services, "database")
        );
        let undone = first.iter().flat_map(|it| &it.plan.steps);
        let steps: Vec<&Step> = undone.chain(&planned.plan.steps).collect();
        let review = || review(context, &targets, &steps);
        if let Err(error) = confirm_reviewed(context, args.yes, &what, review).await {
            return refuse_run(context, "run", error);
        }
    }
    let asked = Asked {
        command: "run",
        on_failure: args.on_failure,
        wait: args.wait.unwrap_or_default(),
        stops,
        unknown_outcome: args.unknown_outcome,
        pre_run,
        first,
        order,
        atomic: args.atomic,
        resolved,
    };
    execute(
        context,
        selected,
        targets,
        gathered,
        planned,
        asked,
        |name| match args.on_failure {
            _ if args.atomic => atomic::rerun_release(selected),
            FailureChoice::Revert => {
                invocation::run_undoing(name, context.fleet.services().count() == 1)
            }
            FailureChoice::Stop | FailureChoice::Continue => invocation::run(name),
        },
    )
    .await
}

/// The pre-run check is for this run's plan, so an earlier run's compensation must be finished first.
fn finish_first(selected: &Selected, compensation: &Compensation) -> Refusal {
    let Compensation {
        of_run, because, ..
    } = compensation;
    Refusal {
        kind: RefusalKind::CompensationInterrupted,
        service: None,
        message: format!("the compensation of run {of_run} is not finished ({because})"),
        next: commented(
            invocation::undo(selected.only(), *of_run),
            "finish it, then rerun",
        ),
    }
}

/// How to execute a plan, as the user asked.
pub(super) struct Asked<'c> {
    pub(super) command: &'static str,
    pub(super) on_failure: FailureChoice,
    pub(super) wait: Duration,
    pub(super) stops: Stops,
    pub(super) unknown_outcome: Option<OutcomeChoice>,
    pub(super) pre_run: Option<PreRun>,
    /// Compensations of earlier runs, executed first.
    pub(super) first: Vec<Compensation>,
    pub(super) order: &'c dyn Order,
    pub(super) atomic: bool,
    pub(super) resolved: Vec<Resolved>,
}

/// Executes a plan with the dispatcher.
pub(super) async fn execute(
    context: &Context,
    selected: &Selected,
    targets: BTreeMap<ServiceName, Arc<Target>>,
    mut gathered: Gathered,
    planned: Planned,
    asked: Asked<'_>,
    rerun_command: impl Fn(&ServiceName) -> String,
) -> Result<ExitStatus, Diagnostic> {
    let dependency_gates = dependency_gates(context, selected, &targets, &planned, &asked).await?;
    if asked.first.is_empty() {
        keep_sessions_of_first_steps(&mut gathered, &planned.plan);
    } else {
        gathered.sessions.clear();
    }
    let concerned = |name: &ServiceName| {
        planned.plan.steps.iter().any(|step| step.service == *name)
            || planned.stopped.iter().any(|(stopped, _)| stopped == name)
            || planned.held_back.iter().any(|(held, _, _)| held == name)
            || asked
                .first
                .iter()
                .any(|it| it.plan.steps.iter().any(|step| step.service == *name))
    };
    let unchanged = selected
        .names
        .iter()
        .filter(|name| !concerned(name))
        .cloned()
        .collect();
    let lanes = targets
        .into_iter()
        .filter(|(name, _)| concerned(name))
        .map(|(name, target)| {
            let lane = LaneInput {
                target,
                session: gathered.sessions.remove(&name),
                is_absent: gathered.absent.contains(&name),
                rerun_command: rerun_command(&name),
                held: None,
            };
            (name, lane)
        })
        .collect();
    drop(gathered);
    let (pre_run_check, lines) = asked.pre_run.map(|it| (it.check, it.lines)).unzip();
    let run = Run {
        command: asked.command,
        plan: planned.plan,
        lanes,
        unchanged,
        stopped: planned.stopped,
        held_back: planned.held_back,
        jobs: context.jobs(),
        on_failure: match asked.on_failure {
            FailureChoice::Stop => OnFailure::Stop,
            FailureChoice::Continue => OnFailure::Continue,
            FailureChoice::Revert => OnFailure::Revert,
        },
        wait: asked.wait,
        pre_run_check,
        observer: None,
        spare_session: None,
        dependency_gates: Some(Arc::new(dependency_gates)),
        atomic: asked.atomic,
        resolved: asked.resolved,
        engine: EngineSettings {
            unknown_outcome: asked.unknown_outcome.map(Into::into),
            ..*context.configuration.engine()
        },
        connections: context.connections(),
        reverts: Some(reverts(context, selected, asked.first, asked.order)),
    };
    let mut reporter = context.reporter_with(lines);
    Ok(dispatch(run, reporter.as_mut(), asked.stops).await)
}

/// The services that the steps require, and those that require what is or may be reverted.
async fn dependency_gates(
    context: &Context,
    selected: &Selected,
    targets: &BTreeMap<ServiceName, Arc<Target>>,
    planned: &Planned,
    asked: &Asked<'_>,
) -> Result<DependencyGates, Diagnostic> {
    let first = asked.first.iter().flat_map(|it| &it.plan.steps);
    let steps: Vec<&Step> = planned.plan.steps.iter().chain(first).collect();
    let mut names: BTreeSet<ServiceName> = steps
        .iter()
        .flat_map(|step| &step.requires)
        .map(|requirement| requirement.service.clone())
        .collect();
    let may_revert = asked.on_failure == FailureChoice::Revert;
    let reverted = steps
        .iter()
        .filter(|step| may_revert || step.direction == Direction::Down)
        .map(|step| &step.service);
    names.extend(requiring_services(context, reverted));
    let mut tied = planned.gate_targets.clone();
    for name in names {
        match targets.get(&name) {
            Some(target) => {
                tied.insert(name, Arc::clone(target));
            }
            None => tied.extend(context.targets([&name], selected, false).await?),
        }
    }
    Ok(DependencyGates {
        targets: tied,
        meet: Box::new(invocation::meet),
    })
}

/// Drops the sessions of later steps, which would only occupy connections.
fn keep_sessions_of_first_steps(gathered: &mut Gathered, plan: &Plan) {
    gathered.sessions.retain(|name, _| {
        plan.steps
            .iter()
            .any(|step| step.service == *name && step.after.is_empty() && step.gates.is_empty())
    });
}

fn check_version(context: &Context, selected: &Selected, args: &RunArgs) -> Result<(), Diagnostic> {
    let Some(to) = args.to else { return Ok(()) };
    named_version(context, selected, to)
}

/// `--unknown-outcome` applies to one database: refuses it with several services.
pub(super) fn check_outcome(
    selected: &Selected,
    outcome: Option<OutcomeChoice>,
) -> Result<(), Diagnostic> {
    if outcome.is_some() && selected.only().is_none() {
        return Err(Diagnostic::usage(
            "--unknown-outcome requires exactly one service, but several are selected",
            one_service(),
        ));
    }
    Ok(())
}

/// Suggests how to choose one service.
pub fn one_service() -> String {
    commented(suggest(["status"]), "list the services, then specify one")
}

/// Refuses a version that the single named service does not have.
pub fn named_version(
    context: &Context,
    selected: &Selected,
    version: domain::Version,
) -> Result<(), Diagnostic> {
    let one = selected
        .named
        .first()
        .filter(|_| selected.named.len() == 1 && !selected.all);
    let Some(service) = one.and_then(|name| context.fleet.service(name)) else {
        return Err(Diagnostic::usage(
            "--to requires exactly one service, but several are selected",
            one_service(),
        ));
    };
    if service.migration(version).is_none() {
        let newest = service
            .newest()
            .map_or_else(String::new, |newest| format!(" (the newest is {newest})"));
        return Err(Diagnostic::usage(
            format!("{} has no migration {version}{newest}", service.name),
            commented(
                suggest(["status", service.name.as_str()]),
                "list its versions",
            ),
        ));
    }
    Ok(())
}

/// Without `--wait`, an unmet gate stops its service before the run starts.
fn refuse_unmet_gates(planned: &mut Planned) {
    let mut refused: BTreeMap<ServiceName, ServiceError> = BTreeMap::new();
    for step in &planned.plan.steps {
        if let Some(&gate) = step.gates.first() {
            let gate = &planned.plan.gates[gate];
            let command = invocation::meet(&gate.service);
            refused
                .entry(step.service.clone())
                .or_insert_with(|| gates::refusal(&step.service, gate, &command, None).into());
        }
    }
    if refused.is_empty() {
        return;
    }
    remove_services(planned, |name| refused.contains_key(name));
    planned.stopped.extend(refused);
    planned.plan.gates.clear();
    planned.gate_targets.clear();
}

/// Removes services from a plan, and holds back the steps that come after them.
fn remove_services(planned: &mut Planned, gone: impl Fn(&ServiceName) -> bool) {
    let steps = std::mem::take(&mut planned.plan.steps);
    let mut new_index = vec![None; steps.len()];
    let mut culprits: Vec<Option<ServiceName>> = vec![None; steps.len()];
    let mut held: BTreeMap<ServiceName, (usize, ServiceName)> = BTreeMap::new();
    for (index, mut step) in steps.into_iter().enumerate() {
        let culprit = if gone(&step.service) {
            Some(step.service.clone())
        } else {
            step.after
                .iter()
                .find_map(|&before| culprits[before].clone())
        };
        if let Some(culprit) = culprit {
            if !gone(&step.service) {
                held.entry(step.service.clone())
                    .or_insert((0, culprit.clone()))
                    .0 += 1;
            }
            culprits[index] = Some(culprit);
        } else {
            step.after = step
                .after
                .iter()
                .filter_map(|&before| new_index[before])
                .collect();
            step.gates.clear();
            new_index[index] = Some(planned.plan.steps.len());
            planned.plan.steps.push(step);
        }
    }
    planned.held_back.extend(
        held.into_iter()
            .map(|(name, (steps, culprit))| (name, steps, culprit)),
    );
}

/// With `--on-failure stop`, one service that cannot be run holds back all others: nothing is started.
pub(super) fn hold_everything_back(planned: &mut Planned) {
    let Some((culprit, _)) = planned.stopped.first() else {
        return;
    };
    let culprit = culprit.clone();
    let mut held: BTreeMap<ServiceName, usize> = BTreeMap::new();
    for step in planned.plan.steps.drain(..) {
        *held.entry(step.service).or_default() += 1;
    }
    planned.held_back.extend(
        held.into_iter()
            .map(|(name, steps)| (name, steps, culprit.clone())),
    );
    planned.plan.gates.clear();
    planned.gate_targets.clear();
}

fn dry_run(
    context: &Context,
    targets: &BTreeMap<ServiceName, Arc<Target>>,
    gathered: &Gathered,
    first: &[Compensation],
    mut planned: Planned,
    args: &RunArgs,
    pre_run_check: Option<&dyn PreRunCheck>,
) -> Result<ExitStatus, Diagnostic> {
    if let Some(pre_run_check) = pre_run_check
        && context.is_human()
    {
        let mut databases: Vec<&str> = planned
            .plan
            .services()
            .into_iter()
            .filter(|name| !gathered.absent.contains(*name))
            .filter_map(|name| targets.get(name).map(|target| target.address.database()))
            .collect();
        databases.sort_unstable();
        databases.dedup();
        print_text(&format!("-- {}\n", pre_run_check.announce(&databases)))?;
    }
    // Compensations come first. This plan is only printed, so only the order matters.
    let undone: Vec<Step> = first
        .iter()
        .flat_map(|compensation| compensation.plan.steps.iter().cloned())
        .collect();
    planned.plan.steps.splice(0..0, undone);
    print_sql(context, targets, &planned.plan, &planned.stopped)?;
    refuse_stopped(&planned.stopped)?;
    let gated = planned
        .plan
        .steps
        .iter()
        .find(|step| !step.gates.is_empty());
    match gated {
        Some(step) if args.wait.is_none() => {
            let gate = &planned.plan.gates[step.gates[0]];
            let command = invocation::meet(&gate.service);
            Err(gates::refusal(&step.service, gate, &command, None).into())
        }
        _ => Ok(ExitStatus::Done),
    }
}
