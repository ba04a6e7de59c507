//! `doctor` finds what is really there, says what resolves it, and does what is safe.

use std::time::Duration;

use insta::assert_snapshot;
use nix::sys::signal::Signal;
use serde_json::Value;
use tests::{Program, Server, Services, wait_until};

const ADVISORY_LOCK: &str = "SELECT pg_advisory_lock(x'534F43206D696772'::bit(64)::int8)";

/// An exit code that does not matter, while something is waited for.
const ANY: i32 = -1;

/// One service, migrated.
fn migrated() -> (Server, Services, Program) {
    migrated_on(Server::start())
}

fn migrated_on(server: Server) -> (Server, Services, Program) {
    let services = Services::new();
    services.service("one", &[]).migration(
        1,
        "tables",
        "CREATE TABLE t (id int);\nINSERT INTO t VALUES (1), (1);\nCREATE INDEX t_id ON t (id);\n",
    );
    let orchestrator = Program::orchestrator(&server)
        .services(&services)
        .scratch_beside();
    orchestrator.expect(&["all"], 0);
    (server, services, orchestrator)
}

/// What is found, with further arguments and an exit code.
#[track_caller]
fn found(orchestrator: &Program, arguments: &[&str], code: i32) -> Vec<Value> {
    let document = document(orchestrator, arguments, code);
    document["findings"].as_array().expect("a list").clone()
}

#[track_caller]
fn document(orchestrator: &Program, arguments: &[&str], code: i32) -> Value {
    let outcome = orchestrator.run(&[&["doctor", "--output", "json"], arguments].concat());
    assert!(code == ANY || outcome.code == code, "{outcome:#?}");
    outcome.json()
}

/// The one finding.
#[track_caller]
fn only(orchestrator: &Program, arguments: &[&str], code: i32) -> Value {
    let mut found = found(orchestrator, arguments, code);
    assert_eq!(found.len(), 1, "{found:#?}");
    found.remove(0)
}

#[track_caller]
fn assert_is(finding: &Value, kind: &str, severity: &str, next: &str) {
    assert_eq!(finding["kind"], kind, "{finding:#}");
    assert_eq!(finding["severity"], severity, "{finding:#}");
    let found = finding["next"].as_str().expect("words");
    assert!(found.contains(next), "{found} lacks {next}");
}

/// Makes an INVALID index, as a unique one over doubled rows is.
fn break_index(server: &Server, name: &str) {
    let sql = format!("CREATE UNIQUE INDEX CONCURRENTLY {name} ON t (id)");
    server.try_query("db_one", &sql).expect_err("doubled rows");
}

fn indexes(server: &Server) -> String {
    server.value(
        "db_one",
        "SELECT string_agg(indexrelid::regclass::text, ' ' ORDER BY 1) FROM pg_index WHERE indrelid = 't'::regclass",
    )
}

#[test]
fn a_healthy_fleet_has_nothing_and_is_left_alone() {
    let server = Server::start();
    let orchestrator = Program::orchestrator(&server);
    orchestrator.expect(&["all"], 0);
    let before = server.everything("soc_policies");
    let outcome = orchestrator.expect(&["doctor"], 0);
    assert_eq!(outcome.stdout, "11 databases checked: no findings\n");
    let document = document(&orchestrator, &["--fix"], 0);
    assert_eq!(document["findings"], Value::Array(Vec::new()));
    assert_eq!(server.everything("soc_policies"), before);
}

#[test]
fn a_database_that_is_not_there_yet_is_a_note_and_stays_absent() {
    let server = Server::start();
    let services = Services::new();
    services
        .service("one", &[])
        .migration(1, "a", "SELECT 1;\n");
    let orchestrator = Program::orchestrator(&server).services(&services);
    let finding = only(&orchestrator, &[], 0);
    assert_is(&finding, "database_absent", "note", "orchestrator run one");
    assert_eq!(server.databases(), Vec::<String>::new());
}

