//! What `adopt` refuses: exit 3, what is wrong, what to do next, and nothing written.

use serde_json::Value;
use tests::{Program, SERVICES, Server, legacy_facts};

fn orchestrator(server: &Server) -> Program {
    Program::orchestrator(server).scratch_beside()
}

/// Runs a command that refuses its one service; gives the refusal, and sees to it that nothing was written.
#[track_caller]
fn refusal(server: &Server, orchestrator: &Program, arguments: &[&str], kind: &str) -> Value {
    let everything = || -> Vec<String> {
        let databases = server.databases();
        databases
            .iter()
            .map(|name| server.everything(name))
            .collect()
    };
    let before = everything();
    let outcome = orchestrator.expect(&[arguments, &["--output", "json"]].concat(), 3);
    let failures = outcome.events_of("service_failed");
    assert_eq!(failures.len(), 1, "{}", outcome.stdout);
    let refusal = failures[0]["refusal"].clone();
    assert_eq!(refusal["kind"], kind, "{refusal}");
    assert!(everything() == before, "{refusal}: something was written");
    refusal
}

#[track_caller]
fn assert_message(refusal: &Value, field: &str, words: &str) {
    let text = refusal[field].as_str().unwrap_or_default();
    assert!(text.contains(words), "{words}: {refusal}");
}

#[test]
fn an_empty_database_and_a_missing_one_are_to_be_run() {
    let server = Server::start();
    let orchestrator = orchestrator(&server);
    server.create_database("soc_auth");
    server.create_database("soc_clients");
    server.query("soc_clients", "CREATE EXTENSION \"uuid-ossp\"");
    server.connected_database("policy");
    for (service, how) in [
        ("auth", "is empty"),
        ("client", "is empty"),
        ("policy", "is empty"),
        ("control", "does not exist"),
    ] {
        let refusal = refusal(&server, &orchestrator, &["adopt", service], "empty");
        assert_message(&refusal, "message", how);
        assert_message(&refusal, "next", &format!("orchestrator run {service}"));
    }
    assert_eq!(server.databases().len(), 3);
    orchestrator.expect(&["run", "auth", "client", "policy"], 0);
}

#[test]
fn every_service_without_a_legacy_migration_is_to_be_run() {
    let server = Server::start();
    let orchestrator = orchestrator(&server);
    for (service, _) in SERVICES.iter() {
        server.legacy_database(service, 0);
    }
    let outcome = orchestrator.expect(&["adopt", "all"], 3);
    for (service, _) in SERVICES.iter() {
        let next = format!("next: orchestrator run {service} ");
        assert!(outcome.stderr.contains(&next), "{next}: {}", outcome.stderr);
    }
}

#[test]
fn rows_that_are_no_migration_of_ours_are_named() {
    let server = Server::start();
    let orchestrator = orchestrator(&server);
    let database = server.legacy_database("evidence", 1);
    for (what, row) in [
        (
            "INSERT INTO migrations (\"timestamp\", name) VALUES (1753252000001, 'Secret1753252000001')",
            "public.migrations 2 Secret1753252000001",
        ),
        (
            "DELETE FROM migrations WHERE id = 2; UPDATE migrations SET name = 'FirstSchema1753252000000'",
            "public.migrations 1 FirstSchema1753252000000",
        ),
        (
            "UPDATE migrations SET name = 'InitialSchema1753252000000', \"timestamp\" = 1753252000009",
            "public.migrations 1 InitialSchema1753252000000",
        ),
    ] {
        server.query(&database, what);
        let refusal = refusal(
            &server,
            &orchestrator,
            &["adopt", "evidence"],
            "legacy_history",
        );
        assert_message(&refusal, "message", "rows that match no migration");
        assert_message(&refusal, "message", row);
    }
}

#[test]
fn a_gap_between_the_rows_is_named() {
    let server = Server::start();
    let orchestrator = orchestrator(&server);
    let database = server.legacy_database("client", 4);
    server.query(&database, "DELETE FROM migrations WHERE id IN (2, 3)");
    let refusal = refusal(
        &server,
        &orchestrator,
        &["adopt", "client"],
        "legacy_history",
    );
    assert_message(&refusal, "message", "it has a row for 1754267758986");
    assert_message(
        &refusal,
        "message",
        "1754267619669 add_missing_client_user_fields",
    );
    assert_message(
        &refusal,
        "message",
        "1754267675006 add_remaining_client_user_fields",
    );
}

#[test]
fn a_repeated_row_is_one_migration_and_both_are_reported() {
    let server = Server::start();
    let orchestrator = orchestrator(&server);
    let database = server.legacy_database("evidence", 1);
    server.insert_legacy_row(&database, "migrations", &legacy_facts("evidence")[0]);
    let adopted = orchestrator.expect(&["adopt", "evidence", "--output", "json"], 0);
    let event = &adopted.events_of("migration_adopted")[0];
    assert_eq!(
        event["stands_for"].as_array().map(Vec::len),
        Some(2),
        "{event}"
    );
    assert_eq!(server.applied(&database), [1_753_252_000_000]);
    orchestrator.expect(&["drift", "evidence"], 0);
}

