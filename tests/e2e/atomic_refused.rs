//! What cannot be one atomic release is refused before anything is done, with the way out; what only the server sees rolls all back.

use serde_json::Value;
use tests::{Outcome, Program, Server, Services};

const ATOMIC: [&str; 4] = ["all", "--atomic", "--output", "json"];

/// Two services, of which the second has this migration.
fn two(second: &str) -> Services {
    let services = Services::new();
    services
        .service("one", &[])
        .migration(1, "a", "CREATE TABLE a (id int)");
    services
        .service("two", &["one"])
        .migration(1, "b", "CREATE TABLE b (id int)")
        .migration(2, "second", second);
    services
}

/// Refused, in one line, and no database was even created.
#[track_caller]
fn assert_refused(server: &Server, outcome: &Outcome, words: &[&str]) {
    let events = outcome.events();
    let last = events.last().expect("an event");
    assert_eq!(last["verdict"], "refused", "{}", outcome.stdout);
    let next = last["next"][0].as_str().expect("what to do next");
    for words in words {
        assert!(next.contains(words), "{words}: {next}");
    }
    assert!(next.contains("--on-failure revert"), "{next}");
    assert_eq!(server.databases(), Vec::<String>::new());
}

fn refused(server: &Server, second: &str, words: &[&str]) {
    let services = two(second);
    let orchestrator = Program::orchestrator(server).services(&services);
    assert_refused(server, &orchestrator.expect(&ATOMIC, 3), words);
    // People are told the same.
    let outcome = orchestrator.expect(&["all", "--atomic"], 3);
    let first = outcome.stderr.lines().next().expect("a line");
    assert!(first.contains(words[0]), "{}", outcome.stderr);
    orchestrator.expect(&["all", "--atomic", "--dry-run"], 3);
}

#[test]
fn a_server_without_prepared_transactions() {
    let server = Server::with(&[("max_prepared_transactions", "0")]);
    refused(
        &server,
        "SELECT 1",
        &["max_prepared_transactions is 0", "to at least 2"],
    );
}

#[test]
fn a_server_with_too_few_of_them() {
    let server = Server::with(&[("max_prepared_transactions", "2")]);
    let session = server.session("postgres");
    session.run("BEGIN; SELECT txid_current(); PREPARE TRANSACTION 'theirs'");
    refused(&server, "SELECT 1", &["is 2 (1 in use)", "to at least 3"]);
    session.run("ROLLBACK PREPARED 'theirs'");
}

#[test]
fn a_migration_that_is_no_transaction() {
    refused(
        &Server::start(),
        "-- migration: no-transaction\nSELECT 1",
        &["V2__second.sql is no-transaction"],
    );
}

#[test]
fn temporary_objects_and_notifications() {
    let server = Server::start();
    for (sql, what) in [
        (
            "SELECT 1;\nCREATE TEMP TABLE t (id int)",
            "V2__second.sql:2: PostgreSQL cannot prepare a transaction with a temporary object",
        ),
        (
            "NOTIFY news",
            "V2__second.sql:1: PostgreSQL cannot prepare a transaction with NOTIFY",
        ),
        (
            "REFRESH MATERIALIZED VIEW CONCURRENTLY v",
            "V2__second.sql:1: PostgreSQL cannot prepare a transaction with REFRESH MATERIALIZED VIEW CONCURRENTLY",
        ),
        (
            "DO $$ BEGIN CREATE TEMP TABLE t (id int); END $$",
            "V2__second.sql:1: PostgreSQL cannot prepare a transaction with a temporary object",
        ),
    ] {
        refused(&server, sql, &[what]);
    }
}

#[test]
fn another_reaction_to_failures() {
    let (server, services) = (Server::start(), two("SELECT 1"));
    let outcome = Program::orchestrator(&server)
        .services(&services)
        .expect(&["all", "--atomic", "--on-failure", "continue"], 2);
    assert!(
        outcome
            .stderr
            .contains("cannot be combined with --on-failure"),
        "{}",
        outcome.stderr
    );
}

/// Nothing of the release is left, and `next` names the other way to undo a failed run.
fn rolled_back(second: &str) {
    let (server, services) = (Server::start(), two(second));
    let outcome = Program::orchestrator(&server)
        .services(&services)
        .expect(&ATOMIC, 1);
    for service in ["one", "two"] {
        assert_eq!(server.applied(&format!("db_{service}")), Vec::<i64>::new());
    }
    assert_eq!(
        server.query("postgres", "SELECT gid FROM pg_prepared_xacts"),
        Vec::<Vec<String>>::new()
    );
    let events = outcome.events();
    let next: Vec<&Value> = events.last().expect("an event")["next"]
        .as_array()
        .expect("a list")
        .iter()
        .collect();
    let next = format!("{next:?}");
    assert!(next.contains("--on-failure revert"), "{next}");
    assert!(!next.contains("--atomic"), "{next}");
}

#[test]
fn temporary_objects_in_a_function_are_seen_by_the_server() {
    rolled_back(
        "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'CREATE TEMP TABLE t (id int)'; SELECT f()",
    );
}

#[test]
fn a_new_value_of_an_enum_cannot_be_used_in_the_same_release() {
    let server = Server::start();
    let services = two("CREATE TYPE mood AS ENUM ('sad')");
    let orchestrator = Program::orchestrator(&server).services(&services);
    orchestrator.expect(&ATOMIC, 0);
    services
        .service("two", &["one"])
        .migration(3, "value", "ALTER TYPE mood ADD VALUE 'ok'")
        .migration(4, "use", "CREATE TABLE m (m mood DEFAULT 'ok')");
    let outcome = orchestrator.expect(&ATOMIC, 1);
    let failed = &outcome.events_of("migration_failed")[0];
    assert_eq!(failed["version"], 4);
    assert_eq!(failed["sqlstate"], "55P04");
    let next = failed["next"].as_str().expect("what to do next");
    assert!(
        next.contains("--on-failure revert") && !next.contains("--atomic"),
        "{next}"
    );
    assert_eq!(server.applied("db_two"), [1, 2]);
    // The advice works.
    orchestrator.expect(&["all"], 0);
}
