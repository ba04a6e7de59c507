//! What starts when, in both directions, and what a failure holds back.

use serde_json::Value;
use tests::{Outcome, Program, Server, Services};

/// The place of an event of a migration among all events.
#[track_caller]
fn place(outcome: &Outcome, kind: &str, service: &str, version: i64) -> usize {
    outcome
        .events()
        .iter()
        .position(|event| {
            event["event"] == kind && event["service"] == service && event["version"] == version
        })
        .unwrap_or_else(|| panic!("no {kind} of {service}@{version}: {}", outcome.stdout))
}

/// `service@version` of each event of a kind.
fn steps(outcome: &Outcome, kind: &str) -> Vec<String> {
    let label = |event: &Value| {
        format!(
            "{}@{}",
            event["service"].as_str().unwrap_or_default(),
            event["version"]
        )
    };
    outcome.events_of(kind).iter().map(label).collect()
}

/// The most migrations that were under way at a time.
fn most_at_once(outcome: &Outcome) -> i32 {
    let mut running: i32 = 0;
    let mut most = 0;
    for event in outcome.events() {
        match event["event"].as_str() {
            Some("migration_started") => running += 1,
            Some("migration_applied" | "migration_reverted" | "migration_failed") => running -= 1,
            _ => {}
        }
        most = most.max(running);
    }
    most
}

fn all(server: &Server, services: &Services, arguments: &[&str], code: i32) -> Outcome {
    let mut all = vec!["all", "--output", "json"];
    all.extend(arguments);
    Program::orchestrator(server)
        .services(services)
        .expect(&all, code)
}

fn revert(server: &Server, services: &Services, arguments: &[&str], code: i32) -> Outcome {
    let mut all = vec!["revert", "--output", "json"];
    all.extend(arguments);
    Program::orchestrator(server)
        .services(services)
        .expect(&all, code)
}

#[test]
fn a_step_starts_as_soon_as_what_it_needs_is_done() {
    let server = Server::start();
    let services = Services::new();
    services
        .service("a", &[])
        .migration(1, "quick", "CREATE TABLE t (id int)")
        .migration(2, "slow", "SELECT pg_sleep(1.5)");
    services.service("b", &[]).migration(
        1,
        "step",
        "-- migration: requires a@1\nCREATE TABLE t (id int)",
    );
    let outcome = all(&server, &services, &[], 0);
    let b = place(&outcome, "migration_applied", "b", 1);
    assert!(
        place(&outcome, "migration_applied", "a", 1) < place(&outcome, "migration_started", "b", 1)
    );
    assert!(
        b < place(&outcome, "migration_applied", "a", 2),
        "b waited for all of a"
    );
}

#[test]
fn a_dependency_comes_first_with_all_its_migrations() {
    let server = Server::start();
    let services = Services::new();
    services
        .service("a", &[])
        .migration(1, "one", "SELECT pg_sleep(0.1)")
        .migration(2, "two", "SELECT pg_sleep(0.1)");
    services.service("empty", &["a"]);
    services
        .service("b", &["a"])
        .migration(1, "one", "SELECT 1");
    services
        .service("c", &["empty"])
        .migration(1, "one", "SELECT 1");
    let outcome = all(&server, &services, &[], 0);
    for after in ["b", "c"] {
        assert!(
            place(&outcome, "migration_applied", "a", 2)
                < place(&outcome, "migration_started", after, 1),
            "{after}"
        );
    }
}

/// Client and policy, each of which needs a step of the other.
fn interleaved() -> Services {
    let services = Services::new();
    services
        .service("client", &[])
        .reversible(1, "one", "CREATE TABLE t (id int)", "DROP TABLE t")
        .reversible(
            2,
            "two",
            "-- migration: requires policy@1\nCREATE TABLE u (id int)",
            "DROP TABLE u",
        );
    services.service("policy", &[]).reversible(
        1,
        "one",
        "-- migration: requires client@1\nCREATE TABLE t (id int)",
        "DROP TABLE t",
    );
    services
}

#[test]
fn requirements_interleave_two_services_in_both_directions() {
    let server = Server::start();
    let services = interleaved();
    for jobs in ["1", "8"] {
        let up = all(&server, &services, &["--jobs", jobs], 0);
        assert_eq!(
            steps(&up, "migration_applied"),
            ["client@1", "policy@1", "client@2"]
        );
        let down = revert(&server, &services, &["all", "--all", "--jobs", jobs], 0);
        assert_eq!(
            steps(&down, "migration_reverted"),
            ["client@2", "policy@1", "client@1"]
        );
    }
}

