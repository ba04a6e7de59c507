//! `adopt` beside others, and interrupted: all rows of a service are written, or none.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tests::{Outcome, Program, Server, Session, by_depth, legacy_facts, wait_until};

/// The lock of every run: "SOC migr" in ASCII.
const LOCK: &str = "SELECT pg_advisory_lock(x'534F43206D696772'::bigint)";
const SOON: Duration = Duration::from_secs(60);

fn orchestrator(server: &Server) -> Program {
    Program::orchestrator(server).scratch_beside()
}

/// A complete legacy database and a session that holds the lock of a run there.
fn locked(server: &Server, service: &str) -> (String, Session) {
    let database = server.legacy_database(service, legacy_facts(service).len());
    let holder = server.session(&database);
    holder.run(LOCK);
    (database, holder)
}

/// No row of ours, and no table.
#[track_caller]
fn assert_untouched(server: &Server, database: &str, before: &str) {
    assert!(
        server.everything(database) == before,
        "{database} was written to"
    );
}

#[test]
fn of_two_at_once_one_adopts_and_the_other_is_refused() {
    let server = Server::start();
    let orchestrator = orchestrator(&server);
    let (database, holder) = locked(&server, "policy");
    let both = [
        orchestrator.watch(&["adopt", "policy"]),
        orchestrator.watch(&["adopt", "policy"]),
    ];
    // Both have proven it before either may write.
    for run in &both {
        run.wait_for_event("lock_waiting");
    }
    drop(holder);
    let outcomes = both.map(|run| run.end_within(SOON));
    let mut codes = outcomes.each_ref().map(|outcome| outcome.code);
    codes.sort_unstable();
    assert_eq!(codes, [0, 3], "{outcomes:?}");
    let refused = outcomes.iter().find(|outcome| outcome.code == 3);
    let event = &refused.expect("one").events_of("service_failed")[0];
    assert!(
        event["message"]
            .as_str()
            .is_some_and(|text| text.contains("nothing was written")),
        "{event}"
    );
    let versions: Vec<i64> = legacy_facts("policy")
        .iter()
        .map(|step| step.version)
        .collect();
    assert_eq!(server.applied(&database), versions);
    let journal = server.value(&database, "SELECT count(*) FROM orchestrator.journal");
    assert_eq!(journal, "3");
}

#[test]
fn ten_at_once_write_each_row_once() {
    let server = Server::with(&[("max_connections", "100")]);
    let orchestrator = orchestrator(&server);
    let database = server.legacy_database("control", 2);
    let runs: Vec<_> = (0..10)
        .map(|_| orchestrator.watch(&["adopt", "control"]))
        .collect();
    let outcomes: Vec<Outcome> = runs.into_iter().map(|run| run.end_within(SOON)).collect();
    let adopted = outcomes.iter().filter(|outcome| outcome.code == 0).count();
    assert_eq!(adopted, 1, "{outcomes:?}");
    for outcome in outcomes.iter().filter(|outcome| outcome.code != 0) {
        assert_eq!(outcome.code, 3, "{}\n{}", outcome.stdout, outcome.stderr);
    }
    assert_eq!(
        server.applied(&database),
        [1_753_251_000_000, 1_753_251_001_000]
    );
    assert_eq!(server.databases(), [database]);
}

#[test]
fn a_run_at_work_is_waited_for_and_named() {
    let server = Server::start();
    let orchestrator = orchestrator(&server);
    let (database, holder) = locked(&server, "evidence");
    let run = orchestrator.watch(&["adopt", "evidence"]);
    let waiting = run.wait_for_event("lock_waiting");
    assert_eq!(waiting["holder"]["pid"], holder.pid(), "{waiting}");
    drop(holder);
    assert_eq!(run.end_within(SOON).code, 0);
    assert_eq!(server.applied(&database), [1_753_252_000_000]);

    let (database, holder) = locked(&server, "reporting");
    let before = server.everything(&database);
    let late = orchestrator.expect(&["adopt", "reporting", "--advisory-lock-wait", "300ms"], 5);
    let pid = holder.pid().to_string();
    assert!((late.stdout + &late.stderr).contains(&pid));
    assert_untouched(&server, &database, &before);
}

