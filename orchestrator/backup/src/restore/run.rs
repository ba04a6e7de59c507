//! Restores several databases: checks all, fills and verifies all, then swaps them directly after one another, so that the fleet is
//! in a mixed state as briefly as possible.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::Arc;

use domain::Reporter;
use domain::{
    ExitStatus, Fleet, ServiceName, ServiceOutcome, Version, commented, millis, suggest,
    with_causes,
};
use engine::dispatch::{Events, Operation, Start, Stops};
use engine::inspect::inspect;
use futures_util::{StreamExt, stream};
use service_cli::command::{Context, Selected};
use tokio::sync::watch;

use super::choice::Restoration;
use super::drop_old::drop_one;
use super::enter::{Entered, enter};
use super::error::RestoreError;
use super::event::RestoreEvent;
use super::examine::{Examined, examine};
use super::prepare::{Prepared, drop_statement, prepare};
use super::reporter::{cancel, fail, finish, skip, warn};
use super::swap::{Window, swap};

/// The number of databases that are filled at a time: each keeps a disk busy.
const FILLED: usize = 4;

/// The options of a restore.
#[derive(Clone, Debug)]
pub struct RestoreOptions {
    /// Show the effect without writing anything.
    pub dry_run: bool,
    /// End the sessions that use a database.
    pub terminate: bool,
    /// Drop the replaced databases.
    pub drop_old: bool,
    /// The number of `pg_restore` jobs per database.
    pub restore_jobs: NonZeroUsize,
}

/// The context of a restore, shared by its phases.
struct Work<'a> {
    context: &'a Context,
    options: &'a RestoreOptions,
    cancelled: watch::Receiver<u32>,
}

/// Restores databases.
pub async fn restore(
    context: &Context,
    restorations: Vec<Restoration>,
    selected: &Selected,
    options: &RestoreOptions,
    reporter: &mut dyn Reporter,
    stops: Stops,
) -> ExitStatus {
    let services = restorations.iter().flat_map(|one| {
        one.members
            .iter()
            .map(|member| member.target.service.name.clone())
    });
    let services: Vec<ServiceName> = services.collect();
    let start = Start {
        steps: restorations.len(),
        ..Start::of("restore", services.clone())
    };
    let mut work = Work {
        context,
        options,
        cancelled: stops.times.clone(),
    };
    let mut operation = Operation::begin(reporter, stops, start);
    services
        .iter()
        .for_each(|name| operation.service_begins(name));
    let examined = work.examine(restorations, &mut operation).await;
    if !examined.is_empty() {
        operation
            .during(|events| work.warn_of_dependents(&examined, selected, events))
            .await;
    }
    if options.dry_run {
        for (restoration, _) in &examined {
            finish(&mut operation, restoration, ServiceOutcome::Unchanged);
        }
        return operation.end(0);
    }
    if !operation.is_well() {
        for (restoration, _) in &examined {
            skip(
                &mut operation,
                restoration,
                "not all backups can be restored",
            );
        }
        return operation.end(0);
    }
    let entered = work.enter(examined, &mut operation).await;
    let prepared = work.prepare(entered, &mut operation).await;
    work.swap(prepared, &mut operation).await;
    let restored = operation.totals.restored;
    operation.end(restored)
}

