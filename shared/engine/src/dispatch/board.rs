//! The state of a run as a pure state machine: which step may start, and which service is skipped because of which failure.

#[cfg(test)]
mod simulation;

use std::collections::{BTreeMap, BTreeSet};

use domain::{Plan, ServiceName};

/// How much longer the path of another service must be, in milliseconds, before a service makes way for it: the next step needs another
/// session and the lock again.
const MAKES_WAY_MS: u64 = 500;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StepState {
    Waiting,
    Running,
    Done,
    Failed,
}

/// The state of one service.
#[derive(Debug)]
struct Lane {
    /// Its steps, in order.
    steps: Vec<usize>,
    /// The number of steps that are done.
    done: usize,
    /// Whether a task works for it or is about to.
    active: bool,
    /// Whether the service or one of its steps failed.
    failed: bool,
    /// The database key, so that two services of one database never run at once.
    database: String,
}

/// The steps, gates and services of a run.
#[derive(Debug)]
pub(super) struct Board {
    plan: Plan,
    states: Vec<StepState>,
    gates: Vec<bool>,
    lanes: BTreeMap<ServiceName, Lane>,
    jobs: usize,
    stopping: bool,
}

impl Board {
    /// Creates a board for a plan. `databases` maps each service to its database key.
    pub(super) fn new(plan: Plan, databases: &BTreeMap<ServiceName, String>, jobs: usize) -> Self {
        let mut lanes: BTreeMap<ServiceName, Lane> = BTreeMap::new();
        for (index, step) in plan.steps.iter().enumerate() {
            lanes
                .entry(step.service.clone())
                .or_insert_with(|| Lane {
                    steps: Vec::new(),
                    done: 0,
                    active: false,
                    failed: false,
                    database: databases.get(&step.service).cloned().unwrap_or_default(),
                })
                .steps
                .push(index);
        }
        Self {
            states: vec![StepState::Waiting; plan.steps.len()],
            gates: vec![false; plan.gates.len()],
            lanes,
            jobs: jobs.max(1),
            stopping: false,
            plan,
        }
    }

    pub(super) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The services to start now: their next step is ready, their database is free, and a job is left.
    /// The one with the longest remaining path comes first.
    pub(super) fn startable(&self) -> Vec<ServiceName> {
        let mut busy = self.busy();
        let mut left = self.jobs.saturating_sub(self.active());
        let mut starting = Vec::new();
        for (name, lane, _) in self.waiting() {
            if left > 0 && busy.insert(&lane.database) {
                starting.push(name.clone());
                left -= 1;
            }
        }
        starting
    }

    /// Whether an active service should end its task between two steps, because all jobs are in use and a service that waits for one has a
    /// clearly longer path ahead of it.
    pub(super) fn makes_way(&self, service: &ServiceName) -> bool {
        let Some(step) = self.ready(service) else {
            return false;
        };
        let ahead = self.plan.steps[step].remaining_ms;
        let busy = self.busy();
        self.active() >= self.jobs
            && self.waiting().into_iter().any(|(_, lane, other)| {
                !busy.contains(lane.database.as_str())
                    && self.plan.steps[other].remaining_ms > ahead.saturating_add(MAKES_WAY_MS)
            })
    }

    /// The services without a task whose next step is ready, those with the longest remaining path first.
    fn waiting(&self) -> Vec<(&ServiceName, &Lane, usize)> {
        if self.stopping {
            return Vec::new();
        }
        let lanes = self.lanes.iter().filter(|(_, lane)| !lane.active);
        let mut waiting: Vec<_> = lanes
            .filter_map(|(name, lane)| Some((name, lane, self.ready_step(lane)?)))
            .collect();
        waiting.sort_by_key(|(_, _, step)| {
            (
                std::cmp::Reverse(self.plan.steps[*step].remaining_ms),
                *step,
            )
        });
        waiting
    }

    fn active(&self) -> usize {
        self.lanes.values().filter(|lane| lane.active).count()
    }

    /// The databases that a task is working on.
    fn busy(&self) -> BTreeSet<&str> {
        let active = self.lanes.values().filter(|lane| lane.active);
        active.map(|lane| lane.database.as_str()).collect()
    }

    /// A task for a service starts.
    pub(super) fn activate(&mut self, service: &ServiceName) {
        if let Some(lane) = self.lanes.get_mut(service) {
            lane.active = true;
        }
    }

    /// The task of a service has ended.
    pub(super) fn deactivate(&mut self, service: &ServiceName) {
        if let Some(lane) = self.lanes.get_mut(service) {
            lane.active = false;
        }
    }

    /// Marks the next step of an active service as running, and returns it. `None`: the task has nothing more to do now.
    pub(super) fn next_step(&mut self, service: &ServiceName) -> Option<usize> {
        let step = self.ready(service)?;
        self.states[step] = StepState::Running;
        Some(step)
    }

    /// The step that [`Board::next_step`] would return.
    pub(super) fn ready(&self, service: &ServiceName) -> Option<usize> {
        if self.stopping {
            return None;
        }
        self.ready_step(self.lanes.get(service)?)
    }

