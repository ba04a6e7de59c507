//! Compensation: undoes what a run has applied, after it failed or was interrupted.
//!
//! First every database records what it must undo. Then the reverts run, in the reverse order of the graph. A run that starts after
//! a kill in between finds in each database that the compensation comes first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::super::board::Board;
use super::super::compensation::{Compensation, Migrations, migrations, visits};
use super::super::lane::Work;
use super::super::{OnFailure, Reverts};
use super::Dispatcher;
use crate::inspect::{ServiceError, Target, inspect};
use crate::revert;
use domain::{
    CatalogState, CompensationStop, DatabaseState, EventKind, ExitStatus, Plan, ServiceName,
    ServiceOutcome, Version, commented,
};
use pg_session::Connections;

/// A running compensation.
pub(super) struct RunningCompensation {
    of_run: Uuid,
    because: String,
    versions: Migrations,
    /// The command that resumes it.
    pub(super) resume: String,
    is_recording: bool,
    before: BTreeMap<ServiceName, ServiceOutcome>,
}

impl RunningCompensation {
    /// The outcome of a service whose reverts are all done; `None` while they are only recorded.
    pub(super) fn outcome(&self, service: &ServiceName) -> Option<ServiceOutcome> {
        let failed = self.before.get(service).copied().filter(|outcome| {
            matches!(
                outcome,
                ServiceOutcome::Failed | ServiceOutcome::Refused | ServiceOutcome::Unavailable
            )
        });
        (!self.is_recording).then(|| failed.unwrap_or(ServiceOutcome::Reverted))
    }
}

impl Dispatcher<'_, '_> {
    /// Finishes the compensations of earlier runs. Returns whether this run may begin.
    pub(super) async fn undo_earlier_runs(&mut self) -> bool {
        let Some(reverts) = &mut self.reverts else {
            return true;
        };
        let first = std::mem::take(&mut reverts.first);
        if first.is_empty() {
            return true;
        }
        let forward = std::mem::replace(
            &mut self.board,
            Board::new(Plan::default(), &self.databases, self.jobs),
        );
        let asked_before = *self.cancelled.borrow_and_update();
        self.cancel(asked_before);
        let mut whole = asked_before == 0;
        for compensation in first {
            if asked_before > 0
                && let Some(reverts) = &self.reverts
            {
                let resume = (reverts.resume)(compensation.of_run);
                self.operation
                    .next
                    .push(commented(resume, "continues the compensation"));
            }
            let planned = migrations(&compensation.plan);
            whole = whole && self.compensate(compensation, &planned).await;
        }
        self.board = forward;
        if whole {
            self.halt = watch::Sender::new(0);
            for lane in self.lanes.values_mut() {
                lane.outcome = None;
                lane.announced = false;
            }
        }
        whole
    }

    /// Undoes what this run has applied, if it failed and this was requested.
    pub(super) async fn undo_this_run(&mut self) {
        let applied = std::mem::take(&mut self.applied);
        let of_run = self.operation.run_id();
        let Some(reverts) = self.reverts.as_ref().filter(|_| !applied.is_empty()) else {
            return;
        };
        if self.on_failure != OnFailure::Revert {
            return;
        }
        // A user who cancels does not ask for more work.
        if *self.cancelled.borrow() > 0 {
            let undo = (reverts.resume)(of_run);
            self.operation
                .next
                .push(commented(undo, "undoes what was applied"));
            return;
        }
        let Some(because) = self.why.take() else {
            return;
        };
        // An idle session would only occupy a connection or a lock.
        for lane in self.lanes.values_mut() {
            lane.session = None;
            lane.held = None;
        }
        let steps = applied.values().map(BTreeSet::len).sum();
        let planned = std::mem::take(&mut self.planned);
        let undoable = self
            .operation
            .stops()
            .unless_asked((reverts.plan)(applied))
            .await;
        match undoable {
            Some(Ok(plan)) => {
                let compensation = Compensation {
                    of_run,
                    because,
                    plan,
                };
                self.is_undone = self.compensate(compensation, &planned).await;
            }
            Some(Err(obstacles)) => {
                self.operation.run(EventKind::CompensationStarted {
                    of_run,
                    because: because.clone(),
                    steps,
                });
                for (service, error) in &obstacles {
                    self.service_stopped(service, error);
                }
                self.report_stop(of_run, &planned).await;
            }
            None => {
                let times = *self.cancelled.borrow_and_update();
                self.cancel(times);
                self.report_stop(of_run, &planned).await;
            }
        }
    }

