//! A run as the dispatcher takes it, and how it ended.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::locked_database::LockedDatabase;
use super::secure::PreRunCheck;
use super::{Reverts, Ties};
use crate::config::EngineSettings;
use crate::domain::{ExitStatus, Plan, Resolved, ServiceName, StopCause, Totals};
use crate::inspect::{ServiceError, Target};
use crate::postgres::{Connections, RunIdentity, Session};
use crate::runner::StepObserver;

/// What a failure means for services that do not depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// Start nothing new.
    Stop,
    /// Go on with them.
    Continue,
    /// Start nothing new, and undo what this run has applied.
    Revert,
}

/// One service of the run.
pub struct LaneInput {
    /// The service and its database.
    pub target: Arc<Target>,
    /// A session that is open already.
    pub session: Option<Session>,
    /// The command that goes on after a failure.
    pub run_again: String,
    /// The database, where it is locked for this run already.
    pub held: Option<LockedDatabase>,
}

/// The user's wish to stop.
#[derive(Clone, Debug)]
pub struct Stops {
    /// How often it was expressed: 1 finishes the step at hand, 2 cancels it on the server.
    pub times: watch::Receiver<u32>,
    /// How it was expressed last.
    pub cause: watch::Receiver<Option<StopCause>>,
    /// After how long SIGTERM counts for two; zero is never.
    pub grace: Duration,
}

impl Stops {
    /// Counted elsewhere, without a cause.
    pub fn counted(times: watch::Receiver<u32>) -> Self {
        Self {
            times,
            cause: watch::channel(None).1,
            grace: Duration::ZERO,
        }
    }

    /// Awaits `work`; `None` when the user wants to stop first. For work that may be dropped half way.
    pub async fn unless_asked<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut times = self.times.clone();
        tokio::select! {
            biased;
            done = work => Some(done),
            Ok(_) = times.wait_for(|times| *times > 0) => None,
        }
    }
}

/// A run, ready to go.
pub struct Run<'c> {
    /// `run` or `revert`.
    pub command: &'static str,
    /// Who and where from.
    pub identity: RunIdentity,
    /// What to do.
    pub plan: Plan,
    /// The services with steps, and those whose databases gates look at.
    pub lanes: BTreeMap<ServiceName, LaneInput>,
    /// Services that were asked for and have nothing to do.
    pub unchanged: Vec<ServiceName>,
    /// Services that cannot be run, found while planning (`--on-failure continue` runs the others).
    pub stopped: Vec<(ServiceName, ServiceError)>,
    /// Services with work that depend on a stopped one.
    pub held_back: Vec<(ServiceName, usize, ServiceName)>,
    /// How many services at a time.
    pub jobs: usize,
    /// What a failure means for the others.
    pub on_failure: OnFailure,
    /// How long to wait for gates.
    pub wait: Duration,
    /// What is done under the locks of all databases that will change, before any of them does.
    pub pre_run_check: Option<Arc<dyn PreRunCheck>>,
    /// What ties its steps to other services. `None`: a history is replayed in a scratch database, where other services are not, and
    /// gaps are replayed as they are.
    pub ties: Option<Arc<Ties>>,
    /// Whether all of it is to be one atomic release.
    pub atomic: bool,
    /// Interrupted releases that were finished before it was planned.
    pub resolved: Vec<Resolved>,
    /// Time limits and retries.
    pub engine: EngineSettings,
    /// Where sessions come from.
    pub connections: Arc<Connections>,
    /// Who looks at the steps, in a rehearsal.
    pub observer: Option<Arc<dyn StepObserver>>,
    /// How to undo, in a run that may have to.
    pub reverts: Option<Reverts<'c>>,
}

impl Run<'_> {
    /// The services with steps, in the order in which these begin.
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

    /// How many steps there are.
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

/// How a run ended.
#[derive(Clone, Copy, Debug)]
pub struct RunEnd {
    /// For the shell.
    pub status: ExitStatus,
    /// For people.
    pub totals: Totals,
}