    /// The only step of a visited service is done.
    pub(super) fn end_visit(&mut self, service: &ServiceName) {
        let step = self
            .lanes
            .get(service)
            .and_then(|lane| lane.steps.get(lane.done));
        if let Some(&step) = step {
            self.done(step);
        }
    }

    pub(super) fn is_all_done(&self) -> bool {
        self.states.iter().all(|state| *state == StepState::Done)
    }

    /// Whether a step of a service is running.
    pub(super) fn is_running(&self, service: &ServiceName) -> bool {
        self.lanes
            .get(service)
            .and_then(|lane| lane.steps.get(lane.done))
            .is_some_and(|&step| self.states[step] == StepState::Running)
    }

    /// A step is done and committed.
    pub(super) fn done(&mut self, step: usize) {
        self.states[step] = StepState::Done;
        let service = &self.plan.steps[step].service;
        if let Some(lane) = self.lanes.get_mut(service) {
            lane.done += 1;
        }
    }

    /// A step failed: no step that depends on it starts.
    pub(super) fn failed(&mut self, step: usize) {
        self.states[step] = StepState::Failed;
        let service = self.plan.steps[step].service.clone();
        self.service_failed(&service);
    }

    /// A service cannot continue, for a reason other than a failed step.
    pub(super) fn service_failed(&mut self, service: &ServiceName) {
        if let Some(lane) = self.lanes.get_mut(service) {
            lane.failed = true;
        }
    }

    pub(super) fn gate_met(&mut self, gate: usize) {
        self.gates[gate] = true;
    }

    /// From now on nothing new starts.
    pub(super) fn stop(&mut self) {
        self.stopping = true;
    }

    /// Whether a task is active.
    pub(super) fn is_active(&self) -> bool {
        self.lanes.values().any(|lane| lane.active)
    }

    /// Whether a step could still start once a gate is met.
    pub(super) fn waits_for_gates(&self) -> bool {
        !self.stopping
            && self.lanes.values().any(|lane| {
                !lane.failed
                    && lane.steps.get(lane.done).is_some_and(|&step| {
                        self.plan.steps[step]
                            .gates
                            .iter()
                            .any(|&gate| !self.gates[gate])
                            && !self.is_doomed(step)
                    })
            })
    }

    pub(super) fn is_complete(&self, service: &ServiceName) -> bool {
        self.lanes
            .get(service)
            .is_none_or(|lane| lane.done == lane.steps.len())
    }

    pub(super) fn step_count(&self, service: &ServiceName) -> usize {
        self.lanes.get(service).map_or(0, |lane| lane.steps.len())
    }

    /// The position of a step among those of its service, from 1.
    pub(super) fn place(&self, step: usize) -> usize {
        let service = &self.plan.steps[step].service;
        self.lanes
            .get(service)
            .and_then(|lane| lane.steps.iter().position(|&other| other == step))
            .map_or(1, |index| index + 1)
    }

    /// The services with steps that were never started, each with the number of these steps and, if there is one, the failed
    /// service that they depend on.
    pub(super) fn left_over(&self) -> Vec<(ServiceName, usize, Option<ServiceName>)> {
        self.lanes
            .iter()
            .filter_map(|(name, lane)| {
                let waiting: Vec<usize> = lane
                    .steps
                    .iter()
                    .copied()
                    .filter(|&step| self.states[step] == StepState::Waiting)
                    .collect();
                let first = *waiting.first()?;
                Some((name.clone(), waiting.len(), self.culprit(first)))
            })
            .collect()
    }

    fn ready_step(&self, lane: &Lane) -> Option<usize> {
        let step = *lane.steps.get(lane.done)?;
        let planned = &self.plan.steps[step];
        let ready = !lane.failed
            && self.states[step] == StepState::Waiting
            && planned
                .after
                .iter()
                .all(|&before| self.states[before] == StepState::Done)
            && planned.gates.iter().all(|&gate| self.gates[gate]);
        ready.then_some(step)
    }

    /// Whether a dependency of a step has failed.
    fn is_doomed(&self, step: usize) -> bool {
        self.culprit(step).is_some()
    }

