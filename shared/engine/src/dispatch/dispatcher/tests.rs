//! The dispatcher with hand-made messages: no task, no database, no clock.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use super::create::CreateTask;
use super::tasks::Tasks;
use super::{Dispatcher, start};
use crate::dispatch::gate_watch::GateWatch;
use crate::dispatch::lane::{LaneTask, Message, StartStep, Work};
use crate::dispatch::{
    Compensation, DependencyGates, LaneInput, OnFailure, Operation, Reverts, Run, Stops,
};
use crate::gates::GateEnd;
use crate::inspect::{ServiceError, Target};
use crate::runner::StepDone;
use domain::Reporter;
use domain::{
    Checksum, Direction, Directives, Event, EventKind, ExitStatus, Failure, Gate, Migration, Plan,
    Refusal, RefusalKind, Script, Service, ServiceName, ServiceOutcome, Step, StopCause, Verdict,
    Version,
};
use pg_address::DatabaseAddress;
use pg_session::{ConnectOptions, Connections};
use settings::EngineSettings;

/// No message of a test takes this long.
const LIMIT: Duration = Duration::from_secs(10);

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

fn down(service: &str, version: i64, after: &[usize]) -> Step {
    Step {
        direction: Direction::Down,
        ..step(service, version, after)
    }
}

fn plan(steps: Vec<Step>) -> Plan {
    Plan {
        steps,
        gates: Vec::new(),
    }
    .ranked()
}

/// A service with reversible migrations 1 to 9, on a server that does not exist.
fn target(service: &str) -> Arc<Target> {
    let script = |path: String| Script {
        path,
        text: "SELECT 1".into(),
        directives: Directives::default(),
    };
    let migrations = (1..10).map(|version| Migration {
        version: Version::new(version),
        name: "x".to_owned(),
        checksum: Checksum::new(1),
        script: script(format!("migrations/V{version}__x.sql")),
        revert: Some(script(format!("reverts/V{version}__x.sql"))),
    });
    Arc::new(Target {
        service: Arc::new(Service {
            name: name(service),
            database: service.to_owned(),
            depends_on: Vec::new(),
            history_table: None,
            legacy_table: None,
            description: None,
            owner: None,
            path: String::new(),
            migrations: migrations.collect(),
        }),
        address: DatabaseAddress::local("/nowhere", 1, "nobody", service),
        history_table: "h".to_owned(),
        legacy_table: None,
        may_create: false,
    })
}

fn run_of<'c>(plan: Plan, on_failure: OnFailure) -> Run<'c> {
    let names: Vec<ServiceName> = plan.services().into_iter().cloned().collect();
    let lanes = names.into_iter().map(|name| {
        let lane = LaneInput {
            target: target(name.as_str()),
            session: None,
            is_absent: false,
            rerun_command: format!("run {name}"),
            held: None,
        };
        (name, lane)
    });
    let options = ConnectOptions {
        application_name: String::new(),
        connect_timeout: LIMIT,
        retry_for: Duration::ZERO,
        patience: Duration::ZERO,
    };
    Run {
        command: "run",
        lanes: lanes.collect(),
        plan,
        unchanged: Vec::new(),
        stopped: Vec::new(),
        held_back: Vec::new(),
        jobs: 9,
        on_failure,
        wait: LIMIT,
        pre_run_check: None,
        dependency_gates: None,
        atomic: false,
        resolved: Vec::new(),
        engine: EngineSettings::default(),
        connections: Arc::new(Connections::new(options, 9)),
        observer: None,
        spare_session: None,
        reverts: None,
    }
}

/// Hands the tasks of a run to the test.
struct Played {
    lanes: mpsc::UnboundedSender<LaneTask>,
    gates: mpsc::UnboundedSender<GateWatch>,
}

impl Tasks for Played {
    fn lane(&self, task: LaneTask) -> BoxFuture<'static, ()> {
        let _ = self.lanes.send(task);
        async {}.boxed()
    }

    fn create(&self, _task: CreateTask) -> BoxFuture<'static, ()> {
        async {}.boxed()
    }

    fn gate(&self, watch: GateWatch) -> BoxFuture<'static, ()> {
        let _ = self.gates.send(watch);
        async {}.boxed()
    }
}

/// What a test plays: the tasks, and the user who stops the run.
struct Play {
    lanes: mpsc::UnboundedReceiver<LaneTask>,
    gates: mpsc::UnboundedReceiver<GateWatch>,
    times: watch::Sender<u32>,
}

