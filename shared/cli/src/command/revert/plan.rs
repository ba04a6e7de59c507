//! The plan of a revert, including the migrations of other services that require what is undone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::command::expected::expect_durations;
use crate::command::gather::gather_histories;
use crate::command::run::Planned;
use crate::command::{Context, Gathered, Selected, invocation};
use domain::{
    Diagnostic, Direction, ExitStatus, Migration, Refusal, RefusalKind, Requirement, Service,
    ServiceName, Version, commented, suggest,
};
use engine::inspect::{ServiceError, Target};
use engine::planning;
use engine::planning::Order;
use engine::reconcile::reconcile;
use engine::revert;
use engine::revert::Scope;

/// Plans a revert. Inspects further databases when migrations of other services require what would be undone.
pub async fn planned_revert(
    context: &Context,
    selected: &Selected,
    gathered: &mut Gathered,
    targets: &mut BTreeMap<ServiceName, Arc<Target>>,
    scope: Scope,
    with_dependents: bool,
    order: &dyn Order,
) -> Result<Planned, Diagnostic> {
    let mut stopped = std::mem::take(&mut gathered.stopped);
    let mut scopes: BTreeMap<ServiceName, Scope> = selected
        .names
        .iter()
        .map(|name| (name.clone(), scope))
        .collect();
    loop {
        let needed = requiring_services(context, scopes.keys());
        inspect_more(context, selected, gathered, targets, &mut stopped, &needed).await?;
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
                let undone = undone_by(context, gathered, &dependent, scope);
                let refusal = match undone {
                    Some(Ok(undone)) if undone.iter().any(|one| one.version == version) => None,
                    Some(Err(refusal)) => Some(refusal),
                    _ => Some(Refusal {
                        kind: RefusalKind::Required,
                        service: Some(dependent.clone()),
                        message: format!("{version} cannot be undone in its current state"),
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
            // It stays applied, and so must the migrations that it requires: repeat without it.
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
    expect_durations(gathered, &mut steps).await;
    Ok(Planned {
        plan: order.arrange(&context.fleet, steps, Direction::Down),
        stopped,
        held_back: Vec::new(),
        gate_targets: BTreeMap::new(),
    })
}

/// The services with a migration that requires one of these services.
pub(crate) fn requiring_services<'n>(
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

pub(crate) async fn inspect_more(
    context: &Context,
    selected: &Selected,
    gathered: &mut Gathered,
    targets: &mut BTreeMap<ServiceName, Arc<Target>>,
    stopped: &mut Vec<(ServiceName, ServiceError)>,
    needed: &BTreeSet<ServiceName>,
) -> Result<(), Diagnostic> {
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

/// How another service affects a revert.
enum Dependent {
    None,
    /// Its migrations from this version on must be undone too.
    Found(ServiceName, Version),
    /// This service cannot be reverted.
    Stopped(ServiceName, ServiceError),
}

/// The migrations that a scope undoes; `None` if the service or its history is unknown.
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

/// A service whose applied migrations require what would be undone, and the version from which it must be undone too.
/// Refused without `with_dependents`, and if that service cannot be reverted.
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
        let Some((migration, requirement)) = remaining_requirement(service, gathered, &undone)
        else {
            continue;
        };
        let stopped_by = stopped
            .iter()
            .find_map(|(name, error)| (*name == service.name).then_some(error));
        if with_dependents && stopped_by.is_none() {
            return Dependent::Found(service.name.clone(), migration.version);
        }
        let state = if gathered.histories.contains_key(&service.name) {
            "which is applied"
        } else {
            "and its state is unknown"
        };
        let stays = requirement.service.clone();
        let message = format!(
            "{requirement} is required by {}, {state}",
            migration.script.path
        );
        let next = match stopped_by {
            Some(_) => commented(
                suggest(["status", service.name.as_str()]),
                format!("fix {} first", service.name),
            ),
            None => invocation::revert_with_dependents(&stays, scope),
        };
        let error = match stopped_by.map(ServiceError::exit_code) {
            // Not a refusal: a retry can succeed when that database is available again.
            Some(status @ ExitStatus::Unavailable) => Diagnostic::new(status, message, next).into(),
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

/// Refuses, service by service, to undo what migrations of other services still require.
pub(crate) fn refuse_required(
    context: &Context,
    gathered: &Gathered,
    undone: &BTreeMap<&ServiceName, BTreeSet<Version>>,
    stopped: &mut Vec<(ServiceName, ServiceError)>,
) {
    for service in context.fleet.services().chain(&context.dependents) {
        let Some((migration, requirement)) = remaining_requirement(service, gathered, undone)
        else {
            continue;
        };
        let refusal = Refusal {
            kind: RefusalKind::Required,
            service: Some(requirement.service.clone()),
            message: format!(
                "{requirement} is required by {}, which another run applied",
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

/// The oldest applied migration of a service that requires what is undone and is not undone itself.
fn remaining_requirement<'s>(
    service: &'s Service,
    gathered: &Gathered,
    undone: &BTreeMap<&ServiceName, BTreeSet<Version>>,
) -> Option<(&'s Migration, &'s Requirement)> {
    // A database that cannot be inspected may have it applied.
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
        let undone_too = undone
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
        (applied && !undone_too).then_some((migration, requirement))
    })
}
