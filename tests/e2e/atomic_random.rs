//! Releases over random graphs of 3 and of 11 databases (30 in a thorough run): all commits, or with a failing migration at a random place nothing does.
//!
//! The graphs are those of a fixed seed (see `tests::sample`); `TESTS_SEED` takes others.

use tests::{Server, by_depth};

use crate::atomic_faults::fleet::{Fleet, Side, prepared};

const ATOMIC: [&str; 4] = ["all", "--atomic", "--output", "json"];

fn release(services: usize) {
    let random = &mut tests::random();
    let server = Server::start();
    let failing = Fleet::random(random, services, true);
    failing.begin(&server);
    let jobs = random.usize(1..=16);
    let before: Vec<String> = failing.databases().map(|it| server.contents(&it)).collect();
    let outcome = failing.orchestrator(&server, jobs).expect(&ATOMIC, 1);
    assert_eq!(failing.side(&server), Ok(Side::Old), "{}", outcome.stdout);
    assert_eq!(prepared(&server), Vec::<String>::new());
    let after: Vec<String> = failing.databases().map(|it| server.contents(&it)).collect();
    assert!(before == after, "something is left of the release");
    for database in failing.databases() {
        server.query("postgres", &format!("DROP DATABASE {database}"));
    }

    let fleet = Fleet::random(random, services, false);
    fleet.begin(&server);
    let outcome = fleet.orchestrator(&server, jobs).expect(&ATOMIC, 0);
    assert_eq!(fleet.side(&server), Ok(Side::New), "{}", outcome.stdout);
    assert_eq!(prepared(&server), Vec::<String>::new());
    assert_eq!(outcome.events_of("service_committed").len(), services);
}

#[test]
fn over_3_databases() {
    release(3);
}

#[test]
fn over_11_or_30_databases() {
    release(by_depth(11, 30));
}