impl Play {
    /// The next task that the dispatcher starts.
    async fn lane(&mut self) -> Lane {
        Lane(self.lanes.recv().await.unwrap())
    }

    async fn lane_of(&mut self, service: &str) -> Lane {
        let lane = self.lane().await;
        assert_eq!(lane.0.target.service.name.as_str(), service);
        lane
    }

    /// Lets the dispatcher handle everything that was sent.
    async fn settle(&self) {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }

    async fn has_started_nothing(&mut self) -> bool {
        self.settle().await;
        self.lanes.try_recv().is_err()
    }

    async fn stop(&self, times: u32) {
        self.times.send_replace(times);
        self.settle().await;
    }
}

/// A task that a test plays.
struct Lane(LaneTask);

impl Lane {
    fn send(&self, message: Message) {
        let _ = self.0.messages.send(message);
    }

    fn service(&self) -> ServiceName {
        self.0.target.service.name.clone()
    }

    fn ready(&self) {
        self.ready_with(Arc::default());
    }

    /// Announces a lane, and counts how often the dispatcher cancels what it does.
    fn ready_with(&self, cancelled: Arc<AtomicU32>) {
        self.send(Message::Ready {
            service: self.service(),
            cancel: Arc::new(move || {
                cancelled.fetch_add(1, Ordering::Relaxed);
                async { Ok(()) }.boxed()
            }),
        });
    }

    /// The next step that it may run; `None` when it is ended.
    async fn go(&mut self) -> Option<StartStep> {
        self.0.starts.recv().await
    }

    fn finish(&self, start: &StartStep, result: Result<StepDone, Box<Failure>>) {
        let step = start.step;
        self.send(Message::Finished { step, result });
    }

    /// Runs the next step successfully. Returns its version.
    async fn works(&mut self) -> i64 {
        let start = self.go().await.unwrap();
        self.finish(&start, Ok(StepDone::Done));
        start.version.number()
    }

    async fn fails(&mut self, status: ExitStatus) {
        let start = self.go().await.unwrap();
        self.finish(&start, Err(failure(status)));
    }

    /// Expects that there is no step left for it, and ends.
    async fn ends(mut self) {
        assert!(self.go().await.is_none(), "{} got a step", self.service());
        self.release();
    }

    fn release(self) {
        let service = self.service();
        self.send(Message::Released {
            service,
            anchor: None,
        });
    }

    fn stopped(self, error: ServiceError) {
        let service = self.service();
        self.send(Message::Stopped { service, error });
        self.release();
    }
}

fn failure(exit_code: ExitStatus) -> Box<Failure> {
    Box::new(Failure {
        name: "x".to_owned(),
        direction: Direction::Up,
        sqlstate: None,
        message: "no".to_owned(),
        detail: None,
        object: None,
        hint: None,
        context: None,
        file: "f.sql".to_owned(),
        line: None,
        column: None,
        source_line: None,
        statements_done: None,
        statements: None,
        blockers: Vec::new(),
        rolled_back: true,
        outcome_unknown: false,
        left: Vec::new(),
        duration_ms: 0,
        next: "fix it".to_owned(),
        exit_code,
    })
}

#[derive(Default)]
struct Seen(Vec<Event>);

impl Reporter for Seen {
    fn report(&mut self, event: &Event) {
        self.0.push(event.clone());
    }
}

impl Seen {
    /// `a: failed`, in the order of the events.
    fn outcomes(&self) -> Vec<(String, ServiceOutcome)> {
        let outcome = |event: &Event| match event.kind {
            EventKind::ServiceFinished { outcome, .. } => {
                Some((event.service.as_ref()?.to_string(), outcome))
            }
            _ => None,
        };
        self.0.iter().filter_map(outcome).collect()
    }

    fn skipped(&self) -> Vec<(String, usize)> {
        let skipped = |event: &Event| match &event.kind {
            EventKind::ServiceSkipped { steps, .. } => {
                Some((event.service.as_ref()?.to_string(), *steps))
            }
            _ => None,
        };
        self.0.iter().filter_map(skipped).collect()
    }

    fn has(&self, is_it: impl Fn(&EventKind) -> bool) -> bool {
        self.0.iter().any(|event| is_it(&event.kind))
    }

