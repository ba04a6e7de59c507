//! `revert --run`: undoes what one run applied.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::{Diagnostic, Plan, ServiceName, commented, suggest};
use engine::dispatch::Compensation;
use engine::inspect::Target;
use engine::planning::Order;
use uuid::Uuid;

use crate::command::compensation::{compensation, left_by};
use crate::command::run::Planned;
use crate::command::{Context, Gathered, Selected};

/// Plans to undo what a run applied in the selected services and is still applied: at the user's request, or because the run
/// failed and its compensation was interrupted.
pub(super) async fn planned_revert_of(
    run_id: Uuid,
    context: &Context,
    selected: &Selected,
    gathered: &mut Gathered,
    targets: &mut BTreeMap<ServiceName, Arc<Target>>,
    order: &dyn Order,
) -> Result<(Planned, Option<Compensation>), Diagnostic> {
    // An idle session would only occupy a connection.
    gathered.sessions.clear();
    let left = left_by(&context.connections(), targets, gathered, run_id).await?;
    let found = (run_id, &left);
    let (compensation, in_the_way) =
        compensation(context, selected, gathered, targets, found, order).await?;
    let mut stopped = std::mem::take(&mut gathered.stopped);
    stopped.extend(in_the_way);
    // A database that cannot be inspected may have a record of the run.
    if !left.known && stopped.is_empty() {
        return Err(Diagnostic::usage(
            format!(
                "unknown run {run_id}: it ended before it changed anything, or the ID is wrong; nothing was reverted"
            ),
            commented(suggest(["history", "--output", "json"]), "list the runs"),
        ));
    }
    // Nothing is undone where a service prevents it: its steps are held back.
    let (plan, compensation) = match stopped.is_empty() {
        true => (
            Plan::default(),
            (!compensation.plan.steps.is_empty()).then_some(compensation),
        ),
        false => (compensation.plan, None),
    };
    let planned = Planned {
        plan,
        stopped,
        held_back: Vec::new(),
        gate_targets: [].into(),
    };
    Ok((planned, compensation))
}
