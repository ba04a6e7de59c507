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
use of_run::revert_run;

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
        return revert_run(context, selected, asked, run_id, order).await;
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
        let planned = planned_revert(
            context,
            selected,
            &mut gathered,
            &mut targets,
            scope,
            asked.with_dependents,
            order,
        )
        .await?;
        Ok::<_, Diagnostic>((targets, gathered, planned, resolved))
    };
    let Some(prepared) = stops.unless_asked(preparation).await else {
        return match args.dry_run {
            true => Err(Diagnostic::cancelled()),
            false => refuse_run(context, "revert", Diagnostic::cancelled()),
        };
    };
    let (targets, gathered, mut planned, resolved) = prepared?;
    if args.dry_run {
        print_sql(context, &targets, &planned.plan, &planned.stopped)?;
        return refuse_stopped(&planned.stopped).map(|()| ExitStatus::Done);
    }
    if args.on_failure == FailureChoice::Stop {
        hold_everything_back(&mut planned);
    }
    if !planned.plan.steps.is_empty() {
        let what = format!("undo {}", count(planned.plan.steps.len(), "migration"));
        let steps: Vec<&Step> = planned.plan.steps.iter().collect();
        let review = || review(context, &targets, &steps);
        if let Err(error) = confirm_reviewed(context, args.yes, &what, review).await {
            return refuse_run(context, "revert", error);
        }
    }
    let how = Asked {
        command: "revert",
        on_failure: args.on_failure,
        wait: std::time::Duration::ZERO,
        stops,
        unknown_outcome: args.unknown_outcome,
        pre_run: None,
        first: Vec::new(),
        order,
        atomic: false,
        resolved,
    };
    execute(context, selected, targets, gathered, planned, how, |name| {
        invocation::revert(name)
    })
    .await
}
