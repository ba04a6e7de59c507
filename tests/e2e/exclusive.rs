//! One run per database: the second waits and names the holder; twenty at once do each migration once.

use std::time::Duration;

use tests::{Outcome, Program, Server, Services};

#[test]
fn a_second_run_waits_names_the_holder_and_finds_nothing_left_to_do() {
    let server = Server::start();
    let services = Services::new();
    services.service("shop", &[]).migration(
        1,
        "slow",
        "SELECT pg_sleep(1.2); CREATE TABLE slow (id int)",
    );
    let orchestrator = Program::orchestrator(&server).services(&services);

    let first = orchestrator.watch(&["all"]);
    first.wait_for_event("migration_started");
    let second = orchestrator.watch(&["all"]);
    let waiting = second.wait_for_event("lock_waiting");
    let holder = &waiting["holder"];
    let pid = server.value(
        "postgres",
        "SELECT pid FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'",
    );
    assert_eq!(holder["pid"].to_string(), pid, "{holder}");
    assert_eq!(holder["state"], "active", "{holder}");
    assert_eq!(first.end().code, 0);

    let second = second.end();
    assert_eq!(second.code, 0, "{}", second.stderr);
    assert_eq!(second.events_of("migration_unchanged").len(), 1);
    assert!(second.events_of("migration_applied").is_empty());
    assert_eq!(server.applied("db_shop"), [1]);
}

#[test]
fn a_lock_that_is_not_given_back_in_time_is_exit_5_and_names_the_holder() {
    let server = Server::start();
    let services = Services::new();
    services
        .service("shop", &[])
        .migration(1, "slow", "SELECT pg_sleep(2)");
    let orchestrator = Program::orchestrator(&server).services(&services);

    let first = orchestrator.watch(&["all"]);
    first.wait_for_event("migration_started");
    let second = orchestrator.expect(&["all", "--advisory-lock-wait", "300ms"], 5);
    let text = second.stdout + &second.stderr;
    assert!(text.contains("pid "), "{text}");
    assert_eq!(first.end().code, 0);
}

#[test]
fn twenty_runs_at_once_apply_each_migration_once() {
    let server = Server::with(&[("max_connections", "100")]);
    let services = Services::new();
    for (name, depends_on) in [("a", &[][..]), ("b", &["a"]), ("c", &["a"]), ("d", &[])] {
        services
            .service(name, depends_on)
            .migration(1, "tables", "CREATE TABLE t (id int); INSERT INTO t SELECT generate_series(1, 500)")
            .migration(
                2,
                "index",
                "-- migration: no-transaction\nCREATE INDEX CONCURRENTLY t_id ON t (id);\nCREATE INDEX CONCURRENTLY IF NOT EXISTS t_id2 ON t (id);",
            )
            .migration(3, "column", "ALTER TABLE t ADD COLUMN b int")
            .migration(4, "more", "-- migration: no-transaction\nCREATE INDEX CONCURRENTLY ON t (b)");
    }
    let orchestrator = Program::orchestrator(&server).services(&services);
    let runs: Vec<_> = (0..20).map(|_| orchestrator.watch(&["all"])).collect();
    let outcomes: Vec<Outcome> = runs
        .into_iter()
        .map(|run| run.end_within(Duration::from_secs(90)))
        .collect();
    for outcome in &outcomes {
        assert!(
            [0, 5].contains(&outcome.code),
            "{} {}\n{}",
            outcome.code,
            outcome.stdout,
            outcome.stderr
        );
    }
    assert!(outcomes.iter().any(|outcome| outcome.code == 0));
    for database in ["db_a", "db_b", "db_c", "db_d"] {
        assert_eq!(server.applied(database), [1, 2, 3, 4]);
        assert_eq!(
            server.value(
                database,
                "SELECT count(*) FILTER (WHERE indisvalid) || ' of ' || count(*) FROM pg_index WHERE indrelid = 't'::regclass"
            ),
            "3 of 3"
        );
        assert_eq!(
            server.value(
                database,
                "SELECT count(*) FROM orchestrator.journal WHERE outcome = 'applied'"
            ),
            "4"
        );
    }
    let log = server.cluster().log().unwrap();
    assert!(!log.contains("deadlock detected"), "{log}");
}

#[test]
fn twenty_runs_of_the_platform_at_once_apply_each_migration_once() {
    let server = Server::with(&[("max_connections", "100")]);
    let orchestrator = Program::orchestrator(&server);
    let runs: Vec<_> = (0..20).map(|_| orchestrator.watch(&["all"])).collect();
    for run in runs {
        let outcome = run.end_within(Duration::from_secs(120));
        assert!(
            [0, 5].contains(&outcome.code),
            "{} {}\n{}",
            outcome.code,
            outcome.stdout,
            outcome.stderr
        );
    }
    let status = orchestrator
        .expect(&["status", "--output", "json"], 0)
        .json();
    for service in status["services"].as_array().unwrap() {
        assert_eq!(service["pending"], 0, "{service}");
        let database = service["database"].as_str().unwrap();
        let applied = server.applied(database);
        let mut once = applied.clone();
        once.dedup();
        assert_eq!(applied, once);
        assert_eq!(service["applied"], once.len());
    }
    let log = server.cluster().log().unwrap();
    assert!(!log.contains("deadlock detected"), "{log}");
}
