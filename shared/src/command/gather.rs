//! Looking at databases and making a plan, before anything is changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::task::JoinSet;

use super::{CommandError, Context, Order, Selected};
use crate::domain::{
    Direction, Gate, Migration, Plan, Refusal, RefusalKind, Requirement, Service, ServiceName,
    Step, Version,
};
use crate::gates;
use crate::inspect::{Inspection, ServiceError, Target, inspect};
use crate::planning;
use crate::postgres::{Connections, Session};
use crate::reconcile::{History, reconcile};
use crate::revert::{self, Scope};

/// What the databases of some services say.
#[derive(Default)]
pub struct Gathered {
    /// Their histories; an absent database has an empty one.
    pub histories: BTreeMap<ServiceName, History>,
    /// Sessions that are open, for going on with.
    pub sessions: BTreeMap<ServiceName, Session>,
    /// Databases that cannot be looked at.
    pub stopped: Vec<(ServiceName, ServiceError)>,
}

/// Looks at databases, many at a time.
pub async fn gather(
    connections: &Arc<Connections>,
    targets: &BTreeMap<ServiceName, Arc<Target>>,
) -> Result<Gathered, CommandError> {
    // A session that is kept holds one of the connections: keep them only where there are enough for everybody.
    let keep = targets.len() < connections.limit();
    let mut tasks: JoinSet<(ServiceName, Result<Inspection, ServiceError>)> = JoinSet::new();
    for (name, target) in targets {
        let (name, target, connections) =
            (name.clone(), Arc::clone(target), Arc::clone(connections));
        tasks.spawn(async move {
            let inspection = inspect(&connections, &target).await.map(|mut inspection| {
                inspection.session = inspection.session.filter(|_| keep);
                inspection
            });
            (name, inspection)
        });
    }
    let mut gathered = Gathered::default();
    while let Some(joined) = tasks.join_next().await {
        let (name, inspection) = joined.map_err(|error| CommandError::Program {
            message: format!("looking at a database was interrupted: {error}"),
        })?;
        match inspection {
            Ok(inspection) => {
                gathered.histories.insert(name.clone(), inspection.history);
                if let Some(session) = inspection.session {
                    gathered.sessions.insert(name, session);
                }
            }
            Err(error) => gathered.stopped.push((name, error)),
        }
    }
    gathered.stopped.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(gathered)
}

/// A plan with what stands in its way.
pub struct Planned {
    /// What can be done.
    pub plan: Plan,
    /// Services that cannot be run.
    pub stopped: Vec<(ServiceName, ServiceError)>,
    /// Services with work that wait for a stopped one: how many steps, and for whom.
    pub held_back: Vec<(ServiceName, usize, ServiceName)>,
    /// The databases of gates that are not met yet.
    pub gate_targets: BTreeMap<ServiceName, Arc<Target>>,
}

/// The plan of a run: everything pending up to `to`, with the gates that are not met yet.
pub async fn planned_run(
    context: &Context,
    selected: &Selected,
    gathered: &mut Gathered,
    to: Option<Version>,
    order: &dyn Order,
) -> Result<Planned, CommandError> {
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
    let (steps, gates) = steps_up(context, selected, &chosen)?;
    let plan = order.arrange(&context.fleet, steps, Direction::Up);
    let (plan, gate_targets) = with_gates(context, selected, plan, gates, &mut stopped).await?;
    Ok(Planned {
        plan,
        stopped,
        held_back,
        gate_targets,
    })
}