#[test]
fn a_session_idle_in_a_transaction_is_named_and_ended_only_with_consent() {
    let (server, _services, orchestrator) = migrated();
    let idle = server.session("db_one");
    idle.run("BEGIN; LOCK TABLE t IN ACCESS SHARE MODE");
    let pid = idle.pid();
    let young = only(&orchestrator, &[], 0);
    assert_is(&young, "idle_in_transaction", "note", "no action yet");

    let now = ["--idle-after", "0s"];
    let finding = only(&orchestrator, &now, 4);
    assert_is(
        &finding,
        "idle_in_transaction",
        "warning",
        "pg_terminate_backend",
    );
    let what = finding["what"].as_str().expect("words");
    assert!(
        what.contains(&format!("pid {pid} ")) && !what.contains("pg_backend_pid"),
        "{what}"
    );
    assert_eq!(finding["fix"], "asks");

    // Nobody is there to answer.
    found(&orchestrator, &[&now[..], &["--fix"]].concat(), 4);
    assert_eq!(idle.pid(), pid);
    let fixed = document(&orchestrator, &[&now[..], &["--fix", "--yes"]].concat(), 0);
    assert_eq!(
        fixed["fixed"][0]["kind"], "idle_in_transaction",
        "{fixed:#}"
    );
    let sessions = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}");
    assert_eq!(server.value("postgres", &sessions), "0");
}

#[test]
fn the_sql_of_a_finding_ends_the_session_that_it_speaks_of() {
    let (server, _services, orchestrator) = migrated();
    let idle = server.session("db_one");
    idle.run("BEGIN; SELECT 1");
    let finding = only(&orchestrator, &["--idle-after", "0s"], 4);
    server.query("db_one", finding["next"].as_str().expect("SQL"));
    found(&orchestrator, &["--idle-after", "0s"], 0);
}

#[test]
fn who_waits_is_named_with_the_one_it_waits_for() {
    let (server, _services, orchestrator) = migrated();
    let blocker = server.session("db_one");
    blocker.run("BEGIN; LOCK TABLE t");
    let pid = blocker.pid();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| server.query("db_one", "SELECT count(*) FROM t"));
        wait_until("somebody has waited for a second", || {
            found(&orchestrator, &[], ANY).len() == 2
        });
        let all = found(&orchestrator, &[], 4);
        blocker.run("ROLLBACK");
        assert_eq!(waiting.join().expect("the query ends")[0][0], "2");
        let blocked = all
            .iter()
            .find(|it| it["kind"] == "blocked")
            .expect("a finding");
        assert_is(
            blocked,
            "blocked",
            "warning",
            &format!("pg_terminate_backend({pid})"),
        );
        let what = blocked["what"].as_str().expect("words");
        assert!(
            what.contains(&format!("by pid {pid}: SELECT")) && !what.contains("count(*)"),
            "{what}"
        );
    });
    found(&orchestrator, &[], 0);
}

#[test]
fn an_invalid_index_of_no_history_is_dropped() {
    let (server, _services, orchestrator) = migrated();
    break_index(&server, "t_once");
    let finding = only(&orchestrator, &[], 4);
    assert_is(
        &finding,
        "invalid_index",
        "warning",
        "DROP INDEX CONCURRENTLY public.t_once",
    );
    assert_eq!(finding["fix"], "safe");
    assert_eq!(
        indexes(&server),
        "t_id t_once",
        "without --fix nothing is done"
    );
    let fixed = orchestrator.expect(&["doctor", "--fix"], 0);
    assert!(
        fixed.stdout.contains("no findings, 1 fixed"),
        "{}",
        fixed.stdout
    );
    assert_eq!(indexes(&server), "t_id");
}

#[test]
fn a_repair_waits_for_a_lock_no_longer_than_its_limit_and_ends_on_a_signal() {
    let (server, _services, orchestrator) = migrated();
    break_index(&server, "t_once");
    let holder = server.session("db_one");
    holder.run("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE");
    let impatient = orchestrator.env("ORCHESTRATOR_CONCURRENTLY_TIMEOUT", "2s");
    let fixed = impatient.watch(&["doctor", "--fix"]);
    let fixed = fixed.end_within(Duration::from_secs(20));
    assert!([4, 5].contains(&fixed.code), "{fixed:?}");
    let held = format!("held by pid {} (", holder.pid());
    let said = format!("{}{}", fixed.stdout, fixed.stderr);
    assert!(said.contains(&held), "{said}");

    let patient = impatient.env("ORCHESTRATOR_CONCURRENTLY_TIMEOUT", "30s");
    let fixing = patient.watch(&["doctor", "--fix"]);
    wait_until("the repair waits", || {
        server.value(
            "postgres",
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'DROP INDEX%'",
        ) == "1"
    });
    fixing.signal(Signal::SIGINT);
    let ended = fixing.end_within(Duration::from_secs(10));
    assert_ne!(ended.code, 0, "{ended:?}");
    assert_eq!(indexes(&server), "t_id t_once");
    holder.run("ROLLBACK");
    patient.expect(&["doctor", "--fix"], 0);
    assert_eq!(indexes(&server), "t_id");
}

