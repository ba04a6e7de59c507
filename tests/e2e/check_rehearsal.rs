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
fn what_both_find_is_reported_once() {
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
fn what_the_engine_refuses_is_held_against_its_file_and_all_else_is_rehearsed() {
    let server = Server::start();
    let services = Services::new();
    // Reverts that cannot be run: a transaction of their own, an open quotation, data for a client.
    for (version, revert) in [
        (1, "DROP TABLE t1;\nCOMMIT;\n"),
        (2, "DROP TABLE t2; -- and\nSELECT 'never closed;\n"),
        (3, "DROP TABLE t3;\nCOPY t1 FROM STDIN;\n"),
    ] {
        services.service("shop", &[]).reversible(
            version,
            "made",
            &format!("CREATE TABLE t{version} (id uuid PRIMARY KEY);\n"),
            revert,
        );
    }
    let shop = services.service("shop", &[]);
    shop.reversible(
        4,
        "wrong",
        "ALTER TABLE t1 ADD COLUMN a int, ADD COLUMN b int;\n",
        "ALTER TABLE t1 DROP COLUMN a;\n",
    );
    shop.reversible(5, "right", "CREATE TABLE t5 ();\n", "DROP TABLE t5;\n");
    let cart = services.service("cart", &[]);
    cart.reversible(
        1,
        "refused",
        "-- migration: allow engine-refuses \"not possible\"\nCREATE TABLE a (id uuid);\nCOMMIT;\n",
        "DROP TABLE a;\n",
    );
    cart.reversible(2, "behind", "CREATE TABLE b ();\n", "DROP TABLE b;\n");
    let program = orchestrator(&server, &services);
    let report = program
        .expect(&["check", "--output", "json"], 4)
        .json()
        .clone();
    let places = |findings: &Value| -> Vec<String> {
        let findings = findings.as_array().expect("a list").iter();
        let mut places: Vec<String> = findings
            .filter(|it| it["severity"] == "error" && it["allowed"].is_null())
            .map(|it| {
                let file = it["file"].as_str().expect("a file");
                let (at, _) = file.rmatch_indices('/').nth(2).expect("a path");
                let file = &file[at + 1..];
                let rule = it["rule"].as_str().expect("a rule");
                format!("{file}:{} {rule}", it["line"])
            })
            .collect();
        places.sort();
        places
    };
    let expected = [
        "cart/migrations/V1__refused.sql:3 engine-refuses",
        "shop/migrations/V4__wrong.sql:1 second-up-fails",
        "shop/reverts/V1__made.sql:2 engine-refuses",
        "shop/reverts/V2__made.sql:2 engine-refuses",
        "shop/reverts/V3__made.sql:2 engine-refuses",
        "shop/reverts/V4__wrong.sql:null revert-leaves-schema",
    ];
    assert_eq!(places(&report["findings"]), expected);
    assert_eq!(report["summary"]["rehearsed"], 5);
    assert_eq!(report["summary"]["proven"], 1);
    assert_eq!(
        report["left_out"],
        json!([{"service": "cart", "version": 2}])
    );

    let outcome = program.expect(&["rehearse", "--every", "--output", "json"], 4);
    let events = outcome.events();
    let rehearsed: Vec<&Value> = events
        .iter()
        .filter(|it| it["event"] == "migration_rehearsed")
        .collect();
    let findings: Vec<Value> = rehearsed
        .iter()
        .flat_map(|it| it["findings"].as_array().expect("a list").clone())
        .collect();
    assert_eq!(places(&findings.into()), expected);
    assert_eq!(rehearsed.len(), 6);
    let last = events.last().expect("an event");
    assert_ne!(last["next"], json!([]));
}

#[test]
fn a_file_that_does_not_run_is_reported_and_later_ones_are_left_out() {
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
    assert!(said.contains("skipped  shop 3 "), "{said}");
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
    assert!(said.contains("cannot rehearse shop"), "{said}");
}