    /// Verdict; applied, reverted, failed, cancelled and skipped; next commands.
    fn end(&self) -> (Verdict, [usize; 5], Vec<String>) {
        match &self.0.last().unwrap().kind {
            EventKind::RunFinished {
                verdict,
                totals,
                next,
                ..
            } => {
                let counts = [
                    totals.applied,
                    totals.reverted,
                    totals.failed,
                    totals.cancelled,
                    totals.skipped,
                ];
                (*verdict, counts, next.clone())
            }
            other => panic!("{other:?} is last"),
        }
    }
}

/// Runs the dispatcher against a play.
async fn play(run: Run<'_>, script: impl AsyncFnOnce(Play)) -> (ExitStatus, Seen) {
    let ((lanes, played_lanes), (gates, played_gates)) =
        (mpsc::unbounded_channel(), mpsc::unbounded_channel());
    let (times, asked) = watch::channel(0);
    let stops = Stops {
        times: asked,
        cause: watch::channel(Some(StopCause::Interrupt)).1,
        grace: Duration::ZERO,
    };
    let mut seen = Seen::default();
    let operation = Operation::begin(&mut seen, stops, start(&run));
    let dispatcher = Dispatcher::new(run, operation, Box::new(Played { lanes, gates }));
    let script = script(Play {
        lanes: played_lanes,
        gates: played_gates,
        times,
    });
    let both = async { tokio::join!(dispatcher.run(), script) };
    let (status, ()) = tokio::time::timeout(LIMIT, both).await.unwrap();
    (status, seen)
}

#[tokio::test]
async fn a_step_goes_only_after_the_steps_that_it_depends_on() {
    let steps = vec![step("a", 1, &[]), step("b", 1, &[0]), step("a", 2, &[0, 1])];
    let (status, seen) = play(run_of(plan(steps), OnFailure::Stop), async |mut play| {
        let mut a = play.lane_of("a").await;
        a.ready();
        assert!(play.has_started_nothing().await, "b depends on a 1");
        assert_eq!(a.works().await, 1);
        // The next step of `a` depends on `b`: its lane ends, and its lock is released.
        a.ends().await;
        let mut b = play.lane_of("b").await;
        b.ready();
        assert_eq!(b.works().await, 1);
        b.ends().await;
        let mut a = play.lane_of("a").await;
        a.ready();
        assert_eq!(a.works().await, 2);
        a.ends().await;
    })
    .await;
    assert_eq!(status, ExitStatus::Done);
    let done = |name: &str| (name.to_owned(), ServiceOutcome::Done);
    assert_eq!(seen.outcomes(), [done("b"), done("a")]);
    assert_eq!(seen.end().1, [3, 0, 0, 0, 0]);
}

#[tokio::test]
async fn a_failure_finishes_what_runs_and_starts_nothing_new() {
    let steps = vec![step("a", 1, &[]), step("b", 1, &[]), step("b", 2, &[1])];
    let (status, seen) = play(run_of(plan(steps), OnFailure::Stop), async |mut play| {
        let (mut first, mut second) = (play.lane().await, play.lane().await);
        if first.service().as_str() == "b" {
            std::mem::swap(&mut first, &mut second);
        }
        let (mut a, mut b) = (first, second);
        a.ready();
        b.ready();
        let running = b.go().await.unwrap();
        a.fails(ExitStatus::Failed).await;
        a.ends().await;
        assert_eq!(*b.0.halted.borrow(), 1, "waits for locks and gates end");
        assert_eq!(*b.0.cancelled.borrow(), 0, "the current step is finished");
        b.finish(&running, Ok(StepDone::Done));
        b.ends().await;
    })
    .await;
    assert_eq!(status, ExitStatus::Failed);
    let (verdict, counts, next) = seen.end();
    assert_eq!(
        (verdict, counts, next),
        (Verdict::Failed, [1, 0, 1, 0, 1], vec!["fix it".to_owned()])
    );
    assert_eq!(seen.skipped(), [("b".to_owned(), 1)]);
}

