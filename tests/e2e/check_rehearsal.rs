//! `check` with its rehearsal: what the text shows and what a database shows, as one report in which nothing is said twice.

use serde_json::{Value, json};
use tests::{Outcome, Program, Server, Services};

fn orchestrator(server: &Server, services: &Services) -> Program {
    Program::orchestrator(server)
        .scratch_beside()
        .services(services)
}

fn shop(services: &Services) -> tests::ServiceFolder {
    let service = services.service("shop", &[]);
    service.reversible(
        1,
        "orders",
        "CREATE TABLE orders (id uuid PRIMARY KEY, customer text);\n",
        "DROP TABLE orders;\n",
    );
    service
}

/// The rules that are broken, of those that are named, with what allows them.
fn found(outcome: &Outcome, wanted: &[&str]) -> Vec<(String, Value)> {
    let findings = outcome.json()["findings"]
        .as_array()
        .expect("a list")
        .clone();
    findings
        .into_iter()
        .filter_map(|finding| {
            let rule = finding["rule"].as_str()?.to_owned();
            wanted
                .contains(&rule.as_str())
                .then(|| (rule, finding["allowed"].clone()))
        })
        .collect()
}

fn pair(rule: &str, allowed: Value) -> (String, Value) {
    (rule.to_owned(), allowed)
}

#[test]
fn what_only_a_database_tells_is_found_unless_it_is_not_asked() {
    let server = Server::start();
    let services = Services::new();
    shop(&services).reversible(
        2,
        "more",
        "ALTER TABLE orders ADD COLUMN buyer text, ADD COLUMN paid boolean;\n",
        "ALTER TABLE orders DROP COLUMN buyer;\n",
    );
    let program = orchestrator(&server, &services);
    let before = server.databases();
    let outcome = program.expect(&["check", "--output", "json"], 4);
    assert_eq!(
        found(&outcome, &["revert-leaves-schema"]),
        [pair("revert-leaves-schema", Value::Null)]
    );
    let report = outcome.json();
    assert_eq!(report["summary"]["rehearsed"], 2);
    assert_eq!(report["summary"]["proven"], 1);
    assert_eq!(report["rehearsed"][0]["reversible"], "proven");
    assert_eq!(report["rehearsed"][1]["reversible"], "disproven");
    let said = program.expect(&["check"], 4).stdout;
    assert!(
        said.contains(
            "2 migrations of 1 service checked, 2 rehearsed, 1 proven reversible: 2 errors\n"
        ),
        "{said}"
    );
    let outcome = program.expect(&["check", "--no-rehearsal", "--output", "json"], 0);
    assert_eq!(outcome.json()["summary"]["rehearsed"], 0);
    assert_eq!(server.databases(), before, "nothing is left");
}

#[test]
fn what_both_see_is_told_once() {
    let server = Server::start();
    let services = Services::new();
    shop(&services)
        .migration(2, "alone", "CREATE TABLE lines (id uuid PRIMARY KEY);\n")
        .reversible(
            3,
            "index",
            "CREATE INDEX CONCURRENTLY \"IDX_orders_customer\" ON orders (customer);\n",
            "DROP INDEX \"IDX_orders_customer\";\n",
        );
    let outcome = orchestrator(&server, &services).expect(&["check", "--output", "json"], 4);
    assert_eq!(
        found(
            &outcome,
            &["revert-missing", "needs-no-transaction", "up-fails"]
        ),
        [
            pair("revert-missing", Value::Null),
            pair("up-fails", Value::Null)
        ]
    );
}