#[test]
fn independent_services_run_at_once_and_with_one_job_one_by_one() {
    let services = Services::new();
    for name in ["a", "b", "c"] {
        services
            .service(name, &[])
            .migration(1, "one", "SELECT pg_sleep(0.5)");
    }
    assert_eq!(most_at_once(&all(&Server::start(), &services, &[], 0)), 3);
    assert_eq!(
        most_at_once(&all(&Server::start(), &services, &["--jobs", "1"], 0)),
        1
    );
}

#[test]
fn two_services_of_one_database_never_run_at_once() {
    let server = Server::start();
    let services = Services::new();
    for name in ["a", "b", "c"] {
        services
            .service_with(
                name,
                &[],
                &format!("database = \"db_shared\"\nhistory_table = \"history_{name}\"\n"),
            )
            .migration(
                1,
                "one",
                &format!("CREATE TABLE {name} (id int); SELECT pg_sleep(0.2)"),
            )
            .migration(2, "two", "SELECT pg_sleep(0.1)");
    }
    let outcome = all(&server, &services, &[], 0);
    assert_eq!(most_at_once(&outcome), 1);
    assert!(outcome.events_of("lock_waiting").is_empty());
    for name in ["a", "b", "c"] {
        assert_eq!(
            server.value("db_shared", &format!("SELECT count(*) FROM history_{name}")),
            "2"
        );
    }
}

/// `bad` fails while `other`, which is independent, is in its first step; `after` depends on `bad` and `later` on that.
fn failing() -> Services {
    let services = Services::new();
    services.service("bad", &[]).migration(
        1,
        "bad",
        "DO $$ BEGIN
           LOOP
             EXIT WHEN EXISTS (SELECT FROM pg_stat_activity WHERE datname = 'db_other' AND wait_event = 'PgSleep');
             PERFORM pg_stat_clear_snapshot();
           END LOOP;
           RAISE division_by_zero;
         END $$",
    );
    services
        .service("after", &["bad"])
        .migration(1, "one", "SELECT 1")
        .migration(2, "two", "SELECT 1");
    services
        .service("later", &["after"])
        .migration(1, "one", "SELECT 1");
    services
        .service("other", &[])
        .migration(1, "one", "SELECT pg_sleep(1)")
        .migration(2, "two", "CREATE TABLE two (id int)");
    services
}

/// Why a service was skipped, and how many of its steps.
#[track_caller]
fn skipped(outcome: &Outcome, service: &str) -> (String, u64) {
    let skipped = outcome.events_of("service_skipped");
    let event = skipped
        .iter()
        .find(|event| event["service"] == service)
        .unwrap_or_else(|| panic!("{service}: {}", outcome.stdout));
    (
        event["because"].as_str().unwrap_or_default().to_owned(),
        event["steps"].as_u64().unwrap_or_default(),
    )
}

#[test]
fn after_a_failure_nothing_new_starts_and_it_is_said_because_of_whom() {
    let server = Server::start();
    let outcome = all(&server, &failing(), &[], 1);
    assert_eq!(steps(&outcome, "migration_applied"), ["other@1"]);
    for (service, count) in [("after", 2), ("later", 1), ("other", 1)] {
        let (because, steps) = skipped(&outcome, service);
        assert!(because.contains("bad"), "{service}: {because}");
        assert_eq!(steps, count, "{service}");
    }
    let finished = outcome.events().pop().unwrap();
    assert_eq!(
        (
            &finished["applied"],
            &finished["failed"],
            &finished["skipped"]
        ),
        (&1.into(), &1.into(), &4.into())
    );
}

#[test]
fn on_failure_continue_goes_on_with_what_does_not_depend_on_it() {
    let server = Server::start();
    let outcome = all(&server, &failing(), &["--on-failure", "continue"], 1);
    assert_eq!(steps(&outcome, "migration_applied"), ["other@1", "other@2"]);
    for service in ["after", "later"] {
        assert!(skipped(&outcome, service).0.contains("bad"));
    }
    assert_eq!(outcome.events_of("service_skipped").len(), 2);
}

#[test]
fn a_cycle_is_refused_also_when_nothing_is_pending() {
    let server = Server::start();
    let services = Services::new();
    for name in ["a", "b", "c"] {
        services.service(name, &[]).migration(1, "one", "SELECT 1");
    }
    all(&server, &services, &[], 0);
    for (name, needs) in [("a", "b"), ("b", "c"), ("c", "a")] {
        services.service(name, &[needs]);
    }
    let outcome = Program::orchestrator(&server)
        .services(&services)
        .expect(&["all"], 2);
    let text = outcome.stdout + &outcome.stderr;
    let arounds = ["a → b → c → a", "b → c → a → b", "c → a → b → c"];
    assert!(
        arounds.iter().any(|around| text.contains(around)),
        "each waits for the next: {text}"
    );
}

