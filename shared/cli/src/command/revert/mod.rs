//! `revert`: undoes applied migrations, newest first.

mod args;
mod give_up;
mod of_run;
mod plan;

use super::confirm::confirm_reviewed;
use super::gather::{gather_resolved, warn_in_doubt};
use super::hazards::review;
use super::interrupt::watch_stops;
use super::refuse::refuse_run;
use super::run::{Asked, check_outcome, execute, hold_everything_back, named_version};
use super::{Context, FailureChoice, Selected, gather, invocation, print_sql, refuse_stopped};
use domain::{Diagnostic, ExitStatus, Step, called};
use engine::planning::Order;
use engine::revert::Scope;
use report::units::count;

use give_up::give_up;
use of_run::planned_revert_of;

pub use args::{CheckedRevert, RevertArgs};
pub use plan::planned_revert;
pub(super) use plan::{inspect_more, refuse_required, requiring_services};

/// Undoes applied migrations of the selected services.
pub async fn revert(
    context: &Context,
    selected: &Selected,
    asked: &CheckedRevert,
    order: &dyn Order,
) -> Result<ExitStatus, Diagnostic> {
    let args = &asked.args;
    context.request_timings(args.timings);
    if args.on_failure == FailureChoice::Revert {
        return Err(Diagnostic::usage(
            "--on-failure revert is not available for revert, which applies nothing",
            called().without_option("--on-failure").to_string(),
        ));
    }
    if let Some(run_id) = args.run {
        check_outcome(selected, args.unknown_outcome)?;
        if args.give_up {
            return give_up(context, selected, asked, run_id).await;
        }
    }
    if let Some(to) = args.to {
        named_version(context, selected, to)?;
    }
    check_outcome(selected, args.unknown_outcome)?;
    let scope = match (args.to, args.all, args.steps) {
        (Some(version), _, _) => Scope::To(version),
        (None, true, _) => Scope::All,
        (None, false, steps) => {
            Scope::Steps(usize::try_from(steps.unwrap_or(1)).unwrap_or(usize::MAX))
        }
    };
    let stops = watch_stops(context.configuration.engine().stop_grace);
    let preparation = async {
        let mut targets = context.targets(&selected.names, selected, false).await?;
        let (mut gathered, resolved) = match args.dry_run {
            true => (gather(&context.connections(), &targets).await?, Vec::new()),
            false => gather_resolved(context, selected, &targets, &stops).await?,
        };
        warn_in_doubt(&gathered);
        let (found, addresses) = (&mut gathered, &mut targets);
        let planned = match args.run {
            Some(run_id) => {
                planned_revert_of(run_id, context, selected, found, addresses, order).await?
            }
            None => {
                let dependents = asked.with_dependents;
                let planned = planned_revert(
                    context, selected, found, addresses, scope, dependents, order,
                );
                (planned.await?, None)
            }
        };
        Ok::<_, Diagnostic>((targets, gathered, planned, resolved))
    };
    let Some(prepared) = stops.unless_asked(preparation).await else {
        return match args.dry_run {
            true => Err(Diagnostic::cancelled()),
            false => refuse_run(context, "revert", Diagnostic::cancelled()),
        };
    };
    let (targets, gathered, (mut planned, compensation), resolved) = prepared?;
    if args.dry_run {
        let plan = compensation.map_or(planned.plan, |it| it.plan);
        print_sql(context, &targets, &plan, &planned.stopped)?;
        return refuse_stopped(&planned.stopped).map(|()| ExitStatus::Done);
    }
    let on_failure = match args.run {
        Some(_) => FailureChoice::Stop,
        None => args.on_failure,
    };
    if on_failure == FailureChoice::Stop {
        hold_everything_back(&mut planned);
    }
    let first: Vec<_> = compensation.into_iter().collect();
    let steps = first.first().map_or(&planned.plan, |it| &it.plan);
    let steps: Vec<&Step> = steps.steps.iter().collect();
    if !steps.is_empty() {
        let migrations = count(steps.len(), "migration");
        let what = match args.run {
            Some(run_id) => format!("undo {migrations} of run {run_id}"),
            None => format!("undo {migrations}"),
        };
        let review = || review(context, &targets, &steps);
        if let Err(error) = confirm_reviewed(context, args.yes, &what, review).await {
            return refuse_run(context, "revert", error);
        }
    }
    let how = Asked {
        command: "revert",
        on_failure,
        wait: std::time::Duration::ZERO,
        stops,
        unknown_outcome: args.unknown_outcome,
        pre_run: None,
        first,
        order,
        atomic: false,
        resolved,
    };
    execute(
        context,
        selected,
        targets,
        gathered,
        planned,
        how,
        |name| match args.run {
            Some(run_id) => invocation::undo(Some(name), run_id),
            None => invocation::revert(name),
        },
    )
    .await
}
