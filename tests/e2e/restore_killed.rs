//! After SIGKILL at any step of a restore, the old or the restored database stands under the name, whole; a second restore
//! finishes, and leaves nothing half-done behind.
//!
//! The steps are the requests that a restore makes of the server on the connections from which it works. Those of the swap are
//! always taken, and a sample of the others (see `tests::sample`).

use std::time::Duration;

use nix::sys::signal::Signal;
use tests::{Place, Points, Program, Proxy, Request, Side, part, random, wait_until};

use crate::restore::world::{DATABASE, World};

const SOON: Duration = Duration::from_secs(60);

/// In the statement of a swap, and in no other.
const SWAP: &str = " RENAME TO ";

/// Requests that are taken.
const SAMPLE: usize = 4;

fn through(world: &World, proxy: &Proxy) -> Program {
    Program::named("orchestrator")
        .env("ORCHESTRATOR_SERVER_URL", &proxy.url("postgres"))
        .services(&world.services)
}

/// The requests of an undisturbed restore on connections whose database has a name that is known beforehand.
fn requests() -> Vec<Request> {
    let world = World::new();
    let proxy = Proxy::start(&world.server);
    through(&world, &proxy).expect(&world.restore(&["--terminate"]), 0);
    let mut requests = proxy.requests();
    requests.retain(|request| ["postgres", DATABASE].contains(&request.place.database.as_str()));
    requests
}

fn is_swap(request: &Request) -> bool {
    request.sql.contains(SWAP)
}

/// One whole database, and as a second restore leaves it.
#[track_caller]
fn assert_whole_and_restored_again(world: &World, what: &str) {
    // What the killed program asked for may still be under way, and ends. A pg_restore that it started, whose session ends in a
    // number, may live on.
    wait_until("the server is done with the killed program", || {
        world.server.value(
            "postgres",
            "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'orchestrator%' AND state <> 'idle' \
               AND application_name !~ ' [0-9a-f]{8}$'",
        ) == "0"
    });
    let (contents, applied) = (
        world.server.contents(DATABASE),
        world.server.applied(DATABASE),
    );
    let is_old = contents == world.now && applied == [1, 2, 3];
    let is_restored = contents == world.then && applied == [1, 2];
    assert!(is_old || is_restored, "{what}: {applied:?}\n{contents}");
    world
        .orchestrator
        .expect(&world.restore(&["--terminate"]), 0);
    world.assert_restored();
    let beside = world.beside();
    assert!(
        beside.iter().all(|name| name.starts_with("db_one_before_")),
        "{what}: {beside:?}"
    );
    let of_old = beside
        .iter()
        .filter(|name| world.server.contents(name) == world.now);
    assert_eq!(of_old.count(), 1, "{what}: the old database is kept");
    world
        .orchestrator
        .expect(&["history", "one", "--verify"], 0);
}

/// Gives whether the request was reached.
fn kill_at(what: &str, aim: impl Fn(&World) -> Proxy) -> bool {
    let world = World::new();
    let proxy = aim(&world);
    let program = through(&world, &proxy);
    let mut restore = program.watch(&world.restore(&["--terminate"]));
    let reached = proxy.wait_until_reached(&mut restore);
    restore.signal(Signal::SIGKILL);
    let killed = restore.end_within(SOON);
    if reached.is_none() {
        assert_eq!(killed.code, 0, "{what}: {killed:#?}");
        return false;
    }
    proxy.cut_for_good();
    assert_whole_and_restored_again(&world, what);
    true
}

#[test]
fn at_any_request() {
    let mut random = random();
    let mut points: Vec<(Place, Side)> = requests()
        .into_iter()
        .filter(|request| !is_swap(request))
        .flat_map(|request| [Side::Before, Side::After].map(|side| (request.place.clone(), side)))
        .collect();
    assert!(points.len() > 40, "{points:?}");
    random.shuffle(&mut points);
    let mut wanted = SAMPLE;
    if Points::wanted() == Points::All {
        points.sort();
        points = part(points);
        wanted = points.len();
    }
    let mut reached = 0;
    for (place, side) in points {
        let what = format!("{place} {side}");
        // What is asked now and then changes the numbers of requests on a busy machine.
        if (0..5).any(|_| kill_at(&what, |world| Proxy::at(&world.server, &place, side))) {
            reached += 1;
        } else {
            eprintln!("{what} was not reached");
        }
        if reached == wanted {
            break;
        }
    }
    assert_eq!(reached, wanted, "points that were reached");
}

#[test]
fn at_the_swap() {
    for side in [Side::Before, Side::After] {
        let what = format!("the swap, {side}");
        assert!(kill_at(&what, |world| Proxy::at_sql(
            &world.server,
            SWAP,
            side
        )));
    }
}

#[test]
fn while_pg_restore_is_at_work() {
    let world = World::new();
    let (slow, gate) = world.slow_backup();
    let restore = world
        .orchestrator
        .watch(&["restore", "one", "--from", &slow]);
    world.wait_for_filling();
    restore.signal(Signal::SIGKILL);
    restore.end_within(SOON);
    let left = world.beside();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(world.server.contents(DATABASE), world.now);

    // Its pg_restore lives on, and is not in the way.
    assert_whole_and_restored_again(&world, "while pg_restore is at work");
    drop(gate);
}

#[test]
fn while_the_swap_waits_for_a_session() {
    let world = World::new();
    let user = world.server.session(DATABASE);
    let proxy = Proxy::at_sql(&world.server, SWAP, Side::Before);
    let program = through(&world, &proxy);
    let mut restore = program.watch(&world.restore(&["--terminate"]));
    proxy.wait_until_reached(&mut restore).expect("the swap");
    // It passes on the swap, and dies while the server is at it.
    restore.signal(Signal::SIGSTOP);
    proxy.release();
    wait_until("the swap waits", || {
        world.server.value(
            "postgres",
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%RENAME TO%' AND state = 'active' AND pid <> pg_backend_pid()",
        ) == "1"
    });
    restore.signal(Signal::SIGKILL);
    restore.end_within(SOON);
    drop(user);
    assert_whole_and_restored_again(&world, "while the swap waits");
}
