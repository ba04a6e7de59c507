//! The state of a run, folded from its events: what every service has done, does and waits for.
//!
//! Responsible for the state, not for its text.

use std::collections::BTreeSet;

use domain::{
    Blocker, Direction, Event, EventKind, Gate, Holder, ServiceName, ServiceOutcome,
    StatementProgress, Version,
};

use super::activity::LiveLine;

/// A run so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Whether it reverts migrations.
    pub reverts: bool,
    /// Whether it undoes what it applied when something fails.
    pub undoes_on_failure: bool,
    /// Whether part of that could not be undone.
    pub is_left: bool,
    /// Steps in the whole run.
    pub steps: usize,
    /// Services with steps, in the order of the plan, and services of other events.
    pub services: Vec<ServiceTally>,
    /// Services that had nothing to do from the start.
    pub unchanged: BTreeSet<ServiceName>,
    /// The steps that a command with lines of its own has done.
    pub done_by_command: Option<usize>,
}

/// The state of one service.
#[derive(Debug)]
pub(super) struct ServiceTally {
    pub name: ServiceName,
    /// Its steps in this run, as far as known.
    pub steps: usize,
    pub applied: usize,
    /// Migrations undone.
    pub reverted: usize,
    /// During a compensation: the number of reverts, and how many migrations had been undone before.
    pub undo_steps: Option<(usize, usize)>,
    /// Migrations that ran in the open transaction of an atomic release.
    pub executed: usize,
    /// Steps that another run did in the meantime.
    pub elsewhere: usize,
    /// Its current activity.
    pub activity: Activity,
    /// The last migration applied or undone.
    pub newest: Option<Migration>,
    pub failed: Option<Migration>,
    /// Why it is skipped.
    pub because: Option<String>,
    /// How it ended.
    pub outcome: Option<ServiceOutcome>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

/// A migration as shown in the output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Migration {
    pub version: Option<Version>,
    pub name: String,
}

/// The current activity of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Activity {
    /// Nothing yet, or nothing any longer.
    Idle,
    /// It waits for another service's database.
    AtGate(Gate),
    /// It waits for its advisory lock.
    ForLock(Option<Holder>),
    /// It has its lock; no step has started.
    Ready,
    Running(Running),
    /// Something that only one command does.
    OfCommand(LiveLine),
}

/// A running step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Running {
    pub migration: Migration,
    /// Apply or revert.
    pub direction: Direction,
    /// Its number among the service's steps, from 1.
    pub step: usize,
    /// Statements done and in all, for no-transaction files.
    pub statements: Option<(usize, usize)>,
    /// The last failed attempt, the maximum number of attempts, and the blockers.
    pub retry: Option<(u32, u32, Vec<Blocker>)>,
    /// The sessions that currently block it.
    pub blockers: Vec<Blocker>,
    /// How far its current statement is, if it has run for long.
    pub progress: Option<StatementProgress>,
}

impl ServiceTally {
    fn new(name: ServiceName) -> Self {
        Self {
            name,
            steps: 0,
            applied: 0,
            reverted: 0,
            undo_steps: None,
            executed: 0,
            elsewhere: 0,
            activity: Activity::Idle,
            newest: None,
            failed: None,
            because: None,
            outcome: None,
            duration_ms: 0,
        }
    }

    /// Migrations that this run applied or undid.
    pub(super) fn done(&self) -> usize {
        self.applied + self.reverted
    }

    /// Steps done and in all of the current direction: apply or compensate. Steps that ran in the open transaction of an
    /// atomic release count.
    pub(super) fn progress(&self) -> (usize, usize) {
        match self.undo_steps {
            Some((steps, before)) => (self.reverted - before, steps),
            None => (self.done().max(self.executed) + self.elsewhere, self.steps),
        }
    }

    /// Whether nothing had to be done.
    pub(super) fn is_unchanged(&self) -> bool {
        self.done() == 0
            && matches!(
                self.outcome,
                Some(ServiceOutcome::Done | ServiceOutcome::Unchanged)
            )
    }

