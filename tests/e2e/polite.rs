//! A migration never makes live queries queue behind it: it steps back, says who is in the way, and tries again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tests::{Program, Server, Services, wait_until};

const LOCK_TIMEOUT: Duration = Duration::from_millis(300);
/// What a busy machine adds.
const MARGIN: Duration = Duration::from_millis(1500);

fn shop() -> Services {
    let services = Services::new();
    services
        .service("shop", &[])
        .migration(1, "orders", "CREATE TABLE orders (id int)");
    services
}

/// A database with a table that is in use.
fn migrated(server: &Server, services: &Services) -> Program {
    let orchestrator = Program::orchestrator(server)
        .services(services)
        .env("ORCHESTRATOR_LOCK_TIMEOUT", "300ms");
    orchestrator.expect(&["all"], 0);
    orchestrator
}

#[test]
fn it_retries_names_the_blocker_and_succeeds_once_that_ends_while_live_clients_go_on() {
    let server = Server::start();
    let services = shop();
    let orchestrator = migrated(&server, &services);
    services
        .service("shop", &[])
        .migration(2, "column", "ALTER TABLE orders ADD COLUMN price int");
    let over = AtomicBool::new(false);
    // Longer than the engine waits for a lock, so that queueing behind it could be told from bad luck.
    let longest = std::thread::scope(|scope| {
        let live = scope.spawn(|| {
            let client = server.session("db_shop");
            let mut longest = Duration::ZERO;
            while !over.load(Ordering::Relaxed) {
                let started = Instant::now();
                client.run("SELECT count(*) FROM orders; INSERT INTO orders (id) VALUES (1)");
                longest = longest.max(started.elapsed());
                std::thread::sleep(Duration::from_millis(2));
            }
            longest
        });
        let report = server.session("db_shop");
        report.run("SET application_name = 'nightly report'; BEGIN; SELECT FROM orders");

        let run = orchestrator.watch(&["all"]);
        wait_until("the third attempt", || {
            run.events()
                .iter()
                .filter(|event| event["event"] == "migration_retrying")
                .count()
                >= 3
        });
        let retrying = run.wait_for_event("migration_retrying");
        assert_eq!(retrying["sqlstate"], "55P03");
        let blockers = retrying["blockers"].as_array().unwrap();
        let report_named = blockers.iter().any(|blocker| {
            blocker["pid"] == report.pid()
                && blocker["application"] == "nightly report"
                && blocker["state"] == "idle in transaction"
        });
        assert!(report_named, "{retrying}");

        report.run("COMMIT");
        let outcome = run.end_within(Duration::from_secs(20));
        over.store(true, Ordering::Relaxed);
        assert_eq!(outcome.code, 0, "{}", outcome.stderr);
        live.join().unwrap()
    });
    assert!(longest < LOCK_TIMEOUT + MARGIN, "{longest:?}");
    assert_eq!(server.applied("db_shop"), [1, 2]);
    assert_eq!(
        server.query(
            "db_shop",
            "SELECT outcome, attempts >= 4 FROM orchestrator.journal WHERE version = 2"
        ),
        [["applied", "t"]]
    );
}

#[test]
fn it_gives_up_with_exit_5_and_nothing_changed() {
    let server = Server::start();
    let services = shop();
    let orchestrator = migrated(&server, &services);
    services.service("shop", &[]).migration(
        2,
        "two_things",
        "CREATE TABLE extra (id int); ALTER TABLE orders ADD COLUMN price int",
    );
    let before = server.schema("db_shop");
    let report = server.session("db_shop");
    report.run("BEGIN; SELECT FROM orders");

    let outcome = orchestrator.expect(&["all", "--lock-retries", "2", "--output", "json"], 5);
    assert_eq!(outcome.events_of("migration_retrying").len(), 2);
    let failed = &outcome.events_of("migration_failed")[0];
    assert_eq!(failed["sqlstate"], "55P03");
    assert_eq!(failed["rolled_back"], true);
    assert_eq!(server.schema("db_shop"), before);
    assert_eq!(server.applied("db_shop"), [1]);
    assert_eq!(
        server.query(
            "db_shop",
            "SELECT outcome, sqlstate, attempts FROM orchestrator.journal WHERE version = 2"
        ),
        [["failed", "55P03", "3"]]
    );
}

#[test]
fn a_directive_sets_how_long_one_migration_waits() {
    let server = Server::start();
    let services = shop();
    let orchestrator = migrated(&server, &services).env("ORCHESTRATOR_LOCK_TIMEOUT", "20s");
    services.service("shop", &[]).migration(
        2,
        "column",
        "-- migration: lock-timeout 50ms\nALTER TABLE orders ADD COLUMN price int",
    );
    let report = server.session("db_shop");
    report.run("BEGIN; SELECT FROM orders");
    let started = Instant::now();
    orchestrator.expect(&["all", "--lock-retries", "1"], 5);
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_deadlock_and_a_serialisation_failure_are_tried_again() {
    let server = Server::start();
    let services = Services::new();
    services
        .service("shop", &[])
        .migration(1, "flaky", "CREATE SEQUENCE IF NOT EXISTS tries;");
    let orchestrator = Program::orchestrator(&server).services(&services);
    orchestrator.expect(&["all"], 0);
    for (version, condition) in [(2, "deadlock_detected"), (3, "serialization_failure")] {
        services.service("shop", &[]).migration(
            version,
            "flaky",
            // What a sequence has given out is not rolled back.
            &format!(
                "DO $$ BEGIN IF nextval('tries') % 3 <> 0 THEN RAISE {condition}; END IF; END $$"
            ),
        );
    }
    let outcome = orchestrator.expect(&["all", "--output", "json"], 0);
    assert_eq!(outcome.events_of("migration_retrying").len(), 4);
}

#[test]
fn a_waiting_concurrently_statement_blocks_no_session_and_is_not_abandoned() {
    let server = Server::start();
    let services = shop();
    let orchestrator = migrated(&server, &services);
    services.service("shop", &[]).migration(
        2,
        "index",
        "-- migration: no-transaction\nCREATE INDEX CONCURRENTLY orders_id ON orders (id)",
    );
    let report = server.session("db_shop");
    report.run("BEGIN; SELECT FROM orders");
    report.run("INSERT INTO orders VALUES (1)");
    let run = orchestrator.watch(&["all"]);
    wait_until("the index waits for the report", || {
        server.value(
            "db_shop",
            "SELECT count(*) FROM pg_stat_progress_create_index WHERE phase LIKE 'waiting%'",
        ) == "1"
    });
    // Longer than the lock time-out: it is not for this statement.
    let waiting_since = Instant::now();
    while waiting_since.elapsed() < LOCK_TIMEOUT * 3 {
        server.query(
            "db_shop",
            "SELECT count(*) FROM orders; INSERT INTO orders VALUES (2)",
        );
    }
    report.run("COMMIT");
    let outcome = run.end_within(Duration::from_secs(20));
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert!(outcome.events_of("migration_retrying").is_empty());
    assert_eq!(
        server.value(
            "db_shop",
            "SELECT count(*) FROM pg_index WHERE indrelid = 'orders'::regclass AND indisvalid"
        ),
        "1"
    );
}