/// Takes out what depends on a service that cannot be run.
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
) -> Result<(Vec<Step>, GatesByStep), CommandError> {
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

/// Looks each gate up once, and ties those that are not met yet to their steps.
async fn with_gates(
    context: &Context,
    selected: &Selected,
    mut plan: Plan,
    asked: GatesByStep,
    stopped: &mut Vec<(ServiceName, ServiceError)>,
) -> Result<(Plan, BTreeMap<ServiceName, Arc<Target>>), CommandError> {
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

/// The plan of a revert. Looks at further databases where migrations of other services require what would be undone.
pub async fn planned_revert(
    context: &Context,
    selected: &Selected,
    gathered: &mut Gathered,
    targets: &mut BTreeMap<ServiceName, Arc<Target>>,
    scope: Scope,
    with_dependents: bool,
    order: &dyn Order,
) -> Result<Planned, CommandError> {
    let mut stopped = std::mem::take(&mut gathered.stopped);
    let mut scopes: BTreeMap<ServiceName, Scope> = selected
        .names
        .iter()
        .map(|name| (name.clone(), scope))
        .collect();
    loop {
        let needed = requiring_services(context, scopes.keys());
        look_at_more(context, selected, gathered, targets, &mut stopped, &needed).await?;
        match next_dependent(
            context,
            gathered,
            &scopes,
            (scope, with_dependents),
            &stopped,
        ) {
            Dependent::None => break,
            Dependent::Found(dependent, version) => {
                scopes.insert(dependent, Scope::From(version));
            }
            Dependent::Refused(refusal) => {
                let service = refusal.service.clone();
                stopped.extend(service.map(|service| (service, refusal.into())));
                break;
            }
        }
    }
    let mut steps = Vec::new();
    for (name, scope) in &scopes {
        let (Some(service), Some(history)) =
            (context.fleet.service(name), gathered.histories.get(name))
        else {
            continue;
        };
        match revert::select(service, &reconcile(service, history), *scope) {
            Ok(migrations) => {
                for migration in migrations {
                    steps.push(planning::step(service, migration, Direction::Down)?);
                }
            }
            Err(refusal) => stopped.push((name.clone(), refusal.into())),
        }
    }
    Ok(Planned {
        plan: order.arrange(&context.fleet, steps, Direction::Down),
        stopped,
        held_back: Vec::new(),
        gate_targets: BTreeMap::new(),
    })
}

/// The services with a migration that requires something of these.
fn requiring_services<'n>(
    context: &Context,
    names: impl Iterator<Item = &'n ServiceName>,
) -> BTreeSet<ServiceName> {
    let names: BTreeSet<&ServiceName> = names.collect();
    context
        .fleet
        .services()
        .chain(&context.dependents)
        .filter(|service| {
            service
                .migrations
                .iter()
                .flat_map(|migration| &migration.script.directives.requires)
                .any(|requirement| names.contains(&requirement.service))
        })
        .map(|service| service.name.clone())
        .collect()
}

async fn look_at_more(
    context: &Context,
    selected: &Selected,
    gathered: &mut Gathered,
    targets: &mut BTreeMap<ServiceName, Arc<Target>>,
    stopped: &mut Vec<(ServiceName, ServiceError)>,
    needed: &BTreeSet<ServiceName>,
) -> Result<(), CommandError> {
    let missing: Vec<&ServiceName> = needed
        .iter()
        .filter(|name| !targets.contains_key(*name))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let more = context.targets(missing, selected, false).await?;
    let found = gather(&context.connections(), &more).await?;
    gathered.histories.extend(found.histories);
    stopped.extend(found.stopped);
    targets.extend(more);
    Ok(())
}

/// What another service has to say about a revert.
enum Dependent {
    None,
    Found(ServiceName, Version),
    Refused(Refusal),
}

/// A service whose applied migrations require what is chosen to be undone, and from which version on it would have to
/// be undone too. Refused unless that was asked for.
fn next_dependent(
    context: &Context,
    gathered: &Gathered,
    scopes: &BTreeMap<ServiceName, Scope>,
    (scope, with_dependents): (Scope, bool),
    stopped: &[(ServiceName, ServiceError)],
) -> Dependent {
    let mut undone: BTreeMap<&ServiceName, BTreeSet<Version>> = BTreeMap::new();
    for (name, scope) in scopes {
        if let Some((service, history)) = context
            .fleet
            .service(name)
            .zip(gathered.histories.get(name))
            && let Ok(migrations) = revert::select(service, &reconcile(service, history), *scope)
        {
            undone.insert(
                name,
                migrations
                    .iter()
                    .map(|migration| migration.version)
                    .collect(),
            );
        }
    }
    for service in context.fleet.services().chain(&context.dependents) {
        let Some((migration, requirement)) = standing_requirement(service, gathered, &undone)
        else {
            continue;
        };
        if !with_dependents {
            return Dependent::Refused(Refusal {
                kind: RefusalKind::Required,
                service: Some(requirement.service.clone()),
                message: format!(
                    "{requirement} is required by {}, which is applied",
                    migration.script.path
                ),
                next: context
                    .invocation
                    .revert_with_dependents(&requirement.service, scope),
            });
        }
        if stopped.iter().any(|(name, _)| *name == service.name) {
            continue;
        }
        return Dependent::Found(service.name.clone(), migration.version);
    }
    Dependent::None
}

/// The oldest applied migration of a service that requires something to be undone and is not undone itself.
fn standing_requirement<'s>(
    service: &'s Service,
    gathered: &Gathered,
    undone: &BTreeMap<&ServiceName, BTreeSet<Version>>,
) -> Option<(&'s Migration, &'s Requirement)> {
    let history = gathered.histories.get(&service.name)?;
    service.migrations.iter().find_map(|migration| {
        let applied = history
            .applied
            .iter()
            .any(|row| row.version == migration.version)
            || history
                .interrupted
                .iter()
                .any(|interruption| interruption.version == migration.version);
        let goes_too = undone
            .get(&service.name)
            .is_some_and(|versions| versions.contains(&migration.version));
        let requirement = migration
            .script
            .directives
            .requires
            .iter()
            .find(|requirement| {
                undone
                    .get(&requirement.service)
                    .is_some_and(|versions| versions.contains(&requirement.version))
            })?;
        (applied && !goes_too).then_some((migration, requirement))
    })
}