    /// Undoes what a run has left. Returns whether all of it is undone.
    async fn compensate(&mut self, compensation: Compensation, planned: &Migrations) -> bool {
        let Compensation {
            of_run,
            because,
            plan,
        } = compensation;
        let Some(resume) = self.reverts.as_ref().map(|it| (it.resume)(of_run)) else {
            return false;
        };
        self.operation.run(EventKind::CompensationStarted {
            of_run,
            because: because.clone(),
            steps: plan.steps.len(),
        });
        self.why = None;
        let reverted = self.operation.totals.reverted;
        let mut before = BTreeMap::new();
        for (service, lane) in &mut self.lanes {
            lane.announced = false;
            before.extend(lane.outcome.take().map(|it| (service.clone(), it)));
        }
        self.compensation = Some(RunningCompensation {
            of_run,
            because,
            versions: migrations(&plan),
            resume,
            is_recording: true,
            before,
        });
        self.drive_through(visits(&plan)).await;
        if self.may_continue()
            && let Some(compensation) = &mut self.compensation
        {
            compensation.is_recording = false;
            self.drive_through(plan).await;
        }
        let whole = self.may_continue() && self.board.is_all_done();
        self.settle();
        if whole {
            self.operation.run(EventKind::CompensationFinished {
                of_run,
                reverted: self.operation.totals.reverted - reverted,
            });
        } else {
            self.report_stop(of_run, planned).await;
        }
        whole
    }

    async fn drive_through(&mut self, plan: Plan) {
        self.board = Board::new(plan, &self.databases, self.jobs);
        // An earlier failure stopped only what was running at that time.
        self.halt = watch::Sender::new(0);
        let mut messages = self.listen();
        self.drive(&mut messages).await;
    }

    fn may_continue(&self) -> bool {
        self.why.is_none() && *self.cancelled.borrow() == 0
    }

    /// Reports the outcome of the services that were active and did not finish. The others have reported theirs.
    fn settle(&mut self) {
        let Some(compensation) = self.compensation.take() else {
            return;
        };
        let unfinished = if *self.cancelled.borrow() > 0 {
            ServiceOutcome::Cancelled
        } else {
            ServiceOutcome::Skipped
        };
        let mut ended = Vec::new();
        for (service, lane) in &mut self.lanes {
            if lane.outcome.is_none() && lane.announced {
                lane.outcome = Some(unfinished);
                ended.push(service.clone());
            } else if lane.outcome.is_none() {
                lane.outcome = compensation.before.get(service).copied();
            }
        }
        for service in ended {
            self.service_finished(&service);
        }
    }

    /// The work of a task for a service.
    pub(super) fn work_of(&self, service: &ServiceName) -> Work {
        match &self.compensation {
            Some(compensation) if compensation.is_recording => Work::Record {
                of_run: compensation.of_run,
                because: compensation.because.clone(),
                versions: compensation
                    .versions
                    .get(service)
                    .cloned()
                    .unwrap_or_default(),
            },
            _ => Work::Steps,
        }
    }

    /// Starts the step of a visit. It needs no permission: it is the only one, and runs from the beginning.
    pub(super) fn begin_visit(&mut self, service: &ServiceName) {
        if self.compensation.as_ref().is_some_and(|it| it.is_recording) {
            self.board.next_step(service);
        }
    }

    pub(super) fn end_visit(&mut self, service: &ServiceName) {
        self.board.end_visit(service);
    }

