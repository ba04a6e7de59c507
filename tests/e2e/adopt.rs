//! `adopt` takes a legacy database over at exactly the version that it is at, whatever its legacy migrations left.

use std::fs;

use serde_json::{Value, json};
use tests::{Outcome, Program, Server, legacy_facts};

fn orchestrator(server: &Server) -> Program {
    Program::orchestrator(server).scratch_beside()
}

/// One test per service: after each of its legacy migrations it is taken over, and the rest is applied.
macro_rules! services {
    ($($service:ident),*) => {$(
        #[test]
        fn $service() {
            each_prefix(stringify!($service));
        }
    )*};
}

services!(
    auth,
    client,
    policy,
    control,
    evidence,
    workflow,
    reporting,
    audit,
    integration,
    notification,
    ai
);

fn each_prefix(service: &str) {
    let server = Server::start();
    let orchestrator = orchestrator(&server);
    let legacy = legacy_facts(service);
    for prefix in 1..=legacy.len() {
        let database = server.legacy_database(service, prefix);
        let legacy_table = legacy_tables(&server, &database);
        let before = server.contents(&database);
        let versions: Vec<i64> = legacy[..prefix].iter().map(|step| step.version).collect();

        let adopted = orchestrator.expect(&["adopt", service, "--output", "json"], 0);
        assert_proven(&adopted, versions[prefix - 1], prefix);
        assert_eq!(server.applied(&database), versions);
        assert_eq!(server.contents(&database), before);
        assert_eq!(legacy_tables(&server, &database), legacy_table);
        assert_no_drift(&orchestrator, service);

        // After all of them: together with the other services, below.
        if prefix < legacy.len() {
            run_the_rest(&orchestrator, service);
            assert_eq!(legacy_tables(&server, &database), legacy_table);
        }
        server.query("postgres", &format!("DROP DATABASE {database}"));
    }
}

#[track_caller]
fn run_the_rest(orchestrator: &Program, service: &str) {
    orchestrator.expect(&["run", service, "--with-dependencies"], 0);
    let status = status(orchestrator, service);
    assert_eq!(status["pending"], 0, "{status}");
    assert_no_drift(orchestrator, service);
}

/// The proof names the version and the rows, and each adopted migration names its own.
#[track_caller]
fn assert_proven(outcome: &Outcome, version: i64, rows: usize) {
    let proofs = outcome.events_of("adoption_proven");
    assert_eq!(proofs.len(), 1, "{}", outcome.stdout);
    assert_eq!(proofs[0]["version"], version, "{}", proofs[0]);
    assert_eq!(
        proofs[0]["legacy_rows"].as_array().map(Vec::len),
        Some(rows),
        "{}",
        proofs[0]
    );
}

#[track_caller]
fn assert_no_drift(orchestrator: &Program, service: &str) {
    let drift = orchestrator.expect(&["drift", service], 0);
    assert!(drift.stdout.contains("no drift"), "{}", drift.stdout);
}

#[track_caller]
fn status(orchestrator: &Program, service: &str) -> Value {
    orchestrator
        .expect(&["status", service, "--output", "json"], 0)
        .json()["services"][0]
        .clone()
}

/// The former tool's tables: definition and rows, to the letter.
fn legacy_tables(server: &Server, database: &str) -> String {
    server
        .contents(database)
        .split(";\n")
        .filter(|statement| statement.contains("migrations"))
        .collect()
}

/// The newest migration up to which a synchronised database is adopted.
const SYNCHRONISED: [(&str, i64); 2] = [("auth", 1_795_350_600_000), ("client", 1_795_363_200_000)];

#[test]
fn a_synchronised_database_is_adopted_with_the_migrations_that_bridge_to_it() {
    let server = Server::start();
    let orchestrator = orchestrator(&server);
    for (service, version) in SYNCHRONISED {
        let database = server.synchronised_database(service);
        let before = server.contents(&database);

        let adopted = orchestrator.expect(&["adopt", service, "--output", "json"], 0);
        let legacy = legacy_facts(service).len();
        assert_proven(&adopted, version, legacy);
        assert_eq!(server.applied(&database).last(), Some(&version));
        let stands_for: Vec<usize> = adopted
            .events_of("migration_adopted")
            .iter()
            .map(|event| event["stands_for"].as_array().map_or(0, Vec::len))
            .collect();
        let expected: Vec<usize> = (0..stands_for.len())
            .map(|n| usize::from(n < legacy))
            .collect();
        assert_eq!(
            stands_for, expected,
            "only what TypeORM ran has a row of its own"
        );
        assert_eq!(server.contents(&database), before);

        let standing = status(&orchestrator, service);
        assert!(
            standing["pending"].as_i64() > Some(0),
            "the repairs: {standing}"
        );
        assert_no_drift(&orchestrator, service);
        run_the_rest(&orchestrator, service);
    }
}

