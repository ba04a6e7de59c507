//! The plan of a run: the pending migrations, their order and their gates.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::command::expected::expect_durations;
use crate::command::{Context, Gathered, Selected};
use domain::{
    Diagnostic, Direction, Gate, Migration, Plan, Requirement, ServiceName, Step, Version,
};
use engine::gates;
use engine::inspect::{ServiceError, Target};
use engine::planning;
use engine::planning::Order;
use engine::reconcile::reconcile;

/// A plan, and what prevents parts of it.
pub struct Planned {
    /// The steps that can run.
    pub plan: Plan,
    /// Services that cannot be run.
    pub stopped: Vec<(ServiceName, ServiceError)>,
    /// Services held back by a stopped service: name, number of steps, and the stopped service.
    pub held_back: Vec<(ServiceName, usize, ServiceName)>,
    /// The databases of gates that are not met yet.
    pub gate_targets: BTreeMap<ServiceName, Arc<Target>>,
}

/// Plans a run: everything pending up to `to`, with the gates that are not met yet.
pub async fn planned_run(
    context: &Context,
    selected: &Selected,
    gathered: &mut Gathered,
    to: Option<Version>,
    order: &dyn Order,
) -> Result<Planned, Diagnostic> {
    let mut stopped = std::mem::take(&mut gathered.stopped);
    let mut chosen: BTreeMap<&ServiceName, Vec<&Migration>> = BTreeMap::new();
    for name in &selected.names {
        let (Some(service), Some(history)) =
            (context.fleet.service(name), gathered.histories.get(name))
        else {
            continue;
        };
        match reconcile(service, history).to_apply(to.filter(|_| selected.named.contains(name))) {
            Ok(migrations) if migrations.is_empty() => {}
            Ok(migrations) => {
                chosen.insert(name, migrations);
            }
            Err(refusal) => stopped.push((name.clone(), refusal.into())),
        }
    }
    let held_back = hold_back(context, &mut chosen, &stopped);
    let (mut steps, gates) = steps_up(context, selected, &chosen)?;
    expect_durations(gathered, &mut steps).await;
    let plan = order.arrange(&context.fleet, steps, Direction::Up);
    let (plan, gate_targets) = with_gates(context, selected, plan, gates, &mut stopped).await?;
    Ok(Planned {
        plan,
        stopped,
        held_back,
        gate_targets,
    })
}

/// Removes the services that depend on a service that cannot be run.
fn hold_back(
    context: &Context,
    chosen: &mut BTreeMap<&ServiceName, Vec<&Migration>>,
    stopped: &[(ServiceName, ServiceError)],
) -> Vec<(ServiceName, usize, ServiceName)> {
    let mut culprits: BTreeMap<ServiceName, ServiceName> = stopped
        .iter()
        .map(|(name, _)| (name.clone(), name.clone()))
        .collect();
    let mut held_back = Vec::new();
    loop {
        let found = chosen.iter().find_map(|(name, migrations)| {
            let service = context.fleet.service(name)?;
            let needed = service
                .depends_on
                .iter()
                .chain(requirements(migrations).map(|requirement| &requirement.service));
            let culprit = needed.into_iter().find_map(|needed| culprits.get(needed))?;
            Some(((*name).clone(), migrations.len(), culprit.clone()))
        });
        let Some((name, steps, culprit)) = found else {
            return held_back;
        };
        chosen.remove(&name);
        culprits.insert(name.clone(), culprit.clone());
        held_back.push((name, steps, culprit));
    }
}

fn requirements<'m>(migrations: &'m [&'m Migration]) -> impl Iterator<Item = &'m Requirement> {
    migrations
        .iter()
        .flat_map(|migration| &migration.script.directives.requires)
}

type GatesByStep = BTreeMap<(ServiceName, Version), Vec<Gate>>;

fn steps_up(
    context: &Context,
    selected: &Selected,
    chosen: &BTreeMap<&ServiceName, Vec<&Migration>>,
) -> Result<(Vec<Step>, GatesByStep), Diagnostic> {
    let mut steps = Vec::new();
    let mut gates = GatesByStep::new();
    for (name, migrations) in chosen {
        let Some(service) = context.fleet.service(name) else {
            continue;
        };
        for (index, migration) in migrations.iter().enumerate() {
            steps.push(planning::step(service, migration, Direction::Up)?);
            let asked = gates::asked_by(&context.fleet, service, migration, index == 0, |name| {
                selected.names.contains(name)
            });
            gates.insert(((*name).clone(), migration.version), asked);
        }
    }
    Ok((steps, gates))
}

/// Checks each gate once, and assigns those that are not met yet to their steps.
async fn with_gates(
    context: &Context,
    selected: &Selected,
    mut plan: Plan,
    asked: GatesByStep,
    stopped: &mut Vec<(ServiceName, ServiceError)>,
) -> Result<(Plan, BTreeMap<ServiceName, Arc<Target>>), Diagnostic> {
    let names: BTreeSet<ServiceName> = asked
        .values()
        .flatten()
        .map(|gate| gate.service.clone())
        .collect();
    let targets = context.targets(&names, selected, false).await?;
    let connections = context.connections();
    let distinct: BTreeSet<Gate> = asked.values().flatten().cloned().collect();
    let mut unmet: BTreeMap<Gate, Option<usize>> = BTreeMap::new();
    for gate in distinct {
        let Some(target) = targets.get(&gate.service) else {
            continue;
        };
        match gates::unmet(&connections, target, &gate).await {
            Ok(None) => {
                unmet.insert(gate, None);
            }
            Ok(Some(missing)) => {
                unmet.insert(gate, Some(plan.gates.len()));
                plan.gates.push(missing);
            }
            Err(error) => {
                let waiting = asked
                    .iter()
                    .find(|(_, gates)| gates.contains(&gate))
                    .map_or_else(|| gate.service.clone(), |((service, _), _)| service.clone());
                stopped.push((waiting, error));
            }
        }
    }
    for step in &mut plan.steps {
        if let Some(gates) = asked.get(&(step.service.clone(), step.version)) {
            step.gates = gates
                .iter()
                .filter_map(|gate| unmet.get(gate).copied().flatten())
                .collect();
        }
    }
    let gate_targets = plan
        .gates
        .iter()
        .filter_map(|gate| {
            Some((
                gate.service.clone(),
                Arc::clone(targets.get(&gate.service)?),
            ))
        })
        .collect();
    Ok((plan, gate_targets))
}