    /// Stops a compensation if the next step of a service is irreversible. Returns whether it has stopped.
    pub(super) fn is_irreversible(&mut self, service: &ServiceName) -> bool {
        if self.compensation.as_ref().is_none_or(|it| it.is_recording) {
            return false;
        }
        let Some(step) = self.board.ready(service) else {
            return false;
        };
        let version = self.board.plan().steps[step].version;
        let Some(target) = self.lanes.get(service).map(|lane| Arc::clone(&lane.target)) else {
            return false;
        };
        let migration = target.service.migration(version);
        let refusal =
            migration.and_then(|it| revert::refuse_irreversible(&target.service, it).err());
        match refusal {
            Some(refusal) => {
                self.service_stopped(service, &ServiceError::Refused(refusal));
                true
            }
            None => false,
        }
    }

    /// Reports the state of every database, and the commands that continue from there.
    async fn report_stop(&mut self, of_run: Uuid, planned: &Migrations) {
        let cancelled = *self.cancelled.borrow() > 0;
        let because = match (&self.why, cancelled) {
            (_, true) => "the run was cancelled".to_owned(),
            (Some(why), _) => why.clone(),
            (None, _) => "not all of it could be done".to_owned(),
        };
        if self.operation.is_well() {
            self.operation.worsen(ExitStatus::Failed);
        }
        let targets = self.lanes.iter().filter_map(|(service, lane)| {
            let versions = planned.get(service)?;
            Some((Arc::clone(&lane.target), versions.clone()))
        });
        let databases = states(&self.connections, targets.collect()).await;
        let next = match &self.reverts {
            Some(reverts) => next_commands(reverts, of_run, cancelled, &databases),
            None => Vec::new(),
        };
        // These come before the commands that the failures suggest: nothing can be rerun before the compensation is settled.
        self.operation.next.splice(0..0, next.iter().cloned());
        let stop = CompensationStop {
            of_run,
            because,
            databases,
            next,
        };
        self.operation
            .run(EventKind::CompensationStopped(Box::new(stop)));
    }
}

fn next_commands(
    reverts: &Reverts<'_>,
    of_run: Uuid,
    cancelled: bool,
    databases: &[DatabaseState],
) -> Vec<String> {
    let resume = (reverts.resume)(of_run);
    if cancelled {
        return vec![commented(resume, "continues the compensation")];
    }
    let changed: Vec<&ServiceName> = databases
        .iter()
        .filter(|database| database.state != CatalogState::Old)
        .map(|database| &database.service)
        .collect();
    let mut next = vec![commented(
        resume.as_str(),
        "undoes the rest, once that is fixed",
    )];
    if !changed.is_empty() {
        let from = reverts.restore_from.as_deref().unwrap_or("latest");
        let restore = (reverts.restore)(&changed, from);
        next.push(commented(restore, "or restore the backups"));
        next.push(commented(
            format!("{resume} --give-up"),
            "or keep the current state",
        ));
    }
    next
}

/// The states of the databases, relative to the migrations that the run was to apply.
async fn states(
    connections: &Arc<Connections>,
    targets: Vec<(Arc<Target>, BTreeSet<Version>)>,
) -> Vec<DatabaseState> {
    let mut queries = JoinSet::new();
    for (target, versions) in targets {
        let connections = Arc::clone(connections);
        queries.spawn(async move {
            let (state, version) = match inspect(&connections, &target).await {
                Ok(inspection) => {
                    let history = &inspection.history;
                    let newest = history.applied.iter().map(|row| row.version).max();
                    (history.seen_from(&versions), newest)
                }
                Err(error) => {
                    tracing::warn!(service = %target.service.name, error = %error.diagnostic(), "cannot determine the state of the database");
                    (CatalogState::Unknown, None)
                }
            };
            DatabaseState {
                service: target.service.name.clone(),
                database: target.address.database().to_owned(),
                state,
                version,
            }
        });
    }
    let mut states = Vec::new();
    while let Some(queried) = queries.join_next().await {
        // Our tasks do not panic, so a join error cannot occur.
        states.extend(queried.ok());
    }
    states.sort_by(|a, b| a.service.cmp(&b.service));
    states
}