#[test]
fn the_copy_that_an_interrupted_reindex_left_is_dropped() {
    let (server, _services, orchestrator) = migrated();
    let reader = server.session("db_one");
    reader.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM t");
    let impatient = server.session("db_one");
    impatient.run("SET statement_timeout = '300ms'");
    impatient.fails("REINDEX INDEX CONCURRENTLY t_id");
    reader.run("ROLLBACK");
    let finding = only(&orchestrator, &[], 4);
    assert_is(
        &finding,
        "invalid_index",
        "warning",
        "DROP INDEX CONCURRENTLY public.t_id_ccnew",
    );
    found(&orchestrator, &["--fix"], 0);
    assert_eq!(indexes(&server), "t_id");
}

#[test]
fn an_index_that_an_applied_migration_made_is_never_dropped() {
    let (server, _services, orchestrator) = migrated();
    server.query(
        "db_one",
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 't_id'::regclass",
    );
    let finding = only(&orchestrator, &["--fix"], 4);
    assert_is(
        &finding,
        "invalid_index",
        "error",
        "REINDEX INDEX CONCURRENTLY public.t_id",
    );
    found(&orchestrator, &["--fix", "--yes"], 0);
    assert_eq!(indexes(&server), "t_id");
}

#[test]
fn services_that_share_a_database_find_what_is_in_it_once_and_keep_each_others_indexes() {
    let server = Server::start();
    let services = Services::new();
    for (name, sql) in [
        ("one", "CREATE TABLE a (id int);\n"),
        (
            "two",
            "CREATE TABLE t (id int);\nINSERT INTO t VALUES (1), (1);\nCREATE INDEX t_id ON t (id);\n",
        ),
    ] {
        let lines = format!("database = \"db_one\"\nhistory_table = \"history_{name}\"\n");
        services
            .service_with(name, &[], &lines)
            .migration(1, "tables", sql);
    }
    let orchestrator = Program::orchestrator(&server).services(&services);
    orchestrator.expect(&["all"], 0);
    break_index(&server, "t_once");
    server.query(
        "db_one",
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 't_id'::regclass",
    );
    assert_eq!(found(&orchestrator, &[], 4).len(), 2);
    // Of the other service nothing is asked for.
    found(&orchestrator, &["one", "--fix"], 4);
    assert_eq!(indexes(&server), "t_id");
}

#[test]
fn an_index_that_another_session_builds_is_left_alone_even_without_the_right_to_see_the_session() {
    let server = Server::start();
    server.query("postgres", "CREATE ROLE limited LOGIN PASSWORD 'limited'");
    server.query("postgres", "CREATE DATABASE db_one OWNER limited");
    let services = Services::new();
    services
        .service("one", &[])
        .migration(1, "table", "CREATE TABLE t (id int);\n");
    let limited = Program::named("orchestrator").services(&services).env(
        "ORCHESTRATOR_SERVER_URL",
        &server.url_as("limited", "limited", "postgres"),
    );
    limited.expect(&["all"], 0);
    let reader = server.session("db_one");
    reader.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM t");
    std::thread::scope(|scope| {
        let builder =
            scope.spawn(|| server.query("db_one", "CREATE INDEX CONCURRENTLY t_busy ON t (id)"));
        wait_until("the index is there, and not valid", || {
            server.value(
                "db_one",
                "SELECT count(*) FROM pg_index WHERE NOT indisvalid",
            ) == "1"
        });
        let all = found(&limited, &["--fix", "--yes"], 0);
        let notes: Vec<_> = all
            .iter()
            .map(|it| it["kind"].as_str().expect("a kind"))
            .collect();
        assert_eq!(notes, ["hidden_sessions", "invalid_index"], "{all:#?}");
        reader.run("ROLLBACK");
        builder.join().expect("it is built");
    });
    assert_eq!(indexes(&server), "t_busy");
}

#[test]
fn nothing_is_repaired_while_a_run_holds_the_lock() {
    let (server, _services, orchestrator) = migrated();
    break_index(&server, "t_once");
    let run = server.session("db_one");
    run.run(ADVISORY_LOCK);
    let all = found(&orchestrator, &["--fix", "--yes"], 0);
    let kinds: Vec<_> = all
        .iter()
        .map(|it| it["kind"].as_str().expect("a kind"))
        .collect();
    assert_eq!(kinds, ["advisory_lock", "invalid_index"]);
    assert!(all.iter().all(|it| it["severity"] == "note"), "{all:#?}");
    assert_eq!(indexes(&server), "t_id t_once");
    drop(run);
}