#[test]
fn revert_all_takes_dependents_back_first() {
    let server = Server::start();
    let services = Services::new();
    for (name, depends_on) in [("a", &[][..]), ("b", &["a"]), ("c", &["b"])] {
        services
            .service(name, depends_on)
            .reversible(
                1,
                "one",
                "CREATE TABLE t (id int)",
                "DROP TABLE t; SELECT pg_sleep(0.1)",
            )
            .reversible(2, "two", "CREATE TABLE u (id int)", "DROP TABLE u");
    }
    all(&server, &services, &[], 0);
    let outcome = revert(&server, &services, &["all", "--all"], 0);
    assert_eq!(
        steps(&outcome, "migration_reverted"),
        ["c@2", "c@1", "b@2", "b@1", "a@2", "a@1"]
    );
}

#[test]
fn a_revert_takes_back_as_much_as_it_was_asked_to() {
    let server = Server::start();
    let services = Services::new();
    let service = services.service("a", &[]);
    for version in 1..=5 {
        service.reversible(
            version,
            "step",
            &format!("CREATE TABLE t{version} (id int)"),
            &format!("DROP TABLE t{version}"),
        );
    }
    all(&server, &services, &[], 0);
    revert(&server, &services, &["a"], 0);
    assert_eq!(server.applied("db_a"), [1, 2, 3, 4]);
    revert(&server, &services, &["a", "--steps", "2"], 0);
    assert_eq!(server.applied("db_a"), [1, 2]);
    revert(&server, &services, &["a", "--to", "1"], 0);
    assert_eq!(server.applied("db_a"), [1]);
    revert(&server, &services, &["a", "--to", "1"], 0);
    assert_eq!(server.applied("db_a"), [1]);
    revert(&server, &services, &["a", "--all"], 0);
    assert!(server.applied("db_a").is_empty());
    revert(&server, &services, &["a"], 0);
    assert_eq!(
        server.value(
            "db_a",
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename LIKE 't_'"
        ),
        "0"
    );
}

#[test]
fn depends_on_orders_but_does_not_refuse_a_revert() {
    let server = Server::start();
    let services = Services::new();
    for (name, depends_on) in [("a", &[][..]), ("b", &["a"])] {
        services.service(name, depends_on).reversible(
            1,
            "one",
            "CREATE TABLE t (id int)",
            "DROP TABLE t",
        );
    }
    all(&server, &services, &[], 0);
    revert(&server, &services, &["a"], 0);
    assert!(server.applied("db_a").is_empty());
    assert_eq!(server.applied("db_b"), [1]);
}

#[test]
fn what_an_applied_migration_requires_is_not_taken_away_from_it() {
    let server = Server::start();
    let services = interleaved();
    all(&server, &services, &[], 0);
    let refused = revert(&server, &services, &["policy"], 3);
    assert!(
        (refused.stdout.clone() + &refused.stderr).contains("--with-dependents"),
        "{}",
        refused.stderr
    );
    assert_eq!(server.applied("db_policy"), [1]);
    assert_eq!(server.applied("db_client"), [1, 2]);

    let outcome = revert(
        &server,
        &services,
        &["client", "--all", "--with-dependents"],
        0,
    );
    assert_eq!(
        steps(&outcome, "migration_reverted"),
        ["client@2", "policy@1", "client@1"]
    );
}

#[test]
fn what_has_no_way_back_is_refused_and_nothing_is_undone() {
    for text in [
        "-- migration: irreversible \"the old data is gone\"\nCREATE TABLE t (id int)",
        "CREATE TABLE t (id int)",
    ] {
        let server = Server::start();
        let services = Services::new();
        services
            .service("a", &[])
            .migration(1, "one", text)
            .reversible(2, "two", "CREATE TABLE u (id int)", "DROP TABLE u");
        all(&server, &services, &[], 0);
        let refused = revert(&server, &services, &["a", "--all"], 3);
        let words = refused.stdout + &refused.stderr;
        assert!(words.contains("V1__one.sql"), "{words}");
        if text.contains("irreversible") {
            assert!(words.contains("the old data is gone"), "{words}");
        }
        assert_eq!(server.applied("db_a"), [1, 2]);
        let status = Program::orchestrator(&server)
            .services(&services)
            .expect(&["status", "--output", "json"], 0)
            .json();
        let migrations = &status["services"][0]["migrations"];
        assert_eq!(migrations[0]["reversible"], false);
        assert_eq!(migrations[1]["reversible"], true);
    }
}
