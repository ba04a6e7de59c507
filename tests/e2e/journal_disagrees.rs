//! History is never believed against the journal: what nobody can know is not built upon, and one command settles it.

use serde_json::Value;
use tests::{Program, Server, Services};

const LOCK: &str = "SELECT pg_advisory_lock(x'534F43206D696772'::bit(64)::int8)";
const DOUBLED: &str = "SELECT sum(amount) FROM balances";

/// Four services of one kind, the second migration of which must not run twice.
fn services() -> Services {
    let services = Services::new();
    for name in ["lost", "gone", "back", "alone"] {
        services
            .service(name, &[])
            .reversible(
                1,
                "balances",
                "CREATE TABLE IF NOT EXISTS balances (amount int);\nINSERT INTO balances VALUES (1);\n",
                "DROP TABLE balances;\n",
            )
            .reversible(
                2,
                "double",
                "UPDATE balances SET amount = amount * 2;\n",
                "UPDATE balances SET amount = amount / 2;\n",
            );
    }
    services
}

/// Every command that would go by the history refuses, and those that look say so.
#[track_caller]
fn assert_refused(orchestrator: &Program, name: &str, journal: &str) {
    for arguments in [
        &["run", name][..],
        &["run", name, "--atomic"],
        &["run", name, "--dry-run"],
        &["plan", name],
        &["revert", name],
        &["revert", name, "--all"],
    ] {
        orchestrator.expect(arguments, 3);
    }
    let status = orchestrator.expect(&["status", name, "--exit-code", "--output", "json"], 4);
    let found = &status.json()["services"][0]["disagreements"];
    assert_eq!(found[0]["journal"], journal, "{found}");
    let doctor = orchestrator.expect(&["doctor", name, "--output", "json"], 4);
    assert_eq!(doctor.json()["findings"][0]["kind"], "history_and_journal");
    orchestrator.expect(&["history", name, "--verify"], 4);
}

#[track_caller]
fn assert_clean(orchestrator: &Program, name: &str) {
    for arguments in [
        &["run", name][..],
        &["status", name, "--exit-code"],
        &["doctor", name],
        &["history", name, "--verify"],
    ] {
        orchestrator.expect(arguments, 0);
    }
}

#[test]
fn a_history_that_contradicts_the_journal_is_refused_until_the_user_decides() {
    let server = Server::with(&[("max_prepared_transactions", "10")]);
    let services = services();
    let orchestrator = Program::orchestrator(&server).services(&services);
    orchestrator.expect(&["all"], 0);

    // Rows or table are gone: the journal is right.
    for (name, sql) in [
        ("lost", "TRUNCATE refinery_schema_history"),
        ("gone", "DROP TABLE refinery_schema_history"),
    ] {
        let database = format!("db_{name}");
        let rows = "SELECT version, name, checksum FROM refinery_schema_history ORDER BY 1";
        let before = server.query(&database, rows);
        server.query(&database, sql);
        assert_refused(&orchestrator, name, "applied");
        orchestrator.expect(&["history", name, "--believe", "journal"], 0);
        assert_eq!(server.query(&database, rows), before);
        assert_clean(&orchestrator, name);
        assert_eq!(server.value(&database, DOUBLED), "2", "{name}");
        orchestrator.expect(&["revert", name], 0);
        assert_eq!(server.applied(&database), [1]);
    }

    // A row below the newest one is lost: its file is not out of order for that.
    server.query(
        "db_alone",
        "DELETE FROM refinery_schema_history WHERE version = 1",
    );
    assert_refused(&orchestrator, "alone", "applied");
    let doctor = orchestrator.expect(&["doctor", "alone", "--output", "json"], 4);
    assert_eq!(doctor.json()["findings"].as_array().map(Vec::len), Some(1));
    let status = orchestrator.expect(&["status", "alone"], 0);
    assert!(
        status.stdout.contains("next: orchestrator doctor alone"),
        "{}",
        status.stdout
    );
    orchestrator.expect(&["history", "alone", "--believe", "journal"], 0);
    assert_clean(&orchestrator, "alone");

    // Only the schema and the history are of another day: the history is right.
    server.query(
        "db_back",
        "UPDATE balances SET amount = 1; DELETE FROM refinery_schema_history WHERE version = 2",
    );
    assert_refused(&orchestrator, "back", "applied");
    orchestrator.expect(&["history", "back", "--believe", "history"], 0);
    assert_clean(&orchestrator, "back");
    assert_eq!(server.value("db_back", DOUBLED), "2");

    // A row that was reverted is there again.
    server.query(
        "db_back",
        "CREATE TABLE kept AS TABLE refinery_schema_history",
    );
    orchestrator.expect(&["revert", "back"], 0);
    server.query(
        "db_back",
        "INSERT INTO refinery_schema_history SELECT * FROM kept WHERE version = 2; DROP TABLE kept",
    );
    assert_refused(&orchestrator, "back", "reverted");
    orchestrator.expect(&["history", "back", "--believe", "journal"], 0);
    assert_clean(&orchestrator, "back");
}

