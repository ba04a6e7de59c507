//! An atomic release: all pending migrations of all services commit, or none.

use std::collections::BTreeSet;

use serde_json::Value;
use tests::{Outcome, Program, Server, Services, wait_until};

const ATOMIC: [&str; 4] = ["all", "--atomic", "--output", "json"];

/// A chain of three services with two migrations each; the last one's second is given.
fn three(last: &str) -> Services {
    let services = Services::new();
    let mut before: Vec<&str> = Vec::new();
    for name in ["one", "two", "three"] {
        let second = if name == "three" {
            last.to_owned()
        } else {
            "ALTER TABLE a ADD COLUMN note text".to_owned()
        };
        services
            .service(name, &before)
            .migration(1, "first", "CREATE TABLE a (id int PRIMARY KEY)")
            .migration(2, "second", &second);
        before = vec![name];
    }
    services
}

/// The versions in a history, which may not be there.
fn applied(server: &Server, service: &str) -> Vec<i64> {
    let rows = server.try_query(
        &format!("db_{service}"),
        "SELECT version FROM refinery_schema_history ORDER BY version",
    );
    let rows = rows.unwrap_or_default();
    rows.iter()
        .map(|row| row[0].parse().expect("a version"))
        .collect()
}

fn prepared(server: &Server) -> Vec<Vec<String>> {
    server.query("postgres", "SELECT gid FROM pg_prepared_xacts")
}

/// What the journal of a service says, the oldest first.
fn journal(server: &Server, service: &str) -> Vec<String> {
    let rows = server.query(
        &format!("db_{service}"),
        "SELECT version || ' ' || outcome FROM orchestrator.journal ORDER BY id",
    );
    rows.into_iter().map(|row| row[0].clone()).collect()
}

fn one_event(outcome: &Outcome, kind: &str) -> Value {
    let events = outcome.events_of(kind);
    assert_eq!(events.len(), 1, "{kind}: {}", outcome.stdout);
    events[0].clone()
}

/// `<service>@<version>` of all events of a kind.
fn steps(outcome: &Outcome, kind: &str) -> BTreeSet<String> {
    let events = outcome.events_of(kind);
    events
        .iter()
        .map(|event| {
            format!(
                "{}@{}",
                event["service"].as_str().unwrap(),
                event["version"]
            )
        })
        .collect()
}

#[test]
fn all_of_it_commits_after_one_decision() {
    let (server, services) = (Server::start(), three("CREATE INDEX a_id ON a (id)"));
    let outcome = Program::orchestrator(&server)
        .services(&services)
        .expect(&ATOMIC, 0);
    for service in ["one", "two", "three"] {
        assert_eq!(applied(&server, service), [1, 2]);
        assert_eq!(journal(&server, service), ["1 applied", "2 applied"]);
    }
    assert_eq!(prepared(&server), Vec::<Vec<String>>::new());
    let decided = one_event(&outcome, "release_decided");
    assert_eq!(decided["decision"], "commit");
    assert_eq!(decided["coordinator"], "one");
    let committed = one_event(&outcome, "release_committed");
    assert_eq!(committed["databases"], 3);
    assert!(committed["window_ms"].is_u64(), "{committed}");
    let order = |kind: &str| -> Vec<u64> {
        let events = outcome.events_of(kind);
        events
            .iter()
            .map(|it| it["seq"].as_u64().unwrap())
            .collect()
    };
    let decision = decided["seq"].as_u64().unwrap();
    assert_eq!(order("service_prepared").len(), 3);
    assert!(
        order("migration_executed")
            .iter()
            .all(|seq| *seq < decision)
    );
    assert!(order("service_prepared").iter().all(|seq| *seq < decision));
    assert!(order("migration_applied").iter().all(|seq| *seq > decision));
    assert!(order("service_committed").iter().all(|seq| *seq > decision));
    let finished = one_event(&outcome, "run_finished");
    assert_eq!(finished["verdict"], "done");
    assert_eq!(finished["applied"], 6);
    assert_eq!(
        server.query(
            "db_one",
            "SELECT decision, finished_at IS NOT NULL FROM orchestrator.releases"
        ),
        [["commit", "t"]]
    );
}