#[test]
fn a_row_without_its_schema_is_no_proof() {
    let server = Server::start();
    let orchestrator = orchestrator(&server);
    let database = server.legacy_database("notification", 1);
    server.insert_legacy_row(&database, "migrations", &legacy_facts("notification")[1]);
    let refusal = refusal(&server, &orchestrator, &["adopt", "notification"], "drift");
    assert_message(&refusal, "message", "from the nearest one, 1706205000000");
}

#[test]
fn adopting_again_adopts_the_rest_and_leaves_what_has_a_history() {
    let server = Server::start();
    let orchestrator = orchestrator(&server);
    server.legacy_database("evidence", 1);
    orchestrator.expect(&["adopt", "evidence"], 0);
    orchestrator.expect(&["run", "auth"], 0);
    server.legacy_database("workflow", 1);
    let adopted = server.everything("soc_evidence");
    let migrated = server.everything("soc_auth");
    let services = ["adopt", "auth", "evidence", "workflow", "--output", "json"];
    let outcome = orchestrator.expect(&services, 0);
    let finished = outcome.events_of("service_finished");
    let outcomes: Vec<(&Value, &Value)> = finished
        .iter()
        .map(|event| (&event["service"], &event["outcome"]))
        .collect();
    assert_eq!(
        outcomes,
        [
            (&"auth".into(), &"unchanged".into()),
            (&"evidence".into(), &"unchanged".into()),
            (&"workflow".into(), &"done".into())
        ]
    );
    assert_eq!(server.everything("soc_evidence"), adopted);
    assert_eq!(server.everything("soc_auth"), migrated);
    // One more call of the same command, with a baseline, too.
    orchestrator.expect(&services, 0);
    let baseline = ["adopt", "evidence", "--baseline", "1753252000000"];
    orchestrator.expect(&baseline, 0);
    orchestrator.expect(&["revert", "evidence"], 0);
    orchestrator.expect(&["adopt", "workflow", "--undo"], 0);
    server.query("soc_workflows", "TRUNCATE migrations");
    orchestrator.expect(&["adopt", "workflow", "--baseline", "1706200000000"], 0);
    let other = ["adopt", "workflow", "--baseline", "1795345200000"];
    let refusal = refusal(&server, &orchestrator, &other, "history_present");
    assert_message(&refusal, "next", "orchestrator status workflow");
}

#[test]
fn a_database_with_a_half_done_migration_of_ours_is_refused() {
    let server = Server::start();
    let services = tests::Services::new();
    services.service("one", &[]).migration(
        1,
        "halves",
        "-- migration: no-transaction\nCREATE TABLE a (id int);\nSELECT 1 / 0;\n",
    );
    let orchestrator = orchestrator(&server).services(&services);
    orchestrator.expect(&["run", "one"], 1);
    let refusal = refusal(&server, &orchestrator, &["adopt", "one"], "history_present");
    assert_message(&refusal, "message", "half done");
    assert_message(&refusal, "next", "orchestrator run one");
}

#[test]
fn a_server_that_takes_no_writes_is_proven_on_and_refused() {
    let server = Server::start();
    let orchestrator = orchestrator(&server);
    let database = server.legacy_database("evidence", 1);
    server.query(
        "postgres",
        &format!("ALTER DATABASE {database} SET default_transaction_read_only = on"),
    );
    orchestrator.expect(&["adopt", "evidence", "--dry-run"], 0);
    let refusal = refusal(&server, &orchestrator, &["adopt", "evidence"], "read_only");
    assert_message(&refusal, "next", "primary");
}

#[test]
fn a_baseline_is_for_one_service_and_a_known_version_beyond_the_legacy_history() {
    let server = Server::start();
    let orchestrator = orchestrator(&server);
    let database = server.legacy_database("evidence", 1);
    for (arguments, words) in [
        (&["all", "--baseline", "1753252000000"][..], "one service"),
        (
            &["auth", "evidence", "--baseline", "1753252000000"],
            "one service",
        ),
        (
            &["evidence", "--baseline", "1753252000001"],
            "has no migration 1753252000001",
        ),
        (&["evidence", "--baseline", "newest"], "--baseline"),
        (
            &["evidence", "--baseline", "1753252000000", "--undo"],
            "--undo",
        ),
    ] {
        let outcome = orchestrator.expect(&[&["adopt"], arguments].concat(), 2);
        assert!(outcome.stderr.contains(words), "{}", outcome.stderr);
    }
    let baseline = ["adopt", "evidence", "--baseline", "1753252000000"];
    let present = refusal(&server, &orchestrator, &baseline, "legacy_history");
    assert_message(
        &present,
        "message",
        "the legacy history, which ends at 1753252000000",
    );

    server.query(&database, "TRUNCATE migrations");
    orchestrator.expect(&baseline, 0);
}

