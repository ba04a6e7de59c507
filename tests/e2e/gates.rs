//! The order between services holds also between processes that know nothing of each other.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use tests::{Outcome, Program, SERVICES, Server, Services};

fn binary(service: &str, server: &Server) -> Program {
    Program::named(&format!("{service}-migrations"))
        .env("ORCHESTRATOR_SERVER_URL", &server.url("postgres"))
}

/// The command that a refusal names, without the hint behind it.
fn way_out(outcome: &Outcome) -> Vec<String> {
    let failed = outcome.events_of("service_failed");
    let next = failed[0]["refusal"]["next"].as_str().expect("a way out");
    let command = next.split("  ").next().expect("a command");
    command.split(' ').skip(1).map(str::to_owned).collect()
}

#[test]
fn eleven_processes_started_at_once_in_any_order_migrate_in_the_order_of_the_graph() {
    let server = Server::start();
    let mut services = SERVICES.to_vec();
    tests::random().shuffle(&mut services);
    let programs: Vec<Program> = services
        .iter()
        .map(|(service, _)| binary(service, &server))
        .collect();
    let children: Vec<_> = programs
        .iter()
        .map(|program| program.start(&["--wait", "60s"]))
        .collect();
    for ((service, _), child) in services.iter().zip(children) {
        let outcome = Outcome::of(child);
        assert_eq!(
            outcome.code, 0,
            "{service}: {}\n{}",
            outcome.stdout, outcome.stderr
        );
    }

    let graph = Program::orchestrator(&server)
        .expect(&["graph", "--output", "json"], 0)
        .json();
    let spans: BTreeMap<&str, (f64, f64)> = SERVICES
        .iter()
        .map(|(service, database)| (*service, span(&server, database)))
        .collect();
    let mut edges = 0;
    for node in graph["services"].as_array().expect("services") {
        let dependent = node["name"].as_str().expect("a name");
        for dependency in node["depends_on"].as_array().expect("names") {
            let dependency = dependency.as_str().expect("a name");
            assert!(
                spans[dependency].1 < spans[dependent].0,
                "{dependent} began before {dependency} was done: {spans:?}"
            );
            edges += 1;
        }
    }
    assert_eq!(edges, 11);
}

/// When a database's first attempt began and its last one began, in seconds.
fn span(server: &Server, database: &str) -> (f64, f64) {
    let rows = server.query(
        database,
        "SELECT extract(epoch FROM min(started_at)), extract(epoch FROM max(started_at)) FROM orchestrator.journal \
         WHERE outcome = 'applied'",
    );
    let seconds = |index: usize| rows[0][index].parse().expect("seconds");
    (seconds(0), seconds(1))
}

#[test]
fn a_service_binary_refuses_and_names_the_command_that_helps() {
    let server = Server::start();
    let policy = binary("policy", &server);
    let outcome = policy.expect(&["--output", "json"], 3);
    let command = way_out(&outcome);
    assert_eq!(command, ["run", "client", "--with-dependencies"]);
    let words = policy.expect(&["run"], 3);
    assert!(
        (words.stdout + &words.stderr).contains("orchestrator run client --with-dependencies"),
        "the command is named for people too"
    );
    assert_eq!(server.databases(), Vec::<String>::new());

    Program::orchestrator(&server).expect(&command, 0);
    assert_eq!(server.databases(), ["soc_auth", "soc_clients"]);
    policy.expect::<&str>(&[], 0);
}

/// `late` requires the second of two migrations of `early`, with its own second one; nothing else ties them.
fn requiring() -> Services {
    let services = Services::new();
    services
        .service("early", &[])
        .migration(1, "one", "CREATE TABLE one (id int);\n")
        .migration(2, "two", "CREATE TABLE two (id int);\n");
    services
        .service("late", &[])
        .migration(1, "one", "CREATE TABLE one (id int);\n")
        .migration(
            2,
            "two",
            "-- migration: requires early@2\nCREATE TABLE two (id int);\n",
        );
    services
}