#[test]
fn a_database_that_changed_after_its_proof_is_not_written_to() {
    let server = Server::start();
    let orchestrator = orchestrator(&server);
    for (service, change) in [
        ("evidence", "ALTER TABLE evidence ADD COLUMN late text"),
        ("notification", "DELETE FROM migrations WHERE id = 2"),
        ("reporting", "GRANT SELECT ON reports TO PUBLIC"),
    ] {
        let (database, holder) = locked(&server, service);
        let run = orchestrator.watch(&["adopt", service]);
        run.wait_for_event("adoption_proven");
        run.wait_for_event("lock_waiting");
        server.query(&database, change);
        let before = server.everything(&database);
        drop(holder);
        let outcome = run.end_within(SOON);
        assert_eq!(outcome.code, 3, "{}\n{}", outcome.stdout, outcome.stderr);
        let refusal = &outcome.events_of("service_failed")[0]["refusal"];
        assert!(
            refusal["message"]
                .as_str()
                .is_some_and(|text| text.contains("changed during the proof")),
            "{refusal}"
        );
        assert_untouched(&server, &database, &before);
    }
}

#[test]
fn interrupted_or_killed_while_it_waits_it_writes_nothing() {
    let server = Server::start();
    let orchestrator = orchestrator(&server);
    for (service, signal, code) in [
        ("evidence", Signal::SIGINT, 130),
        ("reporting", Signal::SIGTERM, 130),
        ("control", Signal::SIGKILL, -1),
    ] {
        let (database, holder) = locked(&server, service);
        let before = server.everything(&database);
        let run = orchestrator.watch(&["adopt", service]);
        run.wait_for_event("lock_waiting");
        run.signal(signal);
        let outcome = run.end_within(SOON);
        assert_eq!(outcome.code, code, "{}\n{}", outcome.stdout, outcome.stderr);
        if code == 130 {
            let last = outcome.events().pop().unwrap_or_default();
            assert_eq!(last["verdict"], "cancelled", "{last}");
        }
        drop(holder);
        assert_untouched(&server, &database, &before);
        orchestrator.expect(&["adopt", service], 0);
    }
}

#[test]
fn killed_in_the_midst_of_writing_it_has_written_nothing() {
    let server = Server::start();
    let orchestrator = orchestrator(&server).env("ORCHESTRATOR_LOCK_TIMEOUT", "30s");
    let database = server.legacy_database("evidence", 1);
    let before = server.everything(&database);
    // Whoever creates the same schema waits for the end of this transaction.
    let other = server.session(&database);
    other.run("BEGIN; CREATE SCHEMA orchestrator");
    let run = orchestrator.watch(&["adopt", "evidence"]);
    let writers = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    wait_until("it writes", || server.value(&database, writers) == "1");
    run.signal(Signal::SIGKILL);
    run.end();
    other.run("ROLLBACK");
    wait_until("its session ends", || {
        server.value(
            &database,
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()",
        ) == "2"
    });
    drop(other);
    assert_untouched(&server, &database, &before);
    orchestrator.expect(&["adopt", "evidence"], 0);
    orchestrator.expect(&["drift", "evidence"], 0);
}

/// The moments are those of a fixed seed (see `tests::sample`).
#[test]
fn killed_at_random_moments_it_has_written_all_rows_or_none() {
    let server = Server::start();
    let orchestrator = orchestrator(&server);
    let mut random = tests::random();
    let database = server.legacy_database("policy", 3);
    let before = server.everything(&database);
    let started = Instant::now();
    orchestrator.expect(&["adopt", "policy"], 0);
    let lasting = started.elapsed();
    let adopted = server.applied(&database);
    orchestrator.expect(&["adopt", "policy", "--undo"], 0);

    for round in 0..by_depth(4, 16) {
        // The rows are written at the very end: half of the kills aim there.
        let share = match round % 2 {
            0 => random.f64(),
            _ => 0.8 + random.f64() * 0.3,
        };
        let run = orchestrator.watch(&["adopt", "policy"]);
        std::thread::sleep(lasting.mul_f64(share));
        run.signal(Signal::SIGKILL);
        run.end();
        // The server finishes what it was told before it notices.
        wait_until("the sessions end", || {
            server.value(
                "postgres",
                &format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}'"),
            ) == "0"
        });
        let everything = server.everything(&database);
        if everything != before {
            assert_eq!(server.applied(&database), adopted, "round {round}");
            let journal = server.value(&database, "SELECT count(*) FROM orchestrator.journal");
            assert_eq!(journal, adopted.len().to_string(), "round {round}");
            orchestrator.expect(&["adopt", "policy", "--undo"], 0);
            assert_untouched(&server, &database, &before);
        }
    }
    orchestrator.expect(&["adopt", "policy"], 0);
    assert_eq!(server.applied(&database), adopted);
    orchestrator.expect(&["drift", "policy"], 0);
    // What the killed ones left was dropped by those that came after.
    assert_eq!(server.databases(), [database]);
}