#[test]
fn a_platform_is_adopted_and_migrated_at_once() {
    let server = Server::start();
    let orchestrator = orchestrator(&server);
    let mut number = 0;
    for (service, _) in tests::SERVICES.iter().copied() {
        let legacy = legacy_facts(service).len();
        number += legacy;
        server.legacy_database(service, legacy);
    }
    let adopted = orchestrator.expect(&["adopt", "all"], 0);
    let last = adopted.stdout.lines().last().expect("a summary");
    assert!(
        last.starts_with(&format!("11 services adopted ({number} migrations) in ")),
        "{last}"
    );
    orchestrator.expect(&["all"], 0);
    let drift = orchestrator.expect(&["drift"], 0);
    assert_eq!(
        drift.stdout.matches("no drift").count(),
        11,
        "{}",
        drift.stdout
    );
}

#[test]
fn workflow_keeps_its_rows_in_the_table_of_its_application_or_of_its_command_line_or_in_both() {
    let server = Server::start();
    let orchestrator = orchestrator(&server);
    for tables in [
        &["migrations"][..],
        &["workflow_migrations"],
        &["migrations", "workflow_migrations"],
    ] {
        let database = server.legacy_database("workflow", 1);
        let step = &legacy_facts("workflow")[0];
        if tables.contains(&"workflow_migrations") {
            server.create_legacy_table(&database, "workflow_migrations");
            server.insert_legacy_row(&database, "workflow_migrations", step);
        }
        if !tables.contains(&"migrations") {
            server.query(&database, "DROP TABLE migrations");
        }
        let before = server.contents(&database);
        let adopted = orchestrator.expect(&["adopt", "workflow", "--output", "json"], 0);
        assert_proven(&adopted, step.version, tables.len());
        let mut stands_for: Vec<String> = tables
            .iter()
            .map(|table| format!("public.{table} 1 {}", step.class))
            .collect();
        let event = &adopted.events_of("migration_adopted")[0];
        let mut found: Vec<String> =
            serde_json::from_value(event["stands_for"].clone()).expect("a list");
        stands_for.sort();
        found.sort();
        assert_eq!(found, stands_for);
        assert_no_drift(&orchestrator, "workflow");
        assert_eq!(server.contents(&database), before);
        server.query("postgres", &format!("DROP DATABASE {database}"));
    }
}

#[test]
fn the_legacy_table_is_where_it_is_configured() {
    let server = Server::start();
    for (table, configured) in [
        ("typeorm_history", "typeorm_history"),
        ("old.\"History of it\"", "old.History of it"),
    ] {
        let orchestrator = orchestrator(&server);
        let database = server.legacy_database("evidence", 1);
        let step = &legacy_facts("evidence")[0];
        server.query(&database, "DROP TABLE migrations; CREATE SCHEMA old");
        server.create_legacy_table(&database, table);
        server.insert_legacy_row(&database, table, step);
        if !table.starts_with("old") {
            server.query(&database, "DROP SCHEMA old");
        }
        // Without the setting nobody knows what ran.
        orchestrator.expect(&["adopt", "evidence"], 3);
        let config = orchestrator.folder().join("config");
        fs::create_dir_all(&config).expect("a folder");
        fs::write(
            config.join("default.toml"),
            format!("[services.evidence]\nlegacy_table = {configured:?}\n"),
        )
        .expect("a file");
        let adopted = orchestrator.run(&["adopt", "evidence", "--output", "json"]);
        assert_eq!(adopted.code, 0, "{}\n{}", adopted.stdout, adopted.stderr);
        assert_proven(&adopted, step.version, 1);
        assert_no_drift(&orchestrator, "evidence");
        server.query("postgres", &format!("DROP DATABASE {database}"));
    }
}