#[test]
fn what_refinery_wrote_is_believed_and_what_the_journal_never_mentions_is_reported() {
    let server = Server::start();
    let services = services();
    let orchestrator = Program::orchestrator(&server).services(&services);
    orchestrator.expect(&["run", "alone", "lost"], 0);
    server.query("db_alone", "DROP SCHEMA orchestrator CASCADE");
    assert_clean(&orchestrator, "alone");

    // Somebody else runs refinery beside the engine.
    let third = "INSERT INTO refinery_schema_history \
        SELECT 3, 'third', to_char(now() AT TIME ZONE 'UTC' + interval '1 h', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), checksum \
        FROM refinery_schema_history WHERE version = 2";
    server.query("db_lost", third);
    services.service("lost", &[]).migration(
        3,
        "third",
        "UPDATE balances SET amount = amount * 2;\n",
    );
    server.query(
        "db_lost",
        &format!(
            "UPDATE refinery_schema_history SET checksum = '{}' WHERE version = 3",
            checksum(&orchestrator)
        ),
    );
    orchestrator.expect(&["run", "lost"], 0);
    let status = orchestrator.expect(&["status", "lost", "--exit-code", "--output", "json"], 4);
    let service: Value = status.json()["services"][0].clone();
    assert_eq!(
        service["disagreements"][0]["journal"], "nothing",
        "{service}"
    );
    orchestrator.expect(&["doctor", "lost"], 4);
    orchestrator.expect(&["history", "lost", "--verify"], 4);
    orchestrator.expect(&["history", "lost", "--believe", "history"], 0);
    assert_clean(&orchestrator, "lost");
}

/// That of the third file, as a run of it elsewhere records it.
fn checksum(orchestrator: &Program) -> String {
    let server = Server::start();
    let elsewhere = server.url("db_lost");
    orchestrator.expect(&["run", "lost", "--database-url", &elsewhere], 0);
    server.value(
        "db_lost",
        "SELECT checksum FROM refinery_schema_history WHERE version = 3",
    )
}

#[test]
fn the_journal_is_asked_under_the_lock() {
    let server = Server::start();
    let services = services();
    let orchestrator = Program::orchestrator(&server).services(&services);
    orchestrator.expect(&["run", "lost", "--to", "1"], 0);
    let holder = server.session("db_lost");
    holder.run(LOCK);
    let run = orchestrator.watch(&["run", "lost"]);
    run.wait_for_event("lock_waiting");
    holder.run("TRUNCATE refinery_schema_history; SELECT pg_advisory_unlock_all()");
    let outcome = run.end();
    assert_eq!(outcome.code, 3, "{}", outcome.stdout);
    let failed = &outcome.events_of("service_failed")[0];
    assert_eq!(failed["refusal"]["kind"], "journal_disagrees", "{failed}");
    assert_eq!(server.value("db_lost", DOUBLED), "1");
}
