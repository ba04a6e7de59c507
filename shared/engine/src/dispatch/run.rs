//! The input of the dispatcher.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::lock_all::PreRunCheck;
use super::locked_database::LockedDatabase;
use super::{DependencyGates, Reverts};
use crate::inspect::{ServiceError, Target};
use crate::runner::StepObserver;
use domain::{Plan, Resolved, ServiceName, StopCause};
use pg_session::{Connections, Session};
use settings::EngineSettings;

/// The effect of a failure on services that do not depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// Start nothing new.
    Stop,
    /// Continue with them.
    Continue,
    /// Start nothing new, and undo what this run has applied.
    Revert,
}

/// One service of the run.
pub struct LaneInput {
    /// The service and its database.
    pub target: Arc<Target>,
    /// A session that is already open.
    pub session: Option<Session>,
    /// Whether the database did not exist when it was inspected.
    pub is_absent: bool,
    /// The command that continues after a failure.
    pub rerun_command: String,
    /// The database, if this run has locked it already.
    pub held: Option<LockedDatabase>,
}

/// Requests to stop the run.
#[derive(Clone, Debug)]
pub struct Stops {
    /// How many requests there were: 1 finishes the current step, 2 cancels it on the server.
    pub times: watch::Receiver<u32>,
    /// The cause of the last request.
    pub cause: watch::Receiver<Option<StopCause>>,
    /// The delay after which SIGTERM counts as a second request; zero means never.
    pub grace: Duration,
}

impl Stops {
    /// Requests that are counted elsewhere, without a cause.
    pub fn counted(times: watch::Receiver<u32>) -> Self {
        Self {
            times,
            cause: watch::channel(None).1,
            grace: Duration::ZERO,
        }
    }

    /// Awaits `work`; `None` if the user cancels first. Only for work that may be dropped half way.
    pub async fn unless_asked<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut times = self.times.clone();
        tokio::select! {
            // Work that is finished counts, even if the user cancels at the same moment.
            biased;
            done = work => Some(done),
            Ok(_) = times.wait_for(|times| *times > 0) => None,
        }
    }
}

/// A run that is ready to start.
pub struct Run<'c> {
    /// `run` or `revert`.
    pub command: &'static str,
    /// The steps to run.
    pub plan: Plan,
    /// The services with steps, and those whose databases the gates query.
    pub lanes: BTreeMap<ServiceName, LaneInput>,
    /// Selected services that have nothing to do.
    pub unchanged: Vec<ServiceName>,
    /// Services that cannot be run, found while planning (`--on-failure continue` runs the others).
    pub stopped: Vec<(ServiceName, ServiceError)>,
    /// Services with steps that depend on a stopped one.
    pub held_back: Vec<(ServiceName, usize, ServiceName)>,
    /// The maximum number of services that run at a time.
    pub jobs: usize,
    /// The effect of a failure on the other services.
    pub on_failure: OnFailure,
    /// The time limit for gates.
    pub wait: Duration,
    /// What is done under the locks of all databases that will change, before any of them changes.
    pub pre_run_check: Option<Arc<dyn PreRunCheck>>,
    /// The dependencies of its steps on other services. `None`: a history is replayed in a scratch database, where other services do not
    /// exist, and gaps are replayed as they are.
    pub dependency_gates: Option<Arc<DependencyGates>>,
    /// Whether the whole run is one atomic release.
    pub atomic: bool,
    /// Interrupted releases that were finished before the run was planned.
    pub resolved: Vec<Resolved>,
    /// Time limits and retries.
    pub engine: EngineSettings,
    /// The source of sessions.
    pub connections: Arc<Connections>,
    /// The observer of the steps, in a rehearsal.
    pub observer: Option<Arc<dyn StepObserver>>,
    /// Receives the session of the last step if it can run another one, for runs that follow each other on one database.
    pub spare_session: Option<mpsc::UnboundedSender<Session>>,
    /// How to undo, in a run that may have to.
    pub reverts: Option<Reverts<'c>>,
}

impl Run<'_> {
    /// The services with steps, in the order of their first steps.
    pub(super) fn services(&self) -> Vec<ServiceName> {
        let mut names: Vec<ServiceName> = Vec::new();
        for plan in self.plans() {
            for name in plan.services() {
                if !names.contains(name) {
                    names.push(name.clone());
                }
            }
        }
        names
    }

    pub(super) fn steps(&self) -> usize {
        self.plans().map(|plan| plan.steps.len()).sum()
    }

    fn plans(&self) -> impl Iterator<Item = &Plan> {
        let first = self.reverts.iter().flat_map(|reverts| &reverts.first);
        first
            .map(|compensation| &compensation.plan)
            .chain([&self.plan])
    }
}