    /// The nearest failed service among the direct and indirect dependencies of a step.
    fn culprit(&self, step: usize) -> Option<ServiceName> {
        let mut open = vec![step];
        let mut seen = BTreeSet::new();
        while let Some(step) = open.pop() {
            if !seen.insert(step) {
                continue;
            }
            let service = &self.plan.steps[step].service;
            if self.states[step] != StepState::Done
                && self.lanes.get(service).is_some_and(|lane| lane.failed)
            {
                return Some(service.clone());
            }
            open.extend(&self.plan.steps[step].after);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::Board;
    use domain::{Direction, Gate, Plan, ServiceName, Step, Version};

    fn name(text: &str) -> ServiceName {
        text.parse().unwrap()
    }

    fn step(service: &str, version: i64, after: &[usize]) -> Step {
        Step {
            service: name(service),
            version: Version::new(version),
            name: "x".to_owned(),
            direction: Direction::Up,
            wave: 0,
            requires: Vec::new(),
            after: after.to_vec(),
            gates: Vec::new(),
            expected_ms: None,
            remaining_ms: 0,
        }
    }

    fn board(steps: Vec<Step>, jobs: usize) -> Board {
        let databases = steps
            .iter()
            .map(|step| (step.service.clone(), format!("db_{}", step.service)))
            .collect::<BTreeMap<_, _>>();
        let plan = Plan {
            steps,
            gates: Vec::new(),
        };
        Board::new(plan.ranked(), &databases, jobs)
    }

    /// Runs the next step of a service to its end.
    fn work(board: &mut Board, service: &str) -> usize {
        board.activate(&name(service));
        let step = board.next_step(&name(service)).unwrap();
        board.done(step);
        board.deactivate(&name(service));
        step
    }

    #[test]
    fn a_step_starts_as_soon_as_what_it_waits_for_is_done() {
        let mut board = board(
            vec![step("a", 1, &[]), step("a", 2, &[0]), step("b", 1, &[0])],
            9,
        );
        assert_eq!(board.startable(), [name("a")]);
        work(&mut board, "a");
        assert_eq!(
            board.startable(),
            [name("a"), name("b")],
            "b does not wait for the rest of a"
        );
    }

    #[test]
    fn the_longest_remaining_chain_goes_first_when_jobs_are_few() {
        let steps = vec![
            step("a", 1, &[]),
            step("b", 1, &[]),
            step("c", 1, &[1]),
            step("d", 1, &[2]),
        ];
        assert_eq!(board(steps, 1).startable(), [name("b")]);
    }

    #[test]
    fn a_service_makes_way_for_a_clearly_longer_path_between_its_steps() {
        let lasting = |service: &str, version, after: &[usize], expected_ms| Step {
            expected_ms: Some(expected_ms),
            ..step(service, version, after)
        };
        let steps = |expected_ms| {
            vec![
                lasting("a", 1, &[], 100_000),
                lasting("a", 2, &[0], 100),
                lasting("b", 1, &[], expected_ms),
            ]
        };
        for (expected_ms, makes_way) in [(60_000, true), (200, false)] {
            let mut one_job = board(steps(expected_ms), 1);
            assert_eq!(one_job.startable(), [name("a")]);
            one_job.activate(&name("a"));
            let first = one_job.next_step(&name("a")).unwrap();
            one_job.done(first);
            assert_eq!(one_job.makes_way(&name("a")), makes_way, "{expected_ms}");
        }
        let mut two_jobs = board(steps(60_000), 2);
        two_jobs.activate(&name("a"));
        let first = two_jobs.next_step(&name("a")).unwrap();
        two_jobs.done(first);
        assert!(!two_jobs.makes_way(&name("a")), "a job is free");
    }

    #[test]
    fn two_services_of_one_database_never_run_at_once() {
        let steps = vec![step("a", 1, &[]), step("b", 1, &[])];
        let databases = [
            (name("a"), "same".to_owned()),
            (name("b"), "same".to_owned()),
        ]
        .into();
        let mut board = Board::new(
            Plan {
                steps,
                gates: Vec::new(),
            }
            .ranked(),
            &databases,
            9,
        );
        assert_eq!(board.startable(), [name("a")]);
        board.activate(&name("a"));
        assert!(board.startable().is_empty());
        let only = board.next_step(&name("a")).unwrap();
        board.done(only);
        board.deactivate(&name("a"));
        assert_eq!(board.startable(), [name("b")]);
    }

    #[test]
    fn a_failure_stops_its_dependents_and_nothing_else() {
        let mut board = board(
            vec![
                step("a", 1, &[]),
                step("b", 1, &[0]),
                step("c", 1, &[1]),
                step("d", 1, &[]),
            ],
            9,
        );
        board.activate(&name("a"));
        let first = board.next_step(&name("a")).unwrap();
        board.failed(first);
        board.deactivate(&name("a"));
        assert_eq!(board.startable(), [name("d")]);
        work(&mut board, "d");
        assert_eq!(
            board.left_over(),
            [
                (name("b"), 1, Some(name("a"))),
                (name("c"), 1, Some(name("a")))
            ]
        );
    }

    #[test]
    fn a_gate_blocks_its_step_and_not_earlier_ones() {
        let mut second = step("a", 2, &[0]);
        second.gates = vec![0];
        let plan = Plan {
            steps: vec![step("a", 1, &[]), second],
            gates: vec![Gate {
                service: name("z"),
                versions: vec![Version::new(1)],
            }],
        };
        let mut board = Board::new(plan.ranked(), &BTreeMap::new(), 9);
        work(&mut board, "a");
        assert!(board.startable().is_empty());
        assert!(board.waits_for_gates());
        board.gate_met(0);
        assert_eq!(board.startable(), [name("a")]);
    }

    #[test]
    fn after_a_stop_no_step_starts() {
        let mut board = board(vec![step("a", 1, &[]), step("a", 2, &[0])], 9);
        board.activate(&name("a"));
        let first = board.next_step(&name("a")).unwrap();
        board.stop();
        board.done(first);
        assert_eq!(board.next_step(&name("a")), None);
        assert_eq!(board.left_over(), [(name("a"), 1, None)]);
    }
}