impl Work<'_> {
    fn jobs(&self) -> usize {
        FILLED.min(self.context.jobs()).max(1)
    }

    fn is_cancelled(&self) -> bool {
        *self.cancelled.borrow() > 0
    }

    /// Awaits work until the user cancels it.
    async fn unless_cancelled<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut cancelled = self.cancelled.clone();
        tokio::select! {
            biased;
            Ok(_) = cancelled.wait_for(|times| *times > 0) => None,
            done = work => Some(done),
        }
    }

    async fn examine(
        &self,
        restorations: Vec<Restoration>,
        operation: &mut Operation<'_>,
    ) -> Vec<(Restoration, Examined)> {
        let examining = stream::iter(&restorations)
            .map(|one| examine(self.context, one, self.options))
            .buffered(self.jobs())
            .collect::<Vec<_>>();
        let Some(found) = self.unless_cancelled(examining).await else {
            restorations.iter().for_each(|one| cancel(operation, one));
            return Vec::new();
        };
        let mut examined = Vec::new();
        for (restoration, found) in restorations.into_iter().zip(found) {
            match found {
                Ok(found) => {
                    let service = restoration.service();
                    let planned = found.planned.clone();
                    operation.service(service, RestoreEvent::RestorePlanned(planned));
                    for message in &found.warnings {
                        let message = message.clone();
                        operation.service(service, RestoreEvent::RestoreWarning { message });
                    }
                    examined.push((restoration, found));
                }
                Err(error) => fail(operation, &restoration, &error),
            }
        }
        examined
    }

    /// Reports applied migrations of other services that require migrations which the restore loses.
    async fn warn_of_dependents(
        &self,
        examined: &[(Restoration, Examined)],
        selected: &Selected,
        events: Events,
    ) {
        // The newest version of each restored service after the restore.
        let heads: BTreeMap<&ServiceName, Option<Version>> = examined
            .iter()
            .flat_map(|(restoration, _)| &restoration.members)
            .map(|member| {
                let head = member.backup.head.as_ref().map(|head| head.version);
                (&member.target.service.name, head)
            })
            .collect();
        for service in self.context.fleet.services() {
            let mut broken = Vec::new();
            for migration in &service.migrations {
                for requirement in &migration.script.directives.requires {
                    let head = heads.get(&requirement.service);
                    if head.is_some_and(|head| Some(requirement.version) > *head) {
                        broken.push((migration.version, requirement));
                    }
                }
            }
            let Some((_, first)) = broken.first() else {
                continue;
            };
            let applied = match heads.get(&service.name) {
                Some(head) => {
                    let versions = service.migrations.iter().map(|it| it.version);
                    Some(versions.filter(|version| Some(*version) <= *head).collect())
                }
                None => self.applied(&service.name, selected).await,
            };
            let Some(applied) = applied else {
                warn(
                    &events,
                    &first.service,
                    format!(
                        "cannot read the applied migrations of {}, which may require migrations that are lost",
                        service.name
                    ),
                );
                continue;
            };
            for (version, requirement) in broken {
                if applied.contains(&version) {
                    warn(
                        &events,
                        &requirement.service,
                        format!(
                            "{requirement} is lost, but the applied {}@{version} requires it",
                            service.name
                        ),
                    );
                }
            }
        }
    }

    async fn applied(&self, name: &ServiceName, selected: &Selected) -> Option<BTreeSet<Version>> {
        let targets = self.context.targets([name], selected, false).await.ok()?;
        let target: &Arc<_> = targets.get(name)?;
        let inspection = inspect(&self.context.connections(), target).await.ok()?;
        Some(
            inspection
                .history
                .applied
                .iter()
                .map(|row| row.version)
                .collect(),
        )
    }

    /// Locks the databases one after another, sorted by address, so that two restores cannot deadlock.
    async fn enter(
        &mut self,
        examined: Vec<(Restoration, Examined)>,
        operation: &mut Operation<'_>,
    ) -> Vec<Entered> {
        let restore = operation.run_id();
        let mut entered = Vec::new();
        let mut waiting = examined.into_iter();
        for (restoration, examined) in waiting.by_ref() {
            let (context, cancelled) = (self.context, &mut self.cancelled);
            let obtained = operation
                .during(|events| async move {
                    enter(context, restoration, examined, restore, cancelled, &events).await
                })
                .await;
            match obtained {
                Ok(one) => entered.push(one),
                Err((restoration, error)) => {
                    fail(operation, &restoration, &error);
                    break;
                }
            }
        }
        if !operation.is_well() {
            for restoration in waiting.map(|(restoration, _)| restoration) {
                self.leave(&restoration, operation);
            }
            for one in &entered {
                self.leave(&one.restoration, operation);
            }
            return Vec::new();
        }
        entered
    }

    /// Fills all databases. If one fails, none is swapped, and the filled ones are dropped.
    async fn prepare(
        &self,
        entered: Vec<Entered>,
        operation: &mut Operation<'_>,
    ) -> Vec<(Entered, Prepared)> {
        let identity = Arc::clone(operation.identity());
        let mut ends: BTreeMap<usize, Result<Prepared, RestoreError>> = BTreeMap::new();
        let cancelled = operation
            .during(|events| async {
                let events = events;
                let filling = async {
                    let mut filling = stream::iter(entered.iter().enumerate())
                        .map(|(at, one)| {
                            let filled =
                                prepare(self.context, one, &identity, self.options, &events);
                            async move { (at, filled.await) }
                        })
                        .buffer_unordered(self.jobs());
                    while let Some((at, end)) = filling.next().await {
                        // Cancel the others: they would not be swapped.
                        let failed = end.is_err();
                        ends.insert(at, end);
                        if failed {
                            break;
                        }
                    }
                };
                self.unless_cancelled(filling).await.is_none()
            })
            .await;
        let is_whole =
            !cancelled && ends.values().filter(|end| end.is_ok()).count() == entered.len();
        let mut ready = Vec::new();
        for (at, one) in entered.into_iter().enumerate() {
            match ends.remove(&at) {
                Some(Ok(prepared)) if is_whole => ready.push((one, prepared)),
                Some(Ok(_)) | None => {
                    clear(&one).await;
                    self.leave(&one.restoration, operation);
                }
                Some(Err(error)) => {
                    clear(&one).await;
                    fail(operation, &one.restoration, &error);
                }
            }
        }
        ready
    }

    /// Swaps the databases in dependency order. Stops at the first failure.
    async fn swap(&self, mut ready: Vec<(Entered, Prepared)>, operation: &mut Operation<'_>) {
        let order = dependencies_first(&self.context.fleet);
        let place = |one: &Entered| {
            let service = one.restoration.service();
            order.iter().position(|name| *name == service)
        };
        ready.sort_by_key(|(one, _)| place(one));
        let (mut left, mut windows) = (Vec::new(), Vec::<Window>::new());
        let mut replaced = Vec::new();
        for (mut one, prepared) in ready {
            if !operation.is_well() || self.is_cancelled() {
                clear(&one).await;
                self.leave(&one.restoration, operation);
                left.push(one);
                continue;
            }
            let swapped = operation
                .during(|events| {
                    let one = &mut one;
                    let prepared = &prepared;
                    async move { swap(self.context, one, prepared, self.options, &events).await }
                })
                .await;
            match swapped {
                Ok(window) => {
                    windows.push(window);
                    operation.anchors.extend(prepared.anchors);
                    operation.totals.restored += 1;
                    finish(operation, &one.restoration, ServiceOutcome::Done);
                    replaced.push((one, prepared.kept));
                }
                Err(error) => {
                    fail(operation, &one.restoration, &error);
                    if matches!(error, RestoreError::AfterSwap(_)) && self.options.drop_old {
                        let name = one.restoration.service().as_str();
                        operation.next.push(commented(
                            suggest(["restore", name, "--drop-old"]),
                            "when the previous database is no longer needed",
                        ));
                    }
                    if !matches!(
                        error,
                        RestoreError::AfterSwap(_) | RestoreError::Unknown { .. }
                    ) {
                        clear(&one).await;
                        left.push(one);
                    }
                }
            }
        }
        if let [first, .., last] = windows[..] {
            operation.run(RestoreEvent::DatabasesSwapped {
                databases: windows.len(),
                window_ms: millis(last.to - first.from),
            });
        }
        if operation.totals.restored > 0
            && let Some(first) = left.first()
        {
            let names: Vec<&str> = left
                .iter()
                .map(|one| one.restoration.service().as_str())
                .collect();
            operation.next.push(commented(
                suggest(
                    std::iter::once("restore")
                        .chain(names)
                        .chain(["--from", &first.examined.planned.manifest]),
                ),
                "the others are restored",
            ));
        }
        // Dropped only after all swaps: dropping takes time, during which the fleet would be mixed, and a fleet that stays mixed may need the
        // old databases.
        if operation.is_well() {
            for (one, kept) in &replaced {
                self.drop_former(one, kept, operation).await;
            }
        }
    }

    async fn drop_former(&self, one: &Entered, kept: &str, operation: &mut Operation<'_>) {
        let Some(live) = one.examined.live.filter(|_| self.options.drop_old) else {
            return;
        };
        let target = &one.restoration.members[0].target;
        let service = one.restoration.service();
        match drop_one(&one.keeper.client, target, kept, true).await {
            Ok(()) => operation.service(
                service,
                RestoreEvent::OldDatabaseDropped {
                    database: kept.to_owned(),
                    bytes: live.bytes,
                },
            ),
            Err(error) => {
                let cause = error.diagnostic().within(format!("cannot drop {kept}"));
                // The next command of the cause would repeat the restore.
                let next = suggest(["restore", service.as_str(), "--drop-old"]);
                operation.totals.failed += 1;
                operation.service_failed(
                    service,
                    cause.with_next(commented(next, "drops all former databases")),
                );
            }
        }
    }

    fn leave(&self, restoration: &Restoration, operation: &mut Operation<'_>) {
        if self.is_cancelled() {
            cancel(operation, restoration);
        } else {
            skip(
                operation,
                restoration,
                "another database could not be restored",
            );
        }
    }
}

/// The services in dependency order.
fn dependencies_first(fleet: &Fleet) -> Vec<&ServiceName> {
    fn visit<'a>(
        fleet: &'a Fleet,
        name: &ServiceName,
        seen: &mut BTreeSet<&'a ServiceName>,
        order: &mut Vec<&'a ServiceName>,
    ) {
        if let Some(service) = fleet.service(name)
            && seen.insert(&service.name)
        {
            for dependency in &service.depends_on {
                visit(fleet, dependency, seen, order);
            }
            order.push(&service.name);
        }
    }
    let (mut seen, mut order) = (BTreeSet::new(), Vec::new());
    for name in fleet.names() {
        visit(fleet, name, &mut seen, &mut order);
    }
    order
}

/// Drops filled databases. If that fails, the next restore recognizes them by name.
async fn clear(one: &Entered) {
    let dropped = one
        .keeper
        .client
        .batch_execute(&drop_statement(&one.restoring))
        .await;
    if let Err(error) = dropped {
        tracing::warn!(database = %one.restoring, error = %with_causes(&error), "cannot drop it; the next restore does");
    }
}
