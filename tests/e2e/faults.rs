//! After every fault at every point of a run, one more run gives the undisturbed result, and the first told the truth.
//!
//! A point is one side of one request to the server (see `Proxy`); every request of a run that is not disturbed is one.
//! The suite takes a sample in which each fault strikes at each kind of request (see `tests::sample`);
//! `TESTS_FAULTS=cut:up:db_base.1.17:after` repeats the point that a failure names.

pub(crate) mod fault;
mod fixture;
mod truth;
pub(crate) mod undisturbed;
pub(crate) mod world;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use fault::Fault;
use tests::{Points, RequestKind, part, seed, some_of_each};
use undisturbed::{Point, Undisturbed};
use world::{Direction, World};

const VARIABLE: &str = "TESTS_FAULTS";

/// Every so many cases pg_dump is asked, too.
const DUMPED: usize = 8;

/// How often a case is tried whose point is not reached: on a busy machine a look from a second connection may come in
/// between, and shift the numbers behind it.
const MOST_TRIES: usize = 5;

/// Goes up with a fault at one point and down with a fault at another.
struct Case<'a> {
    fault: Fault,
    up: Option<&'a Point>,
    down: Option<&'a Point>,
    dumped: bool,
}

impl Case<'_> {
    /// Runs it until its points are reached. Returns those that were not.
    fn reach(&self, world: &World<'_>, undisturbed: &Undisturbed) -> Result<Vec<String>, String> {
        let mut missed = self.run(world, undisturbed)?;
        for _ in 1..MOST_TRIES {
            if missed.is_empty() {
                break;
            }
            world.drop_databases();
            missed = self.run(world, undisturbed)?;
        }
        Ok(missed)
    }

    /// Returns its points that were not reached.
    fn run(&self, world: &World<'_>, undisturbed: &Undisturbed) -> Result<Vec<String>, String> {
        let mut missed = Vec::new();
        for (direction, point) in [(Direction::Up, self.up), (Direction::Down, self.down)] {
            let mut go = || {
                if let Some(point) = point {
                    let here = (direction, point);
                    let reached =
                        self.fault
                            .disturb(world, undisturbed, here, 1, Duration::ZERO)?;
                    if !reached {
                        missed.push(self.named(direction, Some(point), ""));
                    }
                }
                world.complete(direction)?;
                world.check(&undisturbed.looks[&direction], self.dumped)
            };
            go().map_err(|failure| self.named(direction, point, &failure))?;
        }
        world.verify().map(|()| missed)
    }

    fn named(&self, direction: Direction, point: Option<&Point>, failure: &str) -> String {
        let Some(Point { place, side, sql }) = point else {
            return failure.to_owned();
        };
        format!(
            "{VARIABLE}={}:{}:{place}:{side} ({sql:.100})\n{failure}",
            self.fault.name(),
            direction.name(),
        )
    }
}

/// Tries a fault at `count` points of each kind of request, up and down, and reports all that went wrong.
fn strike_everywhere(fault: Fault, count: usize) {
    let wanted = Points::wanted();
    let undisturbed = undisturbed();
    let seed = seed();
    let mut random = Rng::with_seed(seed);
    let mut chosen = |direction: Direction| -> Vec<&Point> {
        let points = undisturbed.points[&direction]
            .iter()
            .filter(|point| fault.matters_at(point));
        match &wanted {
            Points::All => part(points.collect()),
            Points::Sample => some_of_each(points.collect(), count, &mut random, |point| {
                RequestKind::of(point.place.request, &point.sql)
            }),
            Points::Named(wanted) => {
                let name = |point: &Point| {
                    let (fault, direction) = (fault.name(), direction.name());
                    format!("{fault}:{direction}:{}:{}", point.place, point.side)
                };
                points.filter(|point| name(point) == *wanted).collect()
            }
        }
    };
    let (up, down) = (chosen(Direction::Up), chosen(Direction::Down));
    let cases: Vec<Case<'_>> = (0..up.len().max(down.len()))
        .map(|index| Case {
            fault,
            up: up.get(index).copied(),
            down: down.get(index).copied(),
            dumped: index % DUMPED == 0,
        })
        .collect();
    let ours = format!("{}:", fault.name());
    assert!(
        !cases.is_empty() || matches!(&wanted, Points::Named(name) if !name.starts_with(&ours)),
        "{wanted:?}: there is no such point"
    );
    let (failures, missed) = run_all(&cases, fault.workers(), undisturbed);
    assert!(
        failures.is_empty(),
        "TESTS_SEED={seed}: {} of {} cases failed:\n\n{}",
        failures.len(),
        cases.len(),
        failures.join("\n\n")
    );
    assert!(
        missed.len() * 20 <= cases.len().max(20),
        "TESTS_SEED={seed}: {} points of {} cases were not reached:\n{}",
        missed.len(),
        cases.len(),
        missed.concat()
    );
}

/// The same for all tests.
fn undisturbed() -> &'static Undisturbed {
    static KNOWN: OnceLock<Undisturbed> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let names = fixture::NAMES.map(str::to_owned);
        Undisturbed::of(fixture::services(), &names)
    })
}

/// What went wrong, and the points that were not reached.
fn run_all(
    cases: &[Case<'_>],
    workers: usize,
    undisturbed: &Undisturbed,
) -> (Vec<String>, Vec<String>) {
    let next = AtomicUsize::new(0);
    let missed = Mutex::new(Vec::new());
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..workers.min(cases.len()) {
            scope.spawn(|| {
                let new_world = || World::new(&undisturbed.services, &undisturbed.databases);
                let mut world = new_world();
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let ran = catch_unwind(AssertUnwindSafe(|| case.reach(&world, undisturbed)));
                    let failure = match ran {
                        Ok(Ok(points)) => {
                            missed
                                .lock()
                                .unwrap_or_else(PoisonError::into_inner)
                                .extend(points);
                            None
                        }
                        Ok(Err(failure)) => Some(failure),
                        Err(panic) => Some(case.named(Direction::Up, case.up, &words(&*panic))),
                    };
                    match failure {
                        None => world.drop_databases(),
                        Some(failure) => {
                            failures
                                .lock()
                                .unwrap_or_else(PoisonError::into_inner)
                                .push(failure);
                            // Whatever happened to this one.
                            world = new_world();
                        }
                    }
                }
            });
        }
    });
    let all = |lines: Mutex<_>| lines.into_inner().unwrap_or_else(PoisonError::into_inner);
    (all(failures), all(missed))
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    format!("the test panicked: {}", text.unwrap_or_default())
}

#[test]
fn sigkill_at_every_point() {
    strike_everywhere(Fault::Kill, 2);
}

#[test]
fn a_server_that_goes_on_alone_at_every_point() {
    strike_everywhere(Fault::Orphan, 1);
}

#[test]
fn a_terminated_session_at_every_point() {
    strike_everywhere(Fault::Terminate, 2);
}

#[test]
fn a_connection_cut_at_every_point() {
    strike_everywhere(Fault::Cut, 2);
}

#[test]
fn a_network_that_stays_away_at_every_point() {
    strike_everywhere(Fault::CutForGood, 1);
}

#[test]
fn a_crash_of_the_server_at_every_point() {
    strike_everywhere(Fault::Crash, 1);
}

#[test]
fn a_pause_of_the_network_at_every_point() {
    strike_everywhere(Fault::Pause, 1);
}

#[test]
fn a_connection_that_falls_silent_at_every_point() {
    strike_everywhere(Fault::Stall, 1);
}

#[test]
fn a_network_that_falls_silent_at_every_point() {
    strike_everywhere(Fault::StallAll, 1);
}
