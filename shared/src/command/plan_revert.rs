//! The plan of a revert: what is undone, and what would stand on it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::gather::gather_histories;
use super::plan_run::Planned;
use super::{CommandError, Context, Gathered, Selected, invocation};
use crate::domain::{
    Direction, ExitStatus, Migration, Refusal, RefusalKind, Requirement, Service, ServiceName,
    Version, commented, suggest,
};
use crate::inspect::{ServiceError, Target};
use crate::planning::{self, Order};
use crate::reconcile::reconcile;
use crate::revert::{self, Scope};

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
                let scope = Scope::From(version);
                let going = undone_by(context, gathered, &dependent, scope);
                let refusal = match going {
                    Some(Ok(going)) if going.iter().any(|one| one.version == version) => None,
                    Some(Err(refusal)) => Some(refusal),
                    _ => Some(Refusal {
                        kind: RefusalKind::Required,
                        service: Some(dependent.clone()),
                        message: format!("{version} cannot be undone as it stands"),
                        next: commented(
                            suggest(["status", dependent.as_str()]),
                            "see what is applied",
                        ),
                    }),
                };
                if let Some(refusal) = refusal {
                    scopes.remove(&dependent);
                    stopped.push((dependent, refusal.into()));
                } else {
                    scopes.insert(dependent, scope);
                }
            }
            // It stays as it is, and so must what it requires in turn: look again without it.
            Dependent::Stopped(service, error) => {
                scopes.remove(&service);
                stopped.push((service, error));
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
pub(super) fn requiring_services<'n>(
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

pub(super) async fn look_at_more(
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
    let found = gather_histories(&context.connections(), &more).await?;
    gathered.histories.extend(found.histories);
    stopped.extend(found.stopped);
    targets.extend(more);
    Ok(())
}

/// What another service has to say about a revert.
enum Dependent {
    None,
    /// It would have to be undone, too, from this version on.
    Found(ServiceName, Version),
    /// This service must stay as it is.
    Stopped(ServiceName, ServiceError),
}

/// The migrations that a scope takes back; `None` where the service or its history is not known.
fn undone_by<'a>(
    context: &'a Context,
    gathered: &'a Gathered,
    name: &ServiceName,
    scope: Scope,
) -> Option<Result<Vec<&'a Migration>, Refusal>> {
    let service = context.service(name)?;
    let history = gathered.histories.get(name)?;
    Some(revert::select(service, &reconcile(service, history), scope))
}

/// A service whose applied migrations require what is chosen to be undone, and from which version on it would have to
/// be undone too. Refused unless that was asked for, and where that service cannot be undone.
fn next_dependent(
    context: &Context,
    gathered: &Gathered,
    scopes: &BTreeMap<ServiceName, Scope>,
    (scope, with_dependents): (Scope, bool),
    stopped: &[(ServiceName, ServiceError)],
) -> Dependent {
    let mut undone: BTreeMap<&ServiceName, BTreeSet<Version>> = BTreeMap::new();
    for (name, scope) in scopes {
        if let Some(Ok(migrations)) = undone_by(context, gathered, name, *scope) {
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
        let stopped_by = stopped
            .iter()
            .find_map(|(name, error)| (*name == service.name).then_some(error));
        if with_dependents && stopped_by.is_none() {
            return Dependent::Found(service.name.clone(), migration.version);
        }
        let standing = if gathered.histories.contains_key(&service.name) {
            "which is applied"
        } else {
            "of which nobody can say whether it is applied"
        };
        let stays = requirement.service.clone();
        let message = format!(
            "{requirement} is required by {}, {standing}",
            migration.script.path
        );
        let next = match stopped_by {
            Some(_) => commented(
                suggest(["status", service.name.as_str()]),
                format!("see to {} first", service.name),
            ),
            None => invocation::revert_with_dependents(&stays, scope),
        };
        let error = match stopped_by.map(ServiceError::exit_status) {
            // No refusal: it may go once that database is back.
            Some(ExitStatus::Unavailable) => ServiceError::Unsure { message, next },
            _ => ServiceError::from(Refusal {
                kind: RefusalKind::Required,
                service: Some(stays.clone()),
                message,
                next,
            }),
        };
        return Dependent::Stopped(stays, error);
    }
    Dependent::None
}

/// Refuses, service by service, what would be taken away under migrations of other services that stay.
pub(super) fn refuse_standing_requirements(
    context: &Context,
    gathered: &Gathered,
    undone: &BTreeMap<&ServiceName, BTreeSet<Version>>,
    stopped: &mut Vec<(ServiceName, ServiceError)>,
) {
    for service in context.fleet.services().chain(&context.dependents) {
        let Some((migration, requirement)) = standing_requirement(service, gathered, undone) else {
            continue;
        };
        let refusal = Refusal {
            kind: RefusalKind::Required,
            service: Some(requirement.service.clone()),
            message: format!(
                "{requirement} is required by {}, which another run has applied",
                migration.script.path
            ),
            next: commented(
                suggest(["revert", service.name.as_str()]),
                "undo that first",
            ),
        };
        stopped.push((requirement.service.clone(), refusal.into()));
    }
}

/// The oldest applied migration of a service that requires something to be undone and is not undone itself.
fn standing_requirement<'s>(
    service: &'s Service,
    gathered: &Gathered,
    undone: &BTreeMap<&ServiceName, BTreeSet<Version>>,
) -> Option<(&'s Migration, &'s Requirement)> {
    // A database that cannot be looked at may have it applied.
    let history = gathered.histories.get(&service.name);
    service.migrations.iter().find_map(|migration| {
        let applied = history.is_none_or(|history| {
            history
                .applied
                .iter()
                .any(|row| row.version == migration.version)
                || history
                    .interrupted
                    .iter()
                    .any(|interruption| interruption.version == migration.version)
        });
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