#[test]
fn of_several_services_the_others_are_adopted() {
    let server = Server::start();
    let orchestrator = orchestrator(&server);
    for service in ["evidence", "workflow", "reporting"] {
        server.legacy_database(service, 1);
    }
    server.query(
        "soc_workflows",
        "ALTER TABLE workflow_instances ADD COLUMN note text",
    );
    let outcome = orchestrator.expect(&["adopt", "evidence", "workflow", "reporting", "auth"], 3);
    let last = outcome.stdout.lines().last().unwrap_or_default();
    assert!(
        last.starts_with("2 services adopted (2 migrations), 2 services failed in "),
        "{}",
        outcome.stdout
    );
    assert!(
        outcome.stderr.contains("public.workflow_instances.note"),
        "{}",
        outcome.stderr
    );
    for (database, adopted) in [
        ("soc_evidence", 1),
        ("soc_workflows", 0),
        ("soc_reporting", 1),
    ] {
        let table = server.value(database, "SELECT to_regclass('refinery_schema_history')");
        assert_eq!(!table.is_empty(), adopted == 1, "{database}");
    }
    server.query(
        "soc_workflows",
        "ALTER TABLE workflow_instances DROP COLUMN note",
    );
    orchestrator.expect(&["adopt", "workflow"], 0);
}

#[test]
fn production_requires_a_confirmation() {
    let server = Server::start();
    let orchestrator = orchestrator(&server);
    let database = server.legacy_database("evidence", 1);
    let before = server.everything(&database);
    for arguments in [
        &["adopt", "evidence"][..],
        &["adopt", "evidence", "--output", "json"],
        &["adopt", "evidence", "--undo"],
    ] {
        let arguments = [arguments, &["--environment", "production"]].concat();
        let refused = orchestrator.expect(&arguments, 3);
        let text = refused.stdout + &refused.stderr;
        assert!(text.contains("--yes"), "{text}");
        assert_eq!(server.everything(&database), before);
    }
    let production = |arguments: &[&str]| {
        orchestrator.expect(&[arguments, &["--environment", "production"]].concat(), 0);
    };
    production(&["adopt", "evidence", "--dry-run"]);
    assert_eq!(server.everything(&database), before);
    production(&["adopt", "evidence", "--yes"]);
    production(&["drift", "evidence"]);
    production(&["adopt", "evidence", "--undo", "--yes"]);
    assert_eq!(server.everything(&database), before);
}

#[test]
fn an_unknown_service_exits_2_and_an_unreachable_server_5() {
    let server = Server::start();
    let unknown = orchestrator(&server).expect(&["adopt", "auht"], 2);
    assert!(unknown.stderr.contains("auth"), "{}", unknown.stderr);
    let nowhere = Program::named("orchestrator").scratch_beside().env(
        "ORCHESTRATOR_SERVER_URL",
        "postgresql://postgres@127.0.0.1:1",
    );
    nowhere.expect(&["adopt", "auth"], 5);
}

#[test]
fn a_run_before_the_takeover_is_refused_and_names_it() {
    let server = Server::start();
    let orchestrator = orchestrator(&server);
    server.legacy_database("policy", 2);
    let newest = legacy_facts("policy")[1].version.to_string();
    for arguments in [
        &["run", "policy"][..],
        &["all"],
        &["run", "policy", "--wait", "1s"],
    ] {
        let refusal = refusal(&server, &orchestrator, arguments, "legacy_history");
        assert_message(&refusal, "message", &newest);
        assert_message(&refusal, "next", "orchestrator adopt policy");
    }
    let plan = orchestrator.expect(&["plan", "policy"], 3);
    assert!(
        plan.stderr.contains("orchestrator adopt policy"),
        "{}",
        plan.stderr
    );
    let dry = orchestrator.expect(&["run", "policy", "--dry-run"], 3);
    assert!(
        dry.stderr.contains("orchestrator adopt policy"),
        "{}",
        dry.stderr
    );
    let own = Program::named("policy-migrations")
        .env("DATABASE_URL", &server.url("soc_policies"))
        .expect(&["run"], 3);
    assert!(
        own.stderr.contains("orchestrator adopt policy"),
        "{}",
        own.stderr
    );
    // Rows that are no migration of ours are somebody else's history.
    server.query(
        "soc_policies",
        "DROP SCHEMA public CASCADE; CREATE SCHEMA public",
    );
    server.create_legacy_table("soc_policies", "migrations");
    server.query(
        "soc_policies",
        "INSERT INTO migrations (\"timestamp\", name) VALUES (1, 'Other1')",
    );
    orchestrator.expect(&["run", "policy", "--with-dependencies"], 0);
}

/// Not being able to look is not absence: the migrations would be reported as pending, and run again.
#[test]
fn a_legacy_history_that_may_not_be_read_is_refused_until_it_may() {
    let server = Server::start();
    server.legacy_database("policy", 1);
    server.query("postgres", "CREATE ROLE looker LOGIN PASSWORD 'look'");
    let looker = Program::named("policy-migrations").env(
        "DATABASE_URL",
        &server.url_as("looker", "look", "soc_policies"),
    );
    let refused = looker.expect(&["status"], 3);
    let sql = refused.stdout.lines().find_map(|line| {
        let (sql, _) = line.strip_prefix("next: ")?.split_once(";   -- ")?;
        Some(sql)
    });
    server.query("soc_policies", sql.expect("the SQL that gives the right"));
    looker.expect(&["status"], 0);
}