#[test]
fn a_holder_of_the_lock_that_does_nothing_is_a_finding() {
    let (server, _services, orchestrator) = migrated();
    let holder = server.session("db_one");
    holder.run(ADVISORY_LOCK);
    let now = ["--idle-after", "0s"];
    let finding = only(&orchestrator, &now, 4);
    assert_is(&finding, "advisory_lock", "warning", "pg_terminate_backend");
    assert!(
        finding["what"]
            .as_str()
            .is_some_and(|what| what.contains("has been idle for"))
    );
    found(&orchestrator, &[&now[..], &["--fix", "--yes"]].concat(), 0);
}

#[test]
fn a_constraint_that_is_not_valid_is_validated_with_consent() {
    let (server, _services, orchestrator) = migrated();
    server.query(
        "db_one",
        "ALTER TABLE t ADD CONSTRAINT positive CHECK (id > 0) NOT VALID",
    );
    let sql = "ALTER TABLE public.t VALIDATE CONSTRAINT positive";
    assert_is(
        &only(&orchestrator, &["--fix"], 4),
        "not_valid",
        "warning",
        sql,
    );
    found(&orchestrator, &["--fix", "--yes"], 0);

    server.query(
        "db_one",
        "ALTER TABLE t ADD CONSTRAINT large CHECK (id > 5) NOT VALID",
    );
    let failed = orchestrator.expect(&["doctor", "--fix", "--yes"], 4);
    assert!(
        failed.stderr.contains("is violated by some row"),
        "{}",
        failed.stderr
    );
}

#[test]
fn an_interrupted_step_is_finished_by_running_again() {
    let (server, services, orchestrator) = migrated();
    services.service("one", &[]).migration(
        2,
        "halves",
        "-- migration: no-transaction\nSELECT 1;\nCREATE UNIQUE INDEX CONCURRENTLY t_once ON t (id);\n",
    );
    orchestrator.expect(&["all"], 1);
    let all = found(&orchestrator, &["--fix", "--yes"], 4);
    assert_is(
        &all[0],
        "interrupted_step",
        "error",
        "orchestrator run one --services-dir",
    );
    server.query("db_one", "DELETE FROM t");
    orchestrator.expect(&["run", "one"], 0);
    found(&orchestrator, &[], 0);
}

#[test]
fn a_prepared_transaction_is_left_to_those_who_know() {
    let (server, _services, orchestrator) =
        migrated_on(Server::with(&[("max_prepared_transactions", "5")]));
    let session = server.session("db_one");
    session.run("BEGIN; LOCK TABLE t; PREPARE TRANSACTION 'it''s doubtful'");
    let finding = only(&orchestrator, &["--fix", "--yes"], 4);
    assert_is(
        &finding,
        "prepared_transaction",
        "warning",
        "ROLLBACK PREPARED 'it''s doubtful'",
    );
    session.run("ROLLBACK PREPARED 'it''s doubtful'");
    found(&orchestrator, &[], 0);
}

#[test]
fn a_row_that_the_journal_does_not_know_is_a_finding() {
    let (server, services, orchestrator) = migrated();
    services
        .service("one", &[])
        .migration(2, "more", "SELECT 1;\n");
    server.query(
        "db_one",
        "INSERT INTO refinery_schema_history SELECT 2, 'more', to_char(now() AT TIME ZONE 'UTC' + interval '1 h', \
         'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), '1'",
    );
    // Whoever wrote it did not know the checksum either.
    let all = found(&orchestrator, &[], 4);
    let mut of_journal = all.iter().filter(|finding| finding["kind"] != "divergent");
    let finding = of_journal.next().expect("a finding");
    assert!(of_journal.next().is_none(), "{all:#?}");
    assert_is(
        finding,
        "history_and_journal",
        "warning",
        "--believe journal",
    );
}