#[test]
fn after_a_failure_nothing_of_it_is_left() {
    let (server, services) = (Server::start(), three("ALTER TABLE b ADD COLUMN note text"));
    let orchestrator = Program::orchestrator(&server).services(&services);
    let outcome = orchestrator.expect(&ATOMIC, 1);
    for service in ["one", "two", "three"] {
        assert_eq!(applied(&server, service), Vec::<i64>::new());
        let tables = "SELECT to_regclass('a') IS NULL";
        assert_eq!(server.value(&format!("db_{service}"), tables), "t");
    }
    assert_eq!(prepared(&server), Vec::<Vec<String>>::new());
    assert_eq!(journal(&server, "one"), ["1 rolled_back", "2 rolled_back"]);
    assert_eq!(journal(&server, "three"), ["2 failed", "1 rolled_back"]);
    assert_eq!(
        server.value(
            "db_one",
            "SELECT DISTINCT message FROM orchestrator.journal"
        ),
        "three did not get through"
    );
    assert_eq!(
        steps(&outcome, "migration_rolled_back"),
        ["one@1", "one@2", "two@1", "two@2", "three@1"]
            .map(str::to_owned)
            .into()
    );
    assert_eq!(steps(&outcome, "migration_applied"), BTreeSet::new());
    let finished = one_event(&outcome, "run_finished");
    assert_eq!(finished["applied"], 0);
    assert_eq!(finished["failed"], 1);
    let outcomes: Vec<String> = outcome
        .events_of("service_finished")
        .iter()
        .map(|it| it["outcome"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(outcomes, ["rolled_back", "rolled_back", "failed"]);
    let next = finished["next"][0].as_str().unwrap();
    assert!(next.contains("orchestrator all --atomic"), "{next}");
}

#[test]
fn the_chain_of_the_journals_is_whole_afterwards() {
    let server = Server::start();
    let failing = three("SELECT 1 / 0");
    Program::orchestrator(&server)
        .services(&failing)
        .expect(&ATOMIC, 1);
    let services = three("SELECT 1");
    let orchestrator = Program::orchestrator(&server).services(&services);
    orchestrator.expect(&ATOMIC, 0);
    orchestrator.expect(&["history", "--verify"], 0);
}

#[test]
fn with_one_database_no_prepared_transaction_is_needed() {
    let server = Server::with(&[("max_prepared_transactions", "0")]);
    let services = Services::new();
    services
        .service("shop", &[])
        .migration(1, "first", "CREATE TABLE a (id int)")
        .migration(2, "second", "CREATE TABLE b (id int)");
    let orchestrator = Program::orchestrator(&server).services(&services);
    let outcome = orchestrator.expect(&ATOMIC, 0);
    assert_eq!(applied(&server, "shop"), [1, 2]);
    assert_eq!(outcome.events_of("release_decided"), Vec::<Value>::new());
    // Both in one transaction.
    assert_eq!(
        server.value(
            "db_shop",
            "SELECT count(DISTINCT xmin::text) FROM refinery_schema_history"
        ),
        "1"
    );
}

#[test]
fn no_file_leaks_into_the_next_one_of_its_transaction() {
    let (server, services) = (Server::start(), Services::new());
    services.service("other", &[]).migration(1, "a", "SELECT 1");
    services
        .service("shop", &[])
        .migration(
            1,
            "settings",
            "CREATE ROLE clerk; GRANT ALL ON SCHEMA public TO clerk; SET search_path = pg_catalog; SET ROLE clerk;
             SET idle_in_transaction_session_timeout = '7s'; PREPARE q AS SELECT 1; DECLARE c CURSOR WITH HOLD FOR SELECT 1",
        )
        .migration(
            2,
            "seen",
            "CREATE TABLE seen AS SELECT current_setting('search_path') AS path, current_user::text AS who,
               current_setting('idle_in_transaction_session_timeout') AS silence,
               (SELECT count(*) FROM pg_prepared_statements) AS statements, (SELECT count(*) FROM pg_cursors WHERE is_holdable) AS cursors",
        )
        .migration(
            3,
            "deferred",
            "CREATE TABLE d (id int PRIMARY KEY, up int REFERENCES d DEFERRABLE INITIALLY DEFERRED,
               other int REFERENCES d DEFERRABLE); INSERT INTO d VALUES (1, 2, 1), (2, 1, 2); SET CONSTRAINTS d_other_fkey DEFERRED",
        )
        .migration(
            4,
            "deferred_again",
            "INSERT INTO d VALUES (3, 4, 1), (4, 3, 1);
             CREATE TABLE e (id int PRIMARY KEY, up int REFERENCES e DEFERRABLE INITIALLY DEFERRED); INSERT INTO e VALUES (1, 2), (2, 1)",
        );
    let orchestrator = Program::orchestrator(&server).services(&services);
    orchestrator.expect(&ATOMIC, 0);
    let me = server.value("db_shop", "SELECT current_user");
    assert_eq!(
        server.query(
            "db_shop",
            "SELECT path, who, silence, statements, cursors FROM seen"
        ),
        [["\"$user\", public", me.as_str(), "15s", "0", "0"]]
    );
    services
        .service("shop", &[])
        .migration(5, "violates", "INSERT INTO d VALUES (5, 99, 1)")
        .migration(6, "innocent", "SELECT 1");
    let outcome = orchestrator.expect(&ATOMIC, 1);
    let failed = one_event(&outcome, "migration_failed");
    assert_eq!(
        failed["version"], 5,
        "a file answers for its own violations"
    );
    services
        .service("shop", &[])
        .migration(5, "violates", "INSERT INTO d VALUES (5, 1, 1)")
        .migration(6, "innocent", "INSERT INTO d VALUES (6, 1, 99)");
    let outcome = orchestrator.expect(&ATOMIC, 1);
    let failed = one_event(&outcome, "migration_failed");
    assert_eq!(
        failed["version"], 6,
        "initially immediate ones are checked at once"
    );
}

#[test]
fn services_that_share_a_database_are_one_transaction_of_it() {
    let (server, services) = (Server::start(), Services::new());
    let shared = |table: &str| format!("database = \"db_one\"\nhistory_table = \"{table}\"\n");
    services
        .service_with("one", &[], &shared("one_history"))
        .migration(1, "a", "CREATE TABLE a (id int PRIMARY KEY)")
        .migration(2, "c", "ALTER TABLE b ADD COLUMN c int");
    services
        .service_with("two", &[], &shared("public.two_history"))
        .migration(
            1,
            "b",
            "-- migration: requires one@1\nCREATE TABLE b (id int REFERENCES a)",
        );
    services
        .service_with("one", &[], &shared("one_history"))
        .migration(
            2,
            "c",
            "-- migration: requires two@1\nALTER TABLE b ADD COLUMN c int",
        );
    services
        .service("three", &["two"])
        .migration(1, "a", "CREATE TABLE a (id int)");
    let outcome = Program::orchestrator(&server)
        .services(&services)
        .expect(&ATOMIC, 0);
    assert_eq!(one_event(&outcome, "release_committed")["databases"], 2);
    assert_eq!(outcome.events_of("service_committed").len(), 3);
    let applied = |table: &str| {
        server.query(
            "db_one",
            &format!("SELECT version, xmin FROM {table} ORDER BY 1"),
        )
    };
    let (one, two) = (applied("one_history"), applied("two_history"));
    assert_eq!(one.len(), 2);
    assert_eq!(two.len(), 1);
    assert!(
        [&one[0], &one[1]].iter().all(|row| row[1] == two[0][1]),
        "{one:?} {two:?}"
    );
}

#[test]
fn after_a_lock_was_not_to_be_had_all_files_of_its_database_run_again() {
    let (server, services) = (Server::start(), three("SELECT 1"));
    let orchestrator = Program::orchestrator(&server)
        .services(&services)
        .env("ORCHESTRATOR_LOCK_TIMEOUT", "200ms");
    orchestrator.expect(&["all"], 0);
    for name in ["one", "two"] {
        services
            .service(name, &[])
            .migration(3, "rows", "CREATE TABLE b AS SELECT 1 AS id")
            .migration(4, "locks", "ALTER TABLE a ADD COLUMN late int");
    }
    let reader = server.session("db_two");
    reader.run("BEGIN; SELECT FROM a");
    let run = orchestrator.watch(&["all", "--atomic"]);
    let retrying = run.wait_for_event("migration_retrying");
    assert_eq!(retrying["service"], "two");
    assert_eq!(retrying["version"], 4);
    // Meanwhile nobody queues behind it.
    server.query("db_two", "SELECT FROM a");
    reader.run("COMMIT");
    let outcome = run.end();
    assert_eq!(outcome.code, 0, "{}", outcome.stdout);
    assert_eq!(server.query("db_two", "SELECT id FROM b"), [["1"]]);
    assert_eq!(outcome.events_of("migration_executed").len(), 4);
    assert_eq!(journal(&server, "two")[2..], ["3 applied", "4 applied"]);
}

#[test]
fn ctrl_c_before_the_decision_rolls_all_of_it_back() {
    let (server, services) = (Server::start(), three("SELECT pg_sleep(60)"));
    let orchestrator = Program::orchestrator(&server).services(&services);
    let run = orchestrator.watch(&["all", "--atomic"]);
    run.wait_for("the last file", |event| {
        event["event"] == "migration_started"
            && event["service"] == "three"
            && event["version"] == 2
    });
    run.signal(nix::sys::signal::Signal::SIGINT);
    let outcome = run.end_within(std::time::Duration::from_secs(20));
    assert_eq!(outcome.code, 130, "{}", outcome.stdout);
    for service in ["one", "two", "three"] {
        assert_eq!(applied(&server, service), Vec::<i64>::new());
    }
    assert_eq!(prepared(&server), Vec::<Vec<String>>::new());
    let finished = one_event(&outcome, "run_finished");
    assert_eq!(finished["verdict"], "cancelled");
    assert_eq!(finished["applied"], 0);
    assert_eq!(journal(&server, "one"), ["1 rolled_back", "2 rolled_back"]);
}

#[test]
fn a_failure_cancels_what_runs_beside_it() {
    let (server, services) = (Server::start(), Services::new());
    services
        .service("slow", &[])
        .migration(1, "sleeps", "SELECT pg_sleep(60)");
    services
        .service("bad", &[])
        .migration(1, "first", "SELECT pg_sleep(0.5)")
        .migration(2, "fails", "SELECT 1 / 0");
    let orchestrator = Program::orchestrator(&server).services(&services);
    let run = orchestrator.watch(&["all", "--atomic"]);
    let outcome = run.end_within(std::time::Duration::from_secs(20));
    assert_eq!(outcome.code, 1, "{}", outcome.stdout);
    assert_eq!(
        steps(&outcome, "migration_failed"),
        ["bad@2".to_owned()].into()
    );
    let undone = outcome.events_of("migration_rolled_back");
    let slow = undone
        .iter()
        .find(|event| event["service"] == "slow")
        .expect("the slow one");
    assert_eq!(slow["because"], "bad did not get through");
}

#[test]
fn a_database_that_waits_for_another_keeps_talking() {
    let (server, services) = (Server::start(), Services::new());
    services
        .service("quick", &[])
        .migration(1, "a", "CREATE TABLE a (id int)");
    services
        .service("slow", &[])
        .migration(1, "sleeps", "SELECT pg_sleep(12)");
    let orchestrator = Program::orchestrator(&server).services(&services);
    let run = orchestrator.watch(&["all", "--atomic"]);
    run.wait_for("the quick one", |event| {
        event["event"] == "migration_executed" && event["service"] == "quick"
    });
    // Its server would end a session that is silent for 15 s.
    wait_until("a word in the open transaction", || {
        let spoken = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'db_quick' AND state = 'idle in transaction' \
                        AND query_start > xact_start + interval '4 s'";
        server.value("postgres", spoken) == "1"
    });
    assert_eq!(run.end().code, 0);
}

#[test]
fn what_others_must_apply_first_is_waited_for_before_anything_is_locked() {
    let (server, services) = (Server::start(), three("SELECT 1"));
    services.service("base", &[]).migration(1, "a", "SELECT 1");
    services.service("one", &["base"]).migration(
        1,
        "first",
        "-- migration: requires base@1\nCREATE TABLE a (id int PRIMARY KEY)",
    );
    let orchestrator = Program::orchestrator(&server).services(&services);
    let some = ["run", "one", "two", "--atomic"];
    orchestrator.expect(&some, 3);
    let outcome = orchestrator.expect(&[&some[..], &["--wait", "200ms"]].concat(), 3);
    assert!(
        outcome.stderr.contains("of base to be applied first"),
        "{}",
        outcome.stderr
    );
    assert_eq!(server.databases(), Vec::<String>::new());
    let waiting = orchestrator.watch(&[&some[..], &["--wait", "30s"]].concat());
    waiting.wait_for_event("gate_waiting");
    orchestrator.expect(&["run", "base"], 0);
    let outcome = waiting.end();
    assert_eq!(outcome.code, 0, "{}", outcome.stdout);
    assert_eq!(outcome.events_of("gate_met").len(), 1);
    assert_eq!(applied(&server, "two"), [1, 2]);
}
