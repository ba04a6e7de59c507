//! Once: the step at hand is finished and nothing new starts. Twice: it is cancelled on the server.

use std::time::Duration;

use nix::sys::signal::Signal;
use tests::{Outcome, Program, Running, Server, Services, wait_until};

const SOON: Duration = Duration::from_secs(8);

/// `a` with two steps, the first of which takes a while, and `b` after it.
fn two_services(first: &str) -> Services {
    let services = Services::new();
    services
        .service("a", &[])
        .migration(1, "first", first)
        .migration(2, "second", "CREATE TABLE second (id int)");
    services
        .service("b", &["a"])
        .migration(1, "after", "CREATE TABLE after (id int)");
    services
}

#[track_caller]
fn assert_cancelled(outcome: &Outcome) {
    assert_eq!(outcome.code, 130, "{}\n{}", outcome.stdout, outcome.stderr);
    let finished = outcome.events().pop().unwrap_or_default();
    assert_eq!(finished["event"], "run_finished", "{finished}");
    assert_eq!(finished["verdict"], "cancelled");
    assert_eq!(finished["exit_code"], 130);
}

/// Sends a signal twice, as someone who means it.
fn signal_twice(run: &Running) {
    run.signal(Signal::SIGINT);
    run.wait_for("the first signal", |event| {
        event["event"] == "cancel_requested" && event["times"] == 1
    });
    run.signal(Signal::SIGINT);
}

#[test]
fn once_finishes_the_step_at_hand_and_starts_nothing_new() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let server = Server::start();
        let services = two_services("SELECT pg_sleep(0.7); CREATE TABLE first (id int)");
        let orchestrator = Program::orchestrator(&server).services(&services);
        let run = orchestrator.watch(&["all"]);
        run.wait_for_event("migration_started");
        run.signal(signal);
        let outcome = run.end_within(SOON);
        assert_cancelled(&outcome);
        assert_eq!(outcome.events_of("migration_applied").len(), 1);
        assert_eq!(outcome.events_of("migration_started").len(), 1);
        assert_eq!(server.applied("db_a"), [1]);

        orchestrator.expect(&["all"], 0);
        assert_eq!(server.applied("db_a"), [1, 2]);
        assert_eq!(server.applied("db_b"), [1]);
    }
}

#[test]
fn once_lets_a_no_transaction_file_come_to_its_end() {
    let server = Server::start();
    let services = two_services(
        "-- migration: no-transaction\nSELECT pg_sleep(0.7); CREATE TABLE first (id int);",
    );
    let orchestrator = Program::orchestrator(&server).services(&services);
    let run = orchestrator.watch(&["all"]);
    run.wait_for_event("migration_started");
    run.signal(Signal::SIGINT);
    assert_cancelled(&run.end_within(SOON));
    assert_eq!(server.applied("db_a"), [1]);
}

#[test]
fn twice_cancels_on_the_server_and_rolls_back() {
    let server = Server::start();
    let services = two_services("CREATE TABLE first (id int); SELECT pg_sleep(60)");
    let orchestrator = Program::orchestrator(&server).services(&services);
    let run = orchestrator.watch(&["all"]);
    wait_until("the sleep", || {
        server.value(
            "postgres",
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'",
        ) == "1"
    });
    signal_twice(&run);
    let outcome = run.end_within(SOON);
    assert_cancelled(&outcome);
    assert!(server.applied("db_a").is_empty());
    assert_eq!(
        server.query(
            "db_a",
            "SELECT outcome, sqlstate, to_regclass('first') IS NULL FROM orchestrator.journal"
        ),
        [["cancelled", "57014", "t"]]
    );
    // A server process ends a moment after its client, also that of the query above.
    wait_until("nothing is left at work on the server", || {
        server.value(
            "postgres",
            "SELECT count(*) FROM pg_stat_activity WHERE datname LIKE 'db\\_%'",
        ) == "0"
    });
}

#[test]
fn twice_in_a_no_transaction_file_leaves_it_interrupted_and_it_goes_on() {
    let server = Server::start();
    let services = two_services(
        "-- migration: no-transaction\nCREATE TABLE first (id int);\nSELECT pg_sleep(5 * (SELECT count(*) FROM pg_stat_activity WHERE application_name = 'hold'));\nCREATE TABLE last (id int);",
    );
    let orchestrator = Program::orchestrator(&server).services(&services);
    let hold = server.session("postgres");
    hold.run("SET application_name = 'hold'");
    let run = orchestrator.watch(&["all"]);
    run.wait_for_event("statement_finished");
    wait_until("the sleep", || {
        server.value(
            "postgres",
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'",
        ) == "1"
    });
    signal_twice(&run);
    let outcome = run.end_within(Duration::from_secs(4));
    assert_cancelled(&outcome);
    let status = orchestrator
        .expect(&["status", "a", "--output", "json"], 0)
        .json();
    let first = &status["services"][0]["migrations"][0];
    assert_eq!(first["state"], "interrupted", "{first}");
    assert_eq!(first["done"], 1);

    drop(hold);
    orchestrator.expect(&["all"], 0);
    assert_eq!(server.applied("db_a"), [1, 2]);
}

#[test]
fn while_waiting_for_another_run() {
    let server = Server::start();
    let services = two_services("CREATE TABLE first (id int)");
    let orchestrator = Program::orchestrator(&server).services(&services);
    server.create_database("db_a");
    let other = server.session("db_a");
    // "SOC migr" in ASCII, as every version of the program has it.
    other.run("SELECT pg_advisory_lock(x'534F43206D696772'::int8)");
    let run = orchestrator.watch(&["all"]);
    let waiting = run.wait_for_event("lock_waiting");
    assert_eq!(waiting["holder"]["pid"], other.pid());
    run.signal(Signal::SIGINT);
    let outcome = run.end_within(SOON);
    assert_cancelled(&outcome);
    assert!(outcome.events_of("migration_started").is_empty());
    drop(other);
    orchestrator.expect(&["all"], 0);
}