#[test]
fn files_that_do_not_fit_the_history_and_a_database_that_takes_no_writes_are_findings() {
    let (server, services, orchestrator) = migrated();
    services
        .service("one", &[])
        .migration(3, "third", "CREATE TABLE u (id int);\n")
        .migration(4, "fourth", "CREATE TABLE v (id int);\n");
    orchestrator.expect(&["all"], 0);
    services
        .service("one", &[])
        .migration(2, "late", "SELECT 1;\n")
        .migration(3, "third", "CREATE TABLE u (id bigint);\n");
    let folder = services.path().join("one/migrations");
    let fourth = std::fs::read_dir(&folder)
        .expect("a folder")
        .map(|entry| entry.expect("a file").path())
        .find(|path| path.to_string_lossy().contains("fourth"))
        .expect("the file");
    std::fs::remove_file(fourth).expect("removed");
    let kinds = |found: &[Value]| -> Vec<String> {
        let kinds = found.iter().map(|finding| finding["kind"].as_str());
        kinds.map(|kind| kind.expect("a kind").to_owned()).collect()
    };
    let files = ["divergent", "missing", "out_of_order"];
    let all = found(&orchestrator, &[], 4);
    assert_eq!(kinds(&all), files);
    assert_is(
        &all[0],
        "divergent",
        "error",
        "V3__third.sql as it was applied",
    );

    let off = |what: &str| format!("ALTER {what} SET default_transaction_read_only = on");
    server.query("postgres", &off("DATABASE db_one"));
    let all = found(&orchestrator, &[], 4);
    assert_eq!(kinds(&all)[0], "read_only");
    let reset = all[0]["next"].as_str().expect("words");
    assert_eq!(
        reset,
        "ALTER DATABASE db_one RESET default_transaction_read_only"
    );
    server.query("postgres", reset);
    assert_eq!(kinds(&found(&orchestrator, &[], 4)), files);
}

#[test]
fn rows_from_before_this_engine_are_no_finding() {
    let (server, _services, orchestrator) = migrated();
    server.query(
        "db_one",
        "INSERT INTO refinery_schema_history VALUES (0, 'old', '2020-01-01T00:00:00Z', '1')",
    );
    // That there is no file for it is another matter.
    assert_eq!(only(&orchestrator, &[], 4)["kind"], "missing");
    server.query("db_one", "DROP SCHEMA orchestrator CASCADE");
    assert_eq!(only(&orchestrator, &[], 4)["kind"], "missing");
}

#[test]
fn a_row_that_only_the_journal_knows_is_a_finding_and_its_command_resolves_it() {
    let (server, _services, orchestrator) = migrated();
    let before = server.query(
        "db_one",
        "SELECT version, name, checksum FROM refinery_schema_history",
    );
    server.query("db_one", "DELETE FROM refinery_schema_history");
    let finding = only(&orchestrator, &[], 4);
    assert_is(
        &finding,
        "history_and_journal",
        "error",
        "orchestrator drift one",
    );
    let next = finding["next"].as_str().expect("words");
    let (_, command) = next.split_once(": orchestrator ").expect("a command");
    let (command, _) = command.split_once(';').expect("another one");
    orchestrator.expect(&command.split(' ').collect::<Vec<_>>(), 0);
    assert_eq!(
        server.query(
            "db_one",
            "SELECT version, name, checksum FROM refinery_schema_history"
        ),
        before
    );
    found(&orchestrator, &[], 0);
    orchestrator.expect(&["status", "--exit-code"], 0);
}

#[test]
fn a_pending_detach_is_finished_with_consent() {
    let (server, _services, orchestrator) = migrated();
    server.query(
        "db_one",
        "CREATE TABLE p (id int) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (1) TO (9)",
    );
    let reader = server.session("db_one");
    reader.run("BEGIN; SELECT count(*) FROM p");
    let impatient = server.session("db_one");
    impatient.run("SET statement_timeout = '300ms'");
    impatient.fails("ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY");
    reader.run("ROLLBACK");
    let sql = "ALTER TABLE public.p DETACH PARTITION public.p1 FINALIZE";
    assert_is(
        &only(&orchestrator, &["--fix"], 4),
        "pending_detach",
        "warning",
        sql,
    );
    found(&orchestrator, &["--fix", "--yes"], 0);
}

#[test]
fn the_scratch_database_of_a_dead_command_is_dropped_and_that_of_a_living_one_is_not() {
    let server = Server::start();
    let services = Services::new();
    services.service("one", &[]).migration(
        1,
        "slow",
        "DO $$ BEGIN IF current_database() LIKE 'orchestrator\\_scratch\\_%' THEN PERFORM pg_sleep(30); END IF; END $$;\n",
    );
    let orchestrator = Program::orchestrator(&server)
        .services(&services)
        .scratch_beside();
    orchestrator.expect(&["all"], 0);
    let command = orchestrator.watch(&["drift"]);
    wait_until("the replay sleeps", || server.databases().len() == 2);
    found(&orchestrator, &["--fix"], 0);
    assert_eq!(server.databases().len(), 2);
    command.signal(Signal::SIGKILL);
    command.end();
    wait_until("the server notices", || {
        found(&orchestrator, &[], ANY).len() == 1
    });
    let finding = only(&orchestrator, &[], 4);
    assert_is(
        &finding,
        "scratch_database",
        "warning",
        "DROP DATABASE orchestrator_scratch_",
    );
    found(&orchestrator, &["--fix"], 0);
    assert_eq!(server.databases(), ["db_one"]);
}