#[test]
fn a_required_migration_must_be_there_first() {
    let server = Server::start();
    let services = requiring();
    let orchestrator = Program::orchestrator(&server).services(&services);

    orchestrator.expect(&["run", "early", "--to", "1"], 0);
    let outcome = orchestrator.expect(&["run", "late", "--output", "json"], 3);
    assert_eq!(
        server.databases(),
        ["db_early"],
        "nothing of late was begun"
    );

    // The command stands for itself: it names the folder of the services, too.
    let command = way_out(&outcome);
    assert!(
        command.contains(&"--services-dir".to_owned()),
        "{command:?}"
    );
    Program::orchestrator(&server).expect(&command, 0);
    assert_eq!(server.applied("db_early"), [1, 2]);
    orchestrator.expect(&["run", "late"], 0);
    assert_eq!(server.applied("db_late"), [1, 2]);
}

#[test]
fn what_needs_no_gate_can_be_applied_up_to_that_version() {
    let server = Server::start();
    let services = requiring();
    let orchestrator = Program::orchestrator(&server).services(&services);
    orchestrator.expect(&["run", "late", "--to", "1"], 0);
    assert_eq!(server.applied("db_late"), [1]);
}

#[test]
fn waiting_ends_when_the_other_run_has_done_its_part() {
    let server = Server::start();
    let services = requiring();
    let orchestrator = Program::orchestrator(&server).services(&services);
    let late = orchestrator.watch(&["run", "late", "--wait", "60s"]);
    let waiting = late.wait_for_event("gate_waiting");
    assert_eq!(
        waiting["gate"],
        serde_json::json!({"service": "early", "versions": [2]})
    );
    let locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'";
    assert_eq!(
        server.value("postgres", locks),
        "0",
        "no lock is held meanwhile"
    );

    orchestrator.expect(&["run", "early"], 0);
    let outcome = late.end();
    assert_eq!(outcome.code, 0, "{}", outcome.stdout);
    assert_eq!(outcome.events_of("gate_met").len(), 1);
    assert_eq!(server.applied("db_late"), [1, 2]);
}

#[test]
fn waiting_in_vain_is_a_refusal() {
    let server = Server::start();
    let services = requiring();
    let orchestrator = Program::orchestrator(&server).services(&services);
    let outcome = orchestrator.expect(&["run", "late", "--wait", "300ms", "--output", "json"], 3);
    let last = outcome.events().pop().expect("an event");
    assert_eq!(last["event"], "run_finished");
    assert_eq!(last["verdict"], "refused");
    assert_eq!(last["exit_code"], 3);
    assert_eq!(
        way_out(&outcome)[..3],
        ["run", "early", "--with-dependencies"]
    );
}

#[test]
fn a_dependency_without_migrations_hands_the_question_on() {
    let server = Server::start();
    let services = Services::new();
    services
        .service("first", &[])
        .migration(7, "one", "CREATE TABLE one (id int);\n");
    services.service("empty", &["first"]);
    services
        .service("last", &["empty"])
        .migration(1, "one", "CREATE TABLE one (id int);\n");
    let orchestrator = Program::orchestrator(&server).services(&services);

    let outcome = orchestrator.expect(&["run", "last", "--output", "json"], 3);
    let refusal: &Value = &outcome.events_of("service_failed")[0]["refusal"];
    assert_eq!(refusal["kind"], "gate");
    let message = refusal["message"].as_str().expect("a message");
    assert!(message.contains("migration 7 of first"), "{message}");
    orchestrator.expect(&["run", "first"], 0);
    orchestrator.expect(&["run", "last"], 0);
}

#[test]
fn a_gate_stays_closed_while_its_migration_is_interrupted() {
    let server = Server::start();
    let services = Services::new();
    services.service("first", &[]).migration(
        1,
        "halves",
        "-- migration: no-transaction\nCREATE TABLE a (id int);\nSELECT 1 / 0;\n",
    );
    services
        .service("last", &["first"])
        .migration(1, "one", "CREATE TABLE one (id int);\n");
    let orchestrator = Program::orchestrator(&server).services(&services);
    orchestrator.expect(&["run", "first"], 1);
    orchestrator.expect(&["run", "last"], 3);
    assert_eq!(server.databases(), ["db_first"]);
}