#[test]
fn while_waiting_for_a_gate() {
    let server = Server::start();
    let services = two_services("CREATE TABLE first (id int)");
    let orchestrator = Program::orchestrator(&server).services(&services);
    let run = orchestrator.watch(&["run", "b", "--wait", "60s"]);
    run.wait_for_event("gate_waiting");
    run.signal(Signal::SIGTERM);
    let outcome = run.end_within(SOON);
    assert_cancelled(&outcome);
    assert!(outcome.events_of("migration_started").is_empty());
}

#[test]
fn between_two_attempts_at_a_lock() {
    let server = Server::start();
    let services = Services::new();
    let service = services.service("a", &[]);
    service.migration(1, "first", "CREATE TABLE first (id int)");
    let orchestrator = Program::orchestrator(&server).services(&services);
    orchestrator.expect(&["all"], 0);
    service.migration(2, "second", "ALTER TABLE first ADD COLUMN b int");
    let report = server.session("db_a");
    report.run("BEGIN; SELECT FROM first");
    let run = orchestrator.watch(&["all", "--lock-timeout", "100ms", "--lock-retries", "1000"]);
    run.wait_for_event("migration_retrying");
    run.signal(Signal::SIGINT);
    assert_cancelled(&run.end_within(SOON));
    assert_eq!(server.applied("db_a"), [1]);
    report.run("COMMIT");
    orchestrator.expect(&["all"], 0);
    assert_eq!(server.applied("db_a"), [1, 2]);
}

/// A container runtime sends SIGTERM once, and SIGKILL some seconds later.
#[test]
fn sigterm_gives_the_step_its_grace_and_then_cancels_it() {
    let server = Server::start();
    let services = two_services("CREATE TABLE first (id int); SELECT pg_sleep(60)");
    let orchestrator = Program::orchestrator(&server).services(&services);
    let run = orchestrator.watch(&["all", "--stop-grace", "1s"]);
    wait_until("the sleep", || asleep(&server) == 1);
    run.signal(Signal::SIGTERM);
    let first = run.wait_for_event("cancel_requested");
    assert_eq!(first["cause"], "SIGTERM");
    assert_eq!(first["cancels_in_ms"], 1000);
    let outcome = run.end_within(SOON);
    assert_cancelled(&outcome);
    let asked = outcome.events_of("cancel_requested");
    assert_eq!(asked[1]["cause"], "grace_over", "{asked:?}");
    assert_eq!(
        outcome.events_of("migration_failed")[0]["rolled_back"],
        true
    );
    assert!(server.applied("db_a").is_empty());
}

#[test]
fn in_a_pipeline_the_grace_period_is_reported_instead_of_keys() {
    let server = Server::start();
    let services = two_services("SELECT pg_sleep(0.7); CREATE TABLE first (id int)");
    let orchestrator = Program::orchestrator(&server).services(&services);
    let child = orchestrator.start(&["all"]);
    wait_until("the sleep", || asleep(&server) == 1);
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(pid, Signal::SIGTERM).unwrap();
    let outcome = Outcome::of(child);
    assert_eq!(outcome.code, 130);
    let message = "Stopping: finishing the current steps, starting nothing new. They are cancelled on the server after 8.00 s, or at once on a second signal.";
    assert!(outcome.stderr.contains(message), "{}", outcome.stderr);
    assert_eq!(server.applied("db_a"), [1]);
}

#[test]
fn before_the_first_step_is_planned() {
    let services = two_services("CREATE TABLE first (id int)");
    for arguments in [&["all"][..], &["revert", "a"][..]] {
        // Accepts, and never says a word.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = silent.local_addr().unwrap().port();
        let orchestrator = Program::named("orchestrator")
            .env(
                "ORCHESTRATOR_SERVER_URL",
                &format!("postgresql://soc@127.0.0.1:{port}/postgres"),
            )
            .services(&services);
        let run = orchestrator.watch(arguments);
        let connected = silent.accept().unwrap();
        run.signal(Signal::SIGTERM);
        let outcome = run.end_within(SOON);
        assert_cancelled(&outcome);
        assert_eq!(outcome.events().len(), 2, "{}", outcome.stdout);
        drop(connected);
    }
}

#[test]
fn a_second_wish_that_comes_before_the_statement_cancels_it_all_the_same() {
    let server = Server::start();
    let services = two_services("CREATE TABLE first (id int)");
    let orchestrator = Program::orchestrator(&server).services(&services);
    orchestrator.expect(&["all"], 0);
    // The step is under way, and pauses between two attempts at the lock or waits for it.
    services.service("a", &[]).migration(
        3,
        "third",
        "ALTER TABLE first ADD COLUMN b int; SELECT pg_sleep(60)",
    );
    let run = orchestrator.watch(&["all"]);
    run.wait_for_event("migration_started");
    signal_twice(&run);
    assert_cancelled(&run.end_within(SOON));
    assert_eq!(server.applied("db_a"), [1, 2]);
    assert_eq!(
        server.value(
            "db_a",
            "SELECT outcome FROM orchestrator.journal WHERE version = 3"
        ),
        "cancelled"
    );
}

fn asleep(server: &Server) -> usize {
    let count = server.value(
        "postgres",
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'",
    );
    count.parse().unwrap_or_default()
}
