//! Compensation: undoing what a run has applied, after it failed or was interrupted.
//!
//! First every database records what it owes, then the reverts begin, in the reverse order of the graph. Whoever comes
//! after a kill in between finds, in any of the databases, that it is not to be built upon.

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
use crate::domain::{
    CatalogState, CompensationStop, DatabaseState, EventKind, ExitStatus, Plan, ServiceName,
    ServiceOutcome, Version, commented,
};
use crate::inspect::{ServiceError, Target, inspect};
use crate::postgres::Connections;
use crate::revert;

/// A compensation under way.
pub(super) struct Undoing {
    of_run: Uuid,
    because: String,
    versions: Migrations,
    /// The command that goes on with it.
    pub(super) resume: String,
    is_recording: bool,
    /// How the services had ended before.
    before: BTreeMap<ServiceName, ServiceOutcome>,
}

impl Undoing {
    /// How a service ends whose reverts are all done; `None` while these are only recorded.
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
    /// Undoes what earlier runs have left to be undone. Gives whether this one may begin.
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
                self.next.push(commented(resume, "goes on undoing it"));
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

    /// Undoes what this run has applied, where it failed and was asked to.
    pub(super) async fn undo_this_run(&mut self) {
        let applied = std::mem::take(&mut self.applied);
        let of_run = self.run.run_id;
        let Some(reverts) = self.reverts.as_ref().filter(|_| !applied.is_empty()) else {
            return;
        };
        if self.on_failure != OnFailure::Revert {
            return;
        }
        // Who asks to stop does not ask for more work.
        if *self.cancelled.borrow() > 0 {
            let undo = (reverts.resume)(of_run);
            self.next.push(commented(undo, "undoes what was applied"));
            return;
        }
        let Some(because) = self.why.take() else {
            return;
        };
        // A session that waits would only occupy a connection, or a lock.
        for lane in self.lanes.values_mut() {
            lane.session = None;
            lane.held = None;
        }
        let steps = applied.values().map(BTreeSet::len).sum();
        let planned = std::mem::take(&mut self.planned);
        let undoable = self.stops.unless_asked((reverts.plan)(applied)).await;
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
                self.recorder.run(EventKind::CompensationStarted {
                    of_run,
                    because: because.clone(),
                    steps,
                });
                for (service, error) in &obstacles {
                    self.service_stopped(service, error);
                }
                self.tell_stop(of_run, &planned).await;
            }
            None => {
                let times = *self.cancelled.borrow_and_update();
                self.cancel(times);
                self.tell_stop(of_run, &planned).await;
            }
        }
    }

    /// Undoes what a run has left. Gives whether all of it is undone.
    async fn compensate(&mut self, compensation: Compensation, planned: &Migrations) -> bool {
        let Compensation {
            of_run,
            because,
            plan,
        } = compensation;
        let Some(resume) = self.reverts.as_ref().map(|it| (it.resume)(of_run)) else {
            return false;
        };
        self.recorder.run(EventKind::CompensationStarted {
            of_run,
            because: because.clone(),
            steps: plan.steps.len(),
        });
        self.why = None;
        let reverted = self.totals.reverted;
        let mut before = BTreeMap::new();
        for (service, lane) in &mut self.lanes {
            lane.announced = false;
            before.extend(lane.outcome.take().map(|it| (service.clone(), it)));
        }
        self.undoing = Some(Undoing {
            of_run,
            because,
            versions: migrations(&plan),
            resume,
            is_recording: true,
            before,
        });
        self.drive_through(visits(&plan)).await;
        if self.goes_on()
            && let Some(undoing) = &mut self.undoing
        {
            undoing.is_recording = false;
            self.drive_through(plan).await;
        }
        let whole = self.goes_on() && self.board.is_all_done();
        self.settle();
        if whole {
            self.recorder.run(EventKind::CompensationFinished {
                of_run,
                reverted: self.totals.reverted - reverted,
            });
        } else {
            self.tell_stop(of_run, planned).await;
        }
        whole
    }

    async fn drive_through(&mut self, plan: Plan) {
        self.board = Board::new(plan, &self.databases, self.jobs);
        // What failed before halted only what was under way then.
        self.halt = watch::Sender::new(0);
        let mut messages = self.listen();
        self.drive(&mut messages).await;
    }

    fn goes_on(&self) -> bool {
        self.why.is_none() && *self.cancelled.borrow() == 0
    }

    /// Says how the services ended that were at work and did not get through; the others ended before.
    fn settle(&mut self) {
        let Some(undoing) = self.undoing.take() else {
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
                lane.outcome = undoing.before.get(service).copied();
            }
        }
        for service in ended {
            self.service_finished(&service);
        }
    }

    /// What a task does for a service.
    pub(super) fn work_of(&self, service: &ServiceName) -> Work {
        match &self.undoing {
            Some(undoing) if undoing.is_recording => Work::Record {
                of_run: undoing.of_run,
                because: undoing.because.clone(),
                versions: undoing.versions.get(service).cloned().unwrap_or_default(),
            },
            _ => Work::Steps,
        }
    }

    /// A visit needs no go: it has one step, which is under way from the beginning.
    pub(super) fn begin_visit(&mut self, service: &ServiceName) {
        if self.undoing.as_ref().is_some_and(|it| it.is_recording) {
            self.board.next_step(service);
        }
    }

    pub(super) fn end_visit(&mut self, service: &ServiceName) {
        self.board.end_visit(service);
    }

    /// Stops a compensation whose next step in a service has no way back. Gives whether it has stopped.
    pub(super) fn has_no_way_back(&mut self, service: &ServiceName) -> bool {
        if self.undoing.as_ref().is_none_or(|it| it.is_recording) {
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

    /// Names how every database stands, and the commands that go on from there.
    async fn tell_stop(&mut self, of_run: Uuid, planned: &Migrations) {
        let cancelled = *self.cancelled.borrow() > 0;
        let because = match (&self.why, cancelled) {
            (_, true) => "the run was cancelled".to_owned(),
            (Some(why), _) => why.clone(),
            (None, _) => "not all of it could be done".to_owned(),
        };
        if self.status == ExitStatus::Done {
            self.status = ExitStatus::Failed;
        }
        let targets = self.lanes.iter().filter_map(|(service, lane)| {
            let versions = planned.get(service)?;
            Some((Arc::clone(&lane.target), versions.clone()))
        });
        let databases = states(&self.connections, targets.collect()).await;
        let next = match &self.reverts {
            Some(reverts) => ways_on(reverts, of_run, cancelled, &databases),
            None => Vec::new(),
        };
        // Before what the failures advise: nothing runs again before this is settled.
        self.next.splice(0..0, next.iter().cloned());
        let stop = CompensationStop {
            of_run,
            because,
            databases,
            next,
        };
        self.recorder
            .run(EventKind::CompensationStopped(Box::new(stop)));
    }
}

fn ways_on(
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
        "undoes the rest, when that is fixed",
    )];
    if !changed.is_empty() {
        let from = reverts.restore_from.as_deref().unwrap_or("latest");
        let restore = (reverts.restore)(&changed, from);
        next.push(commented(restore, "or go back to the backups"));
        next.push(commented(
            format!("{resume} --give-up"),
            "or keep what is there",
        ));
    }
    next
}

/// How databases stand, seen from a run that was to apply these migrations.
async fn states(
    connections: &Arc<Connections>,
    targets: Vec<(Arc<Target>, BTreeSet<Version>)>,
) -> Vec<DatabaseState> {
    let mut looking = JoinSet::new();
    for (target, versions) in targets {
        let connections = Arc::clone(connections);
        looking.spawn(async move {
            let (state, version) = match inspect(&connections, &target).await {
                Ok(inspection) => {
                    let history = &inspection.history;
                    let newest = history.applied.iter().map(|row| row.version).max();
                    (history.seen_from(&versions), newest)
                }
                Err(error) => {
                    tracing::warn!(service = %target.service.name, error = %error.chain(), "how the database stands is not known");
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
    while let Some(looked) = looking.join_next().await {
        // A task of ours does not panic.
        states.extend(looked.ok());
    }
    states.sort_by(|a, b| a.service.cmp(&b.service));
    states
}
