//! A fault at every request of a release: afterwards all databases stand together at the old or at the new version, nothing is
//! prepared any more, and one more run brings all of it to the new one.
//!
//! A point is one side of one request to the server, as in `faults`. The suite takes some of them, chosen by a seed;
//! `TESTS_FAULTS=all` takes all, `TESTS_FAULTS=kill:release:db_s1.1.17:after` repeats the one that a failure names, with its seed.

pub(crate) mod fleet;
pub(crate) mod world;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use fastrand::Rng;

use crate::faults::fault::Fault;
use crate::faults::undisturbed::Point;
use fleet::Fleet;
use world::{Recovery, World};

const VARIABLE: &str = "TESTS_FAULTS";

fn seed() -> u64 {
    std::env::var("TESTS_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| fastrand::u64(..1 << 32))
}

/// What of a release cannot be taken back by closing a connection.
fn is_of_the_two_phases(point: &Point) -> bool {
    [
        "PREPARE TRANSACTION",
        "COMMIT PREPARED",
        "orchestrator.releases",
    ]
    .iter()
    .any(|words| point.sql.contains(words))
}

/// Tries a fault at `cases` points of a release over so many databases, half of them where it counts.
fn strike(fault: Fault, services: usize, cases: usize) {
    let seed = seed();
    let random = &mut Rng::with_seed(seed);
    let fleet = Fleet::random(random, services, false);
    let worlds = [World::new(&fleet), World::new(&fleet)];
    let points = worlds[0].points(1);
    let wanted = std::env::var(VARIABLE).unwrap_or_default();
    let name = |point: &Point| format!("{}:release:{}:{}", fault.name(), point.place, point.side);
    let chosen: Vec<&Point> = if wanted == "all" || wanted.contains(':') {
        let all = points.iter().filter(|point| fault.matters_at(point));
        all.filter(|point| wanted == "all" || name(point) == wanted)
            .collect()
    } else {
        sample(&points, fault, random, cases)
    };
    let next = AtomicUsize::new(0);
    let missed = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for mut world in worlds {
            let (next, missed, failures, chosen, fleet) =
                (&next, &missed, &failures, &chosen, &fleet);
            scope.spawn(move || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(point) = chosen.get(index) else {
                        return;
                    };
                    let recovery = [Recovery::Run, Recovery::Doctor, Recovery::Both][index % 3];
                    match world.disturb(fault, point, recovery) {
                        Ok(reached) => {
                            missed.fetch_add(usize::from(!reached), Ordering::Relaxed);
                            world.reset();
                        }
                        Err(failure) => {
                            let sql: String = point.sql.chars().take(100).collect();
                            failures.lock().expect("failures").push(format!(
                                "TESTS_SEED={seed} {VARIABLE}={} ({sql}, {recovery:?})\n{failure}",
                                name(point)
                            ));
                            world = World::new(fleet);
                        }
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().expect("failures");
    assert!(
        failures.is_empty(),
        "{} of {} cases failed:\n\n{}",
        failures.len(),
        chosen.len(),
        failures.join("\n\n")
    );
    // On a busy machine a look from a second connection may come in between, and shift the numbers behind it.
    let missed = missed.into_inner();
    assert!(
        missed * 5 <= chosen.len(),
        "TESTS_SEED={seed}: {missed} of {} points were not reached",
        chosen.len()
    );
}

fn sample<'a>(points: &'a [Point], fault: Fault, random: &mut Rng, cases: usize) -> Vec<&'a Point> {
    let (mut later, mut others): (Vec<&Point>, Vec<&Point>) = points
        .iter()
        .filter(|point| fault.matters_at(point))
        .partition(|point| is_of_the_two_phases(point));
    random.shuffle(&mut later);
    random.shuffle(&mut others);
    later.truncate(cases.div_ceil(2));
    others.truncate(cases / 2);
    later.extend(others);
    later
}

#[test]
fn sigkill_over_3_databases() {
    strike(Fault::Kill, 3, 16);
}

#[test]
fn sigkill_over_11_databases() {
    strike(Fault::Kill, 11, 6);
}

#[test]
fn sigkill_over_30_databases() {
    strike(Fault::Kill, 30, 3);
}

#[test]
fn a_server_that_goes_on_alone() {
    strike(Fault::Orphan, 3, 8);
}

#[test]
fn a_terminated_session() {
    strike(Fault::Terminate, 3, 8);
}

#[test]
fn a_connection_that_is_cut() {
    strike(Fault::Cut, 3, 8);
}

#[test]
fn a_network_that_stays_away() {
    strike(Fault::CutForGood, 3, 2);
}

#[test]
fn a_crash_of_the_server() {
    strike(Fault::Crash, 3, 6);
}

#[test]
fn every_phase_has_its_points() {
    let fleet = Fleet::random(&mut Rng::with_seed(seed()), 3, false);
    let world = World::new(&fleet);
    let points = world.points(1);
    let databases = |words: &str| -> BTreeSet<&str> {
        let points = points.iter().filter(|point| point.sql.contains(words));
        points.map(|point| point.place.database.as_str()).collect()
    };
    assert_eq!(databases("PREPARE TRANSACTION").len(), 3);
    assert_eq!(databases("COMMIT PREPARED").len(), 3);
    assert_eq!(
        databases("UPDATE orchestrator.releases SET decision"),
        ["db_s1"].into()
    );
}