#[test]
fn what_is_required_is_not_undone_whatever_is_undone_beside_it() {
    let server = Server::start();
    let services = Services::new();
    for name in ["a", "b", "c"] {
        services.service(name, &[]).reversible(
            1,
            "one",
            "CREATE TABLE one (id int);\n",
            "DROP TABLE one;\n",
        );
    }
    for name in ["a", "b"] {
        services.service(&format!("on_{name}"), &[]).reversible(
            1,
            "one",
            &format!("-- migration: requires {name}@1\nCREATE TABLE one (id int);\n"),
            "DROP TABLE one;\n",
        );
    }
    let orchestrator = Program::orchestrator(&server).services(&services);
    orchestrator.expect(&["all"], 0);
    orchestrator.expect(&["revert", "a", "b", "c"], 3);
    assert_eq!(server.applied("db_c"), [1], "stop: nothing is begun");
    orchestrator.expect(&["revert", "a", "b", "c", "--on-failure", "continue"], 3);
    for database in ["db_a", "db_b", "db_on_a", "db_on_b"] {
        assert_eq!(server.applied(database), [1], "{database}");
    }

    let outcome = orchestrator.expect(&["revert", "a", "--all", "--output", "json"], 3);
    Program::orchestrator(&server).expect(&way_out(&outcome), 0);
    assert_eq!(server.applied("db_a"), Vec::<i64>::new());
    assert_eq!(server.applied("db_on_a"), Vec::<i64>::new());
    assert_eq!(server.applied("db_on_b"), [1]);
}

#[test]
fn what_a_dependent_needs_stays_when_the_dependent_cannot_be_undone() {
    let server = Server::start();
    let services = Services::new();
    services.service("base", &[]).reversible(
        1,
        "one",
        "CREATE TABLE one (id int);\n",
        "DROP TABLE one;\n",
    );
    services.service("stays", &[]).migration(
        1,
        "one",
        "-- migration: requires base@1\nCREATE TABLE one (id int);\n",
    );
    let orchestrator = Program::orchestrator(&server).services(&services);
    orchestrator.expect(&["all"], 0);
    for choice in ["stop", "continue"] {
        let arguments = [
            "revert",
            "base",
            "--with-dependents",
            "--on-failure",
            choice,
        ];
        let outcome = orchestrator
            .watch(&arguments)
            .end_within(Duration::from_secs(20));
        assert_eq!(outcome.code, 3, "{}", outcome.stderr);
        assert_eq!(server.applied("db_base"), [1], "{choice}");
    }
}

#[test]
fn what_is_required_stays_if_the_state_of_the_dependent_is_unknown() {
    let server = Server::start();
    let services = Services::new();
    services.service("base", &[]).reversible(
        1,
        "one",
        "CREATE TABLE one (id int);\n",
        "DROP TABLE one;\n",
    );
    services.service("dark", &[]).reversible(
        1,
        "one",
        "-- migration: requires base@1\nCREATE TABLE one (id int);\n",
        "DROP TABLE one;\n",
    );
    Program::orchestrator(&server)
        .services(&services)
        .expect(&["all"], 0);
    let in_the_dark = Program::orchestrator(&server)
        .env(
            "DARK_DATABASE_URL",
            "postgres://nobody@127.0.0.1:1/dark?connect_timeout=1",
        )
        .env("ORCHESTRATOR_CONNECT_TIMEOUT", "1s")
        .services(&services);
    for choice in ["stop", "continue"] {
        let outcome = in_the_dark.run(&["revert", "base", "--on-failure", choice]);
        assert!([3, 5].contains(&outcome.code), "{}", outcome.stderr);
        assert_eq!(server.applied("db_base"), [1], "{choice}");
    }
}

#[test]
fn a_service_binary_knows_the_other_services_that_require_its_migrations() {
    let server = Server::start();
    Program::orchestrator(&server).expect(&["run", "ai", "--with-dependencies"], 0);
    let before = server.schema("soc_audits");

    let refused = binary("audit", &server).expect(&["revert", "--steps", "2"], 3);
    assert!(
        refused
            .stderr
            .contains("audit@1795338000000 is required by services/ai/migrations/"),
        "{}",
        refused.stderr
    );
    let way_out = "next: orchestrator revert audit --steps 2 --with-dependents";
    assert!(refused.stderr.contains(way_out), "{}", refused.stderr);
    assert_eq!(server.schema("soc_audits"), before);
}
