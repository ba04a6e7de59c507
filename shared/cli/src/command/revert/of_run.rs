//! `revert --run`: undoes what one run applied.

use uuid::Uuid;

use super::CheckedRevert;
use crate::command::compensation::{compensation, left_by};
use crate::command::confirm::confirm_reviewed;
use crate::command::gather::{gather_resolved, warn_in_doubt};
use crate::command::hazards::review;
use crate::command::interrupt::watch_stops;
use crate::command::refuse::refuse_run;
use crate::command::run::Planned;
use crate::command::run::{Asked, execute, hold_everything_back};
use crate::command::{
    Context, FailureChoice, Selected, gather, invocation, print_sql, refuse_stopped,
};
use domain::{Diagnostic, ExitStatus, Plan, Step, commented, suggest};
use engine::planning::Order;
use report::units::count;

/// Undoes what a run applied in the selected services and is still applied: at the user's request, or because the run
/// failed and its compensation was interrupted.
pub(super) async fn revert_run(
    context: &Context,
    selected: &Selected,
    asked: &CheckedRevert,
    run_id: Uuid,
    order: &dyn Order,
) -> Result<ExitStatus, Diagnostic> {
    let args = &asked.args;
    let stops = watch_stops(context.configuration.engine().stop_grace);
    let preparation = async {
        let mut targets = context.targets(&selected.names, selected, false).await?;
        let (mut gathered, resolved) = match args.dry_run {
            true => (gather(&context.connections(), &targets).await?, Vec::new()),
            false => gather_resolved(context, selected, &targets, &stops).await?,
        };
        warn_in_doubt(&gathered);
        // An idle session would only occupy a connection.
        gathered.sessions.clear();
        let left = left_by(&context.connections(), &targets, &mut gathered, run_id).await?;
        let found = (run_id, &left);
        let (compensation, in_the_way) =
            compensation(context, selected, &mut gathered, &mut targets, found, order).await?;
        let mut stopped = std::mem::take(&mut gathered.stopped);
        stopped.extend(in_the_way);
        Ok::<_, Diagnostic>((
            targets,
            gathered,
            left.known,
            compensation,
            stopped,
            resolved,
        ))
    };
    let Some(prepared) = stops.unless_asked(preparation).await else {
        return match args.dry_run {
            true => Err(Diagnostic::cancelled()),
            false => refuse_run(context, "revert", Diagnostic::cancelled()),
        };
    };
    let (targets, gathered, known, compensation, stopped, resolved) = prepared?;
    // A database that cannot be inspected may have a record of the run.
    if !known && stopped.is_empty() {
        return Err(Diagnostic::usage(
            format!(
                "unknown run {run_id}: it ended before it changed anything, or the ID is wrong; nothing was reverted"
            ),
            commented(suggest(["history", "--output", "json"]), "list the runs"),
        ));
    }
    if args.dry_run {
        print_sql(context, &targets, &compensation.plan, &stopped)?;
        return refuse_stopped(&stopped).map(|()| ExitStatus::Done);
    }
    let mut planned = Planned {
        plan: Plan::default(),
        stopped,
        held_back: Vec::new(),
        gate_targets: [].into(),
    };
    let mut first = Vec::new();
    if planned.stopped.is_empty() {
        first.push(compensation);
    } else {
        planned.plan = compensation.plan;
        hold_everything_back(&mut planned);
    }
    first.retain(|compensation| !compensation.plan.steps.is_empty());
    if let Some(compensation) = first.first() {
        let migrations = count(compensation.plan.steps.len(), "migration");
        let what = format!("undo {migrations} of run {run_id}");
        let steps: Vec<&Step> = compensation.plan.steps.iter().collect();
        let review = || review(context, &targets, &steps);
        if let Err(error) = confirm_reviewed(context, args.yes, &what, review).await {
            return refuse_run(context, "revert", error);
        }
    }
    let how = Asked {
        command: "revert",
        on_failure: FailureChoice::Stop,
        wait: std::time::Duration::ZERO,
        stops,
        unknown_outcome: args.unknown_outcome,
        pre_run: None,
        atomic: false,
        resolved,
        first,
        order,
    };
    execute(context, selected, targets, gathered, planned, how, |name| {
        invocation::undo(Some(name), run_id)
    })
    .await
}