#[test]
fn a_pg_dump_older_than_the_server_is_a_finding() {
    let (_server, _services, orchestrator) = migrated();
    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join("pg_dump");
    std::fs::write(&program, "#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.24'\n").expect("a file");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&program, executable).expect("a program");
    let path = folder.path().display().to_string();
    let finding = only(&orchestrator, &["--pg-bin", &path], 4);
    assert_is(&finding, "pg_dump_version", "warning", "--pg-bin");
    assert!(
        finding["what"]
            .as_str()
            .is_some_and(|what| what.contains("9.6.24")),
        "{finding}"
    );
}

#[test]
fn in_production_what_is_safe_is_asked_for_too() {
    let (server, _services, orchestrator) = migrated();
    break_index(&server, "t_once");
    let production = ["--environment", "production", "--fix"];
    found(&orchestrator, &production, 4);
    assert_eq!(indexes(&server), "t_id t_once");
    found(&orchestrator, &[&production[..], &["--yes"]].concat(), 0);
    assert_eq!(indexes(&server), "t_id");
}

#[test]
fn an_unreachable_server_is_exit_5_and_yes_without_fix_is_none_of_our_flags() {
    let (server, services, orchestrator) = migrated();
    orchestrator.expect(&["doctor", "--yes"], 2);
    orchestrator.expect(&["doctor", "nobody"], 2);
    services
        .service("two", &[])
        .migration(1, "a", "SELECT 1;\n");
    break_index(&server, "t_once");
    services
        .service("three", &[])
        .migration(1, "a", "SELECT 1;\n");
    let half = Program::orchestrator(&server)
        .services(&services)
        .env(
            "TWO_DATABASE_URL",
            "postgresql://postgres@127.0.0.1:1/db_two",
        )
        .env(
            "THREE_DATABASE_URL",
            "postgresql://postgres@127.0.0.1:1/db_three",
        );
    let document = document(&half, &[], 5);
    assert_eq!(document["unreachable"][1]["name"], "two", "{document:#}");
    assert_eq!(document["unreachable"][0]["exit_code"], 5, "{document:#}");
    assert_eq!(
        document["findings"][0]["kind"], "invalid_index",
        "{document:#}"
    );
    let people = half.expect(&["doctor"], 5);
    assert!(
        people.stdout.contains("2 databases could not be checked"),
        "{}",
        people.stdout
    );
    let same = |text: &str| text.matches("127.0.0.1:1").count();
    assert_eq!(same(&people.stdout), 1, "{}", people.stdout);
    let history = half.expect(&["history"], 5).stdout;
    assert!(history.contains("applied"), "{history}");
    assert_eq!(same(&history), 1, "{history}");
    let history = half.expect(&["history", "--output", "json"], 5).json();
    assert_eq!(history["attempts"][0]["service"], "one", "{history:#}");
    assert_eq!(history["unreachable"][0]["name"], "three", "{history:#}");
    for command in [&["plan"][..], &["run", "all", "--dry-run"]] {
        let looked = half.expect(command, 5);
        assert!(
            !looked.stdout.contains("nothing to do"),
            "{}",
            looked.stdout
        );
        assert_eq!(same(&looked.stderr), 1, "{}", looked.stderr);
    }
}

#[test]
fn the_text_states_what_where_and_what_next() {
    let (server, services, orchestrator) = migrated();
    break_index(&server, "t_once");
    server.query(
        "db_one",
        "ALTER TABLE t ADD CONSTRAINT positive CHECK (id > 0) NOT VALID",
    );
    let outcome = orchestrator.expect(&["doctor"], 4);
    let place = server.url("db_one");
    let (_, place) = place.rsplit_once('@').expect("a place");
    let folder = services.path().display().to_string();
    let text = outcome
        .stdout
        .replace(place, "host:5432/db_one")
        .replace(&folder, "services");
    assert_snapshot!("people", text);
}