#[tokio::test]
async fn with_continue_only_dependents_are_skipped() {
    let steps = vec![step("a", 1, &[]), step("b", 1, &[0]), step("c", 1, &[])];
    let run = Run {
        jobs: 1,
        ..run_of(plan(steps), OnFailure::Continue)
    };
    let (status, seen) = play(run, async |mut play| {
        let mut a = play.lane_of("a").await;
        a.ready();
        a.fails(ExitStatus::Unavailable).await;
        a.ends().await;
        let mut c = play.lane_of("c").await;
        c.ready();
        assert_eq!(c.works().await, 1);
        c.ends().await;
    })
    .await;
    assert_eq!(status, ExitStatus::Unavailable);
    assert_eq!(seen.skipped(), [("b".to_owned(), 1)]);
    assert_eq!(
        seen.outcomes(),
        [
            ("a".to_owned(), ServiceOutcome::Unavailable),
            ("c".to_owned(), ServiceOutcome::Done),
            ("b".to_owned(), ServiceOutcome::Skipped),
        ]
    );
}

#[tokio::test]
async fn the_first_signal_finishes_the_step_and_the_second_cancels_it() {
    let steps = vec![step("a", 1, &[]), step("a", 2, &[0]), step("b", 1, &[1])];
    let (status, seen) = play(run_of(plan(steps), OnFailure::Revert), async |mut play| {
        let mut a = play.lane_of("a").await;
        let between_steps = Arc::<AtomicU32>::default();
        a.ready_with(Arc::clone(&between_steps));
        let running = a.go().await.unwrap();
        play.stop(1).await;
        assert_eq!((*a.0.cancelled.borrow(), *a.0.halted.borrow()), (1, 1));
        play.stop(2).await;
        assert_eq!(*a.0.cancelled.borrow(), 2, "the step cancels itself");
        assert_eq!(between_steps.load(Ordering::Relaxed), 0);
        a.finish(&running, Err(failure(ExitStatus::Cancelled)));
        a.ends().await;
    })
    .await;
    assert_eq!(status, ExitStatus::Cancelled);
    assert_eq!(seen.end().0, Verdict::Cancelled);
    assert_eq!(seen.end().1, [0, 0, 0, 1, 2]);
    assert!(!seen.has(|kind| matches!(kind, EventKind::CompensationStarted { .. })));
}

#[tokio::test]
async fn the_second_signal_cancels_what_a_service_does_between_steps() {
    let steps = vec![step("a", 1, &[]), step("a", 2, &[0])];
    let (status, seen) = play(run_of(plan(steps), OnFailure::Stop), async |mut play| {
        let mut a = play.lane_of("a").await;
        let between_steps = Arc::<AtomicU32>::default();
        a.ready_with(Arc::clone(&between_steps));
        let running = a.go().await.unwrap();
        play.stop(1).await;
        a.finish(&running, Ok(StepDone::Done));
        play.settle().await;
        play.stop(2).await;
        assert_eq!(between_steps.load(Ordering::Relaxed), 1);
        a.ends().await;
    })
    .await;
    assert_eq!(status, ExitStatus::Cancelled);
    assert_eq!(seen.end().1, [1, 0, 0, 0, 1]);
    assert_eq!(
        seen.outcomes(),
        [("a".to_owned(), ServiceOutcome::Cancelled)]
    );
}

#[tokio::test]
async fn a_signal_during_planning_starts_nothing() {
    let (times, asked) = watch::channel(1);
    let run = run_of(plan(vec![step("a", 1, &[])]), OnFailure::Stop);
    let (lanes, mut started) = mpsc::unbounded_channel();
    let mut seen = Seen::default();
    let operation = Operation::begin(&mut seen, Stops::counted(asked), start(&run));
    let (gates, _) = mpsc::unbounded_channel();
    let status = Dispatcher::new(run, operation, Box::new(Played { lanes, gates }))
        .run()
        .await;
    drop(times);
    assert_eq!(status, ExitStatus::Cancelled);
    assert!(started.try_recv().is_err());
    assert_eq!(seen.end().1, [0, 0, 0, 0, 1]);
}

fn refusal() -> ServiceError {
    ServiceError::Refused(Refusal {
        kind: RefusalKind::StalePlan,
        service: None,
        message: "stale".to_owned(),
        next: "again".to_owned(),
    })
}