    fn absorb(&mut self, version: Option<Version>, kind: &EventKind) {
        let migration = |name: &String| Migration {
            version,
            name: name.clone(),
        };
        match kind {
            EventKind::GateWaiting { gate } => self.activity = Activity::AtGate(gate.clone()),
            EventKind::LockWaiting { holder } => {
                self.activity = Activity::ForLock(holder.clone());
            }
            EventKind::GateMet { .. } => self.activity = Activity::Ready,
            EventKind::ServiceStarted { steps } => {
                match &mut self.undo_steps {
                    Some((undo_steps, _)) => *undo_steps = *steps,
                    None => self.steps = *steps,
                }
                self.activity = Activity::Ready;
            }
            EventKind::MigrationStarted {
                name,
                direction,
                step,
                statements,
                resumed_after,
            } => {
                self.activity = Activity::Running(Running {
                    migration: migration(name),
                    direction: *direction,
                    step: *step,
                    statements: statements.map(|all| (resumed_after.unwrap_or(0), all)),
                    retry: None,
                    blockers: Vec::new(),
                    progress: None,
                });
            }
            EventKind::StatementFinished {
                statement,
                statements,
                ..
            } => {
                if let Activity::Running(running) = &mut self.activity {
                    running.statements = Some((*statement, *statements));
                    running.retry = None;
                    running.blockers.clear();
                    running.progress = None;
                }
            }
            EventKind::MigrationBlocked { blockers, .. } => {
                if let Activity::Running(running) = &mut self.activity {
                    running.blockers.clone_from(blockers);
                }
            }
            EventKind::MigrationProgress(progress) => {
                if let Activity::Running(running) = &mut self.activity {
                    running.progress = Some(progress.clone());
                }
            }
            EventKind::MigrationUnblocked { .. } => {
                if let Activity::Running(running) = &mut self.activity {
                    running.blockers.clear();
                }
            }
            EventKind::MigrationRetrying {
                attempt,
                attempts,
                blockers,
                ..
            } => {
                if let Activity::Running(running) = &mut self.activity {
                    running.retry = Some((*attempt, *attempts, blockers.clone()));
                    running.blockers.clear();
                    running.progress = None;
                }
            }
            EventKind::MigrationExecuted { .. } => {
                self.executed += 1;
                self.activity = Activity::Ready;
            }
            EventKind::MigrationRolledBack { because, .. } => {
                self.because = Some(because.clone());
                self.activity = Activity::Idle;
            }
            EventKind::MigrationApplied { name, .. } => {
                self.applied += 1;
                self.finish_step(migration(name));
            }
            EventKind::MigrationReverted { name, .. } => {
                self.reverted += 1;
                self.finish_step(migration(name));
            }
            EventKind::MigrationUnchanged { .. } => {
                self.elsewhere += 1;
                self.activity = Activity::Ready;
            }
            EventKind::MigrationFailed(failure) => {
                self.failed = Some(migration(&failure.name));
                self.activity = Activity::Idle;
            }
            EventKind::ServiceFailed(_) => self.activity = Activity::Idle,
            EventKind::ServiceSkipped { because, steps } => {
                self.because = Some(because.clone());
                self.steps = self.steps.max(self.done() + self.elsewhere + steps);
                self.activity = Activity::Idle;
            }
            EventKind::ServiceFinished {
                outcome,
                duration_ms,
                ..
            } => {
                self.outcome = Some(*outcome);
                self.duration_ms = *duration_ms;
                self.activity = Activity::Idle;
            }
            _ => {}
        }
    }

    fn finish_step(&mut self, migration: Migration) {
        self.newest = Some(migration);
        self.activity = Activity::Ready;
    }
}

impl Tally {
    /// Processes one event.
    pub(super) fn absorb(&mut self, event: &Event) {
        if let EventKind::RunStarted {
            command,
            services,
            unchanged,
            steps,
            undoes_on_failure,
            ..
        } = &event.kind
        {
            self.undoes_on_failure = *undoes_on_failure;
            self.reverts = *command == "revert";
            self.steps = *steps;
            self.services = services.iter().cloned().map(ServiceTally::new).collect();
            self.unchanged = unchanged.iter().cloned().collect();
        }
        match &event.kind {
            EventKind::CompensationStarted { of_run, steps, .. } => {
                // Otherwise they were counted from the start.
                if *of_run == event.run_id {
                    self.steps = self.done() + steps;
                }
                for standing in &mut self.services {
                    standing.undo_steps = Some((0, standing.reverted));
                }
            }
            EventKind::CompensationFinished { .. } | EventKind::CompensationStopped(_) => {
                self.is_left = matches!(event.kind, EventKind::CompensationStopped(_));
                for standing in &mut self.services {
                    standing.undo_steps = None;
                }
            }
            _ => {}
        }
        if let Some(name) = &event.service {
            self.entry(name).absorb(event.version, &event.kind);
        }
    }

    /// Sets what a service does.
    pub(super) fn begin(&mut self, name: &ServiceName, activity: Activity) {
        self.entry(name).activity = activity;
    }

    /// The state of a service.
    pub(super) fn service(&self, name: &ServiceName) -> Option<&ServiceTally> {
        self.services.iter().find(|standing| standing.name == *name)
    }

    /// Steps that are done, here or by another run.
    pub(super) fn done(&self) -> usize {
        if let Some(done) = self.done_by_command {
            return done;
        }
        self.services
            .iter()
            .map(|standing| standing.done().max(standing.executed) + standing.elsewhere)
            .sum()
    }

    /// Services that had work or errors, in the order of the plan.
    pub(super) fn involved(&self) -> impl Iterator<Item = &ServiceTally> {
        self.services.iter().filter(|standing| {
            !standing.is_unchanged()
                && (standing.outcome.is_some() || !self.unchanged.contains(&standing.name))
        })
    }

    /// All other services: they had nothing to do.
    pub(super) fn up_to_date(&self) -> BTreeSet<&ServiceName> {
        let involved: BTreeSet<_> = self.involved().map(|standing| &standing.name).collect();
        self.services
            .iter()
            .map(|standing| &standing.name)
            .chain(&self.unchanged)
            .filter(|name| !involved.contains(name))
            .collect()
    }

    fn entry(&mut self, name: &ServiceName) -> &mut ServiceTally {
        let index = self
            .services
            .iter()
            .position(|standing| standing.name == *name)
            .unwrap_or_else(|| {
                self.services.push(ServiceTally::new(name.clone()));
                self.services.len() - 1
            });
        &mut self.services[index]
    }
}