#[test]
fn a_dry_run_proves_and_writes_nothing() {
    let server = Server::start();
    let orchestrator = orchestrator(&server);
    let database = server.legacy_database("control", 2);
    let before = server.everything(&database);
    let dry = orchestrator.expect(&["adopt", "control", "--dry-run"], 0);
    assert!(
        dry.stdout.contains("would adopt 2 migrations")
            && dry.stdout.contains("nothing was written"),
        "{}",
        dry.stdout
    );
    let events = orchestrator.expect(&["adopt", "control", "--dry-run", "--output", "json"], 0);
    assert_proven(&events, 1_753_251_001_000, 2);
    assert_eq!(events.events_of("migration_adopted"), Vec::<Value>::new());
    assert_eq!(server.everything(&database), before);
    assert_eq!(status(&orchestrator, "control")["applied"], 0);
    assert_eq!(server.databases(), ["soc_controls"]);
}

#[test]
fn the_journal_records_what_was_adopted_and_its_proof() {
    let server = Server::start();
    let orchestrator = orchestrator(&server);
    server.legacy_database("policy", 2);
    orchestrator.expect(&["adopt", "policy"], 0);
    let history = orchestrator
        .expect(&["history", "policy", "--output", "json"], 0)
        .json();
    let mut attempts: Vec<Value> = history["attempts"].as_array().expect("attempts").clone();
    attempts.sort_by_key(|attempt| attempt["version"].as_i64());
    let reported: Vec<Value> = attempts
        .iter()
        .map(|attempt| json!([attempt["version"], attempt["outcome"], attempt["message"]]))
        .collect();
    assert_eq!(
        json!(reported),
        json!([
            [
                1_753_250_000_000_i64,
                "adopted",
                "legacy row public.migrations 1 InitialSchema1753250000000"
            ],
            [
                1_753_260_000_000_i64,
                "adopted",
                "legacy row public.migrations 2 AddComplianceMetadata1753260000000"
            ],
        ])
    );
    let people = orchestrator.expect(&["history", "policy"], 0);
    assert_eq!(
        people.stdout.matches("adopted").count(),
        2,
        "{}",
        people.stdout
    );
}

#[test]
fn an_adopted_migration_is_reverted_like_any_other() {
    let server = Server::start();
    let orchestrator = orchestrator(&server);
    let database = server.legacy_database("policy", 3);
    orchestrator.expect(&["adopt", "policy"], 0);
    orchestrator.expect(&["revert", "policy", "--steps", "2"], 0);
    assert_eq!(server.applied(&database), [1_753_250_000_000]);
    assert_no_drift(&orchestrator, "policy");
    run_the_rest(&orchestrator, "policy");
    orchestrator.expect(&["revert", "policy", "--all"], 0);
    assert_eq!(server.applied(&database), Vec::<i64>::new());
    assert_eq!(
        server.value(&database, "SELECT count(*) FROM migrations"),
        "3"
    );
}

#[test]
fn a_baseline_adopts_a_database_without_any_legacy_history() {
    let server = Server::start();
    let orchestrator = orchestrator(&server);
    let database = server.legacy_database("notification", 1);
    server.query(&database, "DROP TABLE migrations");
    let before = server.everything(&database);

    let unvouched = orchestrator.expect(&["adopt", "notification"], 3);
    assert!(
        unvouched.stderr.contains("--baseline 1706204000000"),
        "{}",
        unvouched.stderr
    );
    let wrong = orchestrator.expect(&["adopt", "notification", "--baseline", "1706205000000"], 3);
    assert!(wrong.stderr.contains("it differs from"), "{}", wrong.stderr);
    assert_eq!(server.everything(&database), before);

    let adopted = orchestrator.expect(
        &[
            "adopt",
            "notification",
            "--baseline",
            "1706204000000",
            "--output",
            "json",
        ],
        0,
    );
    assert_proven(&adopted, 1_706_204_000_000, 0);
    let message = server.value(&database, "SELECT message FROM orchestrator.journal");
    assert_eq!(message, "no legacy row; the schema matches 1706204000000");
    run_the_rest(&orchestrator, "notification");
}