#[tokio::test]
async fn the_worst_failure_decides_the_exit_code() {
    use ExitStatus::{Done, Failed, Refused, Unavailable};
    // How each of two independent services ends, and the exit code.
    for (a, b, expected) in [
        (Done, Done, Done),
        (Unavailable, Done, Unavailable),
        (Unavailable, Refused, Refused),
        (Refused, Failed, Failed),
        (Failed, Unavailable, Failed),
    ] {
        let steps = vec![step("a", 1, &[]), step("b", 1, &[])];
        let run = Run {
            jobs: 1,
            ..run_of(plan(steps), OnFailure::Continue)
        };
        let (status, seen) = play(run, async |mut play| {
            for end in [a, b] {
                let mut lane = play.lane().await;
                lane.ready();
                match end {
                    Done => drop(lane.works().await),
                    Refused => {
                        lane.stopped(refusal());
                        continue;
                    }
                    status => lane.fails(status).await,
                }
                lane.ends().await;
            }
        })
        .await;
        assert_eq!(status, expected, "{a:?} and {b:?}");
        let applied = [a, b].iter().filter(|end| **end == Done).count();
        assert_eq!(seen.end().1[0], applied);
    }
}

#[tokio::test]
async fn a_step_of_another_run_counts_as_done_but_not_as_applied() {
    let steps = vec![step("a", 1, &[]), step("b", 1, &[0])];
    let (status, seen) = play(run_of(plan(steps), OnFailure::Stop), async |mut play| {
        let mut a = play.lane_of("a").await;
        a.ready();
        let step = a.go().await.unwrap().step;
        a.send(Message::Unchanged { step });
        a.ends().await;
        let mut b = play.lane_of("b").await;
        b.ready();
        b.works().await;
        b.ends().await;
    })
    .await;
    assert_eq!(status, ExitStatus::Done);
    assert_eq!(seen.end().1, [1, 0, 0, 0, 0]);
}

#[tokio::test]
async fn a_step_after_a_spent_session_gets_a_new_one() {
    let steps = vec![step("a", 1, &[]), step("a", 2, &[0])];
    let (status, _) = play(run_of(plan(steps), OnFailure::Stop), async |mut play| {
        let mut a = play.lane_of("a").await;
        a.ready();
        let start = a.go().await.unwrap();
        a.finish(&start, Ok(StepDone::SessionSpent));
        a.ends().await;
        let mut a = play.lane_of("a").await;
        a.ready();
        assert_eq!(a.works().await, 2);
        a.ends().await;
    })
    .await;
    assert_eq!(status, ExitStatus::Done);
}

fn behind_a_gate() -> Run<'static> {
    let mut waiting = step("a", 1, &[]);
    waiting.gates = vec![0];
    let plan = Plan {
        steps: vec![waiting],
        gates: vec![Gate {
            service: name("z"),
            versions: vec![Version::new(7)],
        }],
    };
    let dependency_gates = DependencyGates {
        targets: BTreeMap::from([(name("z"), target("z"))]),
        meet: Box::new(|service| format!("run {service}")),
    };
    Run {
        dependency_gates: Some(Arc::new(dependency_gates)),
        ..run_of(plan.ranked(), OnFailure::Stop)
    }
}

#[tokio::test]
async fn a_step_behind_a_gate_goes_when_the_gate_is_met() {
    let (status, seen) = play(behind_a_gate(), async |mut play| {
        let gate = play.gates.recv().await.unwrap();
        assert!(play.has_started_nothing().await);
        gate.end(GateEnd::Met(Duration::from_secs(3)));
        let mut a = play.lane_of("a").await;
        a.ready();
        a.works().await;
        a.ends().await;
    })
    .await;
    assert_eq!(status, ExitStatus::Done);
    assert!(seen.has(|kind| matches!(
        kind,
        EventKind::GateMet {
            waited_ms: 3000,
            ..
        }
    )));
}

#[tokio::test]
async fn a_gate_that_is_not_met_in_time_refuses_its_service() {
    let (status, seen) = play(behind_a_gate(), async |mut play| {
        let gate = play.gates.recv().await.unwrap();
        let missing = gate.gate.clone();
        gate.end(GateEnd::TimedOut(missing));
    })
    .await;
    assert_eq!(status, ExitStatus::Refused);
    assert_eq!(seen.outcomes(), [("a".to_owned(), ServiceOutcome::Refused)]);
    let (_, _, next) = seen.end();
    assert!(next[0].starts_with("run z"), "{next:?}");
}

#[tokio::test]
async fn a_signal_ends_the_wait_for_a_gate() {
    let (status, _) = play(behind_a_gate(), async |mut play| {
        let mut gate = play.gates.recv().await.unwrap();
        play.stop(1).await;
        assert_eq!(*gate.cancelled.borrow_and_update(), 1);
        gate.end(GateEnd::Cancelled);
    })
    .await;
    assert_eq!(status, ExitStatus::Cancelled);
}