#[test]
fn a_reason_for_what_the_text_shows_is_one_for_what_is_seen_of_it() {
    let server = Server::start();
    let services = Services::new();
    shop(&services).reversible(
        2,
        "index",
        "-- migration: allow needs-no-transaction \"an example\"\n\
         CREATE INDEX CONCURRENTLY \"IDX_orders_customer\" ON orders (customer);\n",
        "DROP INDEX \"IDX_orders_customer\";\n",
    );
    let program = orchestrator(&server, &services);
    let rules = ["needs-no-transaction", "up-fails", "unused-allow"];
    let outcome = program.run(&["check", "--output", "json"]);
    assert_eq!(
        found(&outcome, &rules),
        [pair("up-fails", json!("an example"))]
    );
    let outcome = program.run(&["check", "--no-rehearsal", "--output", "json"]);
    assert_eq!(
        found(&outcome, &rules),
        [pair("needs-no-transaction", json!("an example"))]
    );
}

#[test]
fn a_reason_for_what_only_a_rehearsal_tells_is_unused_only_where_one_was_made() {
    let server = Server::start();
    let services = Services::new();
    shop(&services).reversible(
        2,
        "more",
        "-- migration: allow revert-leaves-schema \"no reason\"\nALTER TABLE orders ADD COLUMN buyer text;\n",
        "ALTER TABLE orders DROP COLUMN buyer;\n",
    );
    let program = orchestrator(&server, &services);
    let outcome = program.run(&["check", "--no-rehearsal", "--output", "json"]);
    assert_eq!(found(&outcome, &["unused-allow"]), []);
    let outcome = program.run(&["check", "--output", "json"]);
    assert_eq!(
        found(&outcome, &["unused-allow"]),
        [pair("unused-allow", Value::Null)]
    );
}

#[test]
fn what_the_engine_refuses_is_a_finding_and_the_others_are_rehearsed() {
    let server = Server::start();
    let services = Services::new();
    shop(&services);
    services.service("cart", &[]).reversible(
        1,
        "a",
        "CREATE TABLE a (id uuid);\nCOMMIT;\n",
        "DROP TABLE a;\n",
    );
    let outcome = orchestrator(&server, &services).expect(&["check", "--output", "json"], 4);
    assert_eq!(
        found(&outcome, &["engine-refuses"]),
        [pair("engine-refuses", Value::Null)]
    );
    assert_eq!(outcome.json()["summary"]["rehearsed"], 1);
}

#[test]
fn what_cannot_be_run_is_told_and_what_is_behind_it_is_left_out() {
    let server = Server::start();
    let services = Services::new();
    shop(&services)
        .reversible(
            2,
            "wrong",
            "ALTER TABLE no_such_table ADD COLUMN a int;\n",
            "SELECT 1;\n",
        )
        .reversible(
            3,
            "behind",
            "CREATE TABLE lines (id uuid PRIMARY KEY);\n",
            "DROP TABLE lines;\n",
        );
    let program = orchestrator(&server, &services);
    let outcome = program.expect(&["check", "--output", "json"], 4);
    assert_eq!(
        found(&outcome, &["up-fails"]),
        [pair("up-fails", Value::Null)]
    );
    assert_eq!(
        outcome.json()["left_out"],
        json!([{"service": "shop", "version": 3}])
    );
    let said = program.expect(&["check", "-q"], 4).stdout;
    assert!(said.contains("left out  shop 3 is not rehearsed"), "{said}");
}

#[test]
fn without_a_server_the_text_is_held_to_the_rules_all_the_same() {
    let services = Services::new();
    shop(&services).reversible(
        2,
        "gone",
        "ALTER TABLE orders DROP COLUMN customer;\n",
        "ALTER TABLE orders ADD COLUMN customer text;\n",
    );
    let program = Program::named("orchestrator").services(&services).env(
        "ORCHESTRATOR_SCRATCH_SERVER",
        "postgresql://postgres@127.0.0.1:1/postgres",
    );
    let outcome = program.expect(&["check", "--output", "json"], 5);
    assert_eq!(
        found(&outcome, &["drop-column"]),
        [pair("drop-column", Value::Null)]
    );
    assert_eq!(outcome.json()["failed"][0]["service"], "shop");
    let said = program.expect(&["check"], 5).stdout;
    assert!(said.contains("error  shop is not rehearsed: "), "{said}");
}