/// A run of `a 1`, then `b 1`, that undoes `a 1` if `b 1` fails.
fn compensation(asked: &Arc<Mutex<Vec<String>>>) -> Run<'static> {
    let asked = Arc::clone(asked);
    let reverts = Reverts {
        first: Vec::new(),
        plan: Box::new(move |applied| {
            asked.lock().unwrap().push(format!("{applied:?}"));
            Box::pin(async { Ok(plan(vec![down("a", 1, &[])])) })
        }),
        resume: Box::new(|_| "resume".to_owned()),
        restore: Box::new(|names, from| format!("restore {} from {from}", names.len())),
        restore_from: None,
    };
    Run {
        reverts: Some(reverts),
        ..run_of(
            plan(vec![step("a", 1, &[]), step("b", 1, &[0])]),
            OnFailure::Revert,
        )
    }
}

/// Plays a run whose second service fails.
async fn until_b_fails(play: &mut Play) {
    let mut a = play.lane_of("a").await;
    a.ready();
    a.works().await;
    a.ends().await;
    let mut b = play.lane_of("b").await;
    b.ready();
    b.fails(ExitStatus::Failed).await;
    b.ends().await;
}

/// Plays the task that records what a compensation must undo.
async fn record(play: &mut Play) {
    let visit = play.lane_of("a").await;
    assert!(matches!(visit.0.work, Work::Record { .. }));
    visit.send(Message::Recorded {
        service: visit.service(),
    });
    visit.release();
}

#[tokio::test]
async fn a_compensation_is_recorded_first_and_then_undoes_what_was_applied() {
    let asked = Arc::default();
    let (status, seen) = play(compensation(&asked), async |mut play| {
        until_b_fails(&mut play).await;
        record(&mut play).await;
        let mut a = play.lane_of("a").await;
        a.ready();
        let start = a.go().await.unwrap();
        assert_eq!(start.direction, Direction::Down);
        a.finish(&start, Ok(StepDone::Done));
        a.ends().await;
    })
    .await;
    assert_eq!(asked.lock().unwrap().len(), 1);
    assert_eq!(
        status,
        ExitStatus::Failed,
        "undoing does not make it a success"
    );
    assert_eq!(seen.end().0, Verdict::Reverted);
    assert_eq!(seen.end().1, [1, 1, 1, 0, 0]);
    assert_eq!(
        seen.outcomes(),
        [
            ("a".to_owned(), ServiceOutcome::Done),
            ("b".to_owned(), ServiceOutcome::Failed),
            ("a".to_owned(), ServiceOutcome::Reverted),
        ]
    );
}

#[tokio::test]
async fn a_compensation_that_fails_names_how_to_go_on_first() {
    let (status, seen) = play(compensation(&Arc::default()), async |mut play| {
        until_b_fails(&mut play).await;
        record(&mut play).await;
        let mut a = play.lane_of("a").await;
        a.ready();
        a.fails(ExitStatus::Failed).await;
        a.ends().await;
    })
    .await;
    assert_eq!(status, ExitStatus::Failed);
    let (verdict, counts, next) = seen.end();
    assert_eq!((verdict, counts), (Verdict::Failed, [1, 0, 2, 0, 0]));
    assert!(next[0].starts_with("resume"), "{next:?}");
    assert!(seen.has(|kind| matches!(kind, EventKind::CompensationStopped(_))));
}

#[tokio::test]
async fn an_interrupted_compensation_comes_before_the_run() {
    let mut run = compensation(&Arc::default());
    if let Some(reverts) = &mut run.reverts {
        reverts.first.push(Compensation {
            of_run: Uuid::nil(),
            because: "b 1 failed".to_owned(),
            plan: plan(vec![down("a", 1, &[])]),
        });
    }
    let (status, seen) = play(run, async |mut play| {
        record(&mut play).await;
        let mut a = play.lane_of("a").await;
        a.ready();
        a.works().await;
        a.ends().await;
        for service in ["a", "b"] {
            let mut lane = play.lane_of(service).await;
            lane.ready();
            assert_eq!(lane.works().await, 1);
            lane.ends().await;
        }
    })
    .await;
    assert_eq!(status, ExitStatus::Done);
    assert_eq!(seen.end().1, [2, 1, 0, 0, 0]);
}
