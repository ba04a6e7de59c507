//! No file leaks into the next, and the books are kept whatever a file does to its session.

use tests::{Outcome, Program, Server, Services};

/// Runs two migrations: what the first does to its session, and what the second finds.
fn run_pair(server: &Server, first: &str, second: &str) -> Outcome {
    let services = Services::new();
    services
        .service("shop", &[])
        .migration(1, "first", first)
        .migration(2, "second", second);
    Program::orchestrator(server)
        .services(&services)
        .run(&["all"])
}

/// Expects that a value is in the second file what it is in a fresh session.
#[track_caller]
fn assert_fresh(first: &str, expression: &str) {
    let server = Server::start();
    let found = format!("CREATE TABLE public.found AS SELECT ({expression})::text AS value");
    for first in [
        first.to_owned(),
        format!("-- migration: no-transaction\n{first}"),
    ] {
        let outcome = run_pair(&server, &first, &found);
        assert_eq!(outcome.code, 0, "{}", outcome.stderr);
        assert_eq!(
            server.value("db_shop", "SELECT value FROM public.found"),
            server.value("db_shop", &format!("SELECT ({expression})::text")),
            "{first}"
        );
        server.query("postgres", "DROP DATABASE db_shop");
    }
}

#[test]
fn a_search_path_does_not_leak() {
    assert_fresh(
        "CREATE SCHEMA other; SET search_path = other",
        "current_setting('search_path')",
    );
    assert_fresh(
        "SELECT set_config('search_path', 'pg_catalog', false)",
        "current_setting('search_path')",
    );
}

#[test]
fn files_that_deallocate_prepared_statements_are_recorded() {
    let server = Server::start();
    let services = Services::new();
    let texts = [
        "SELECT 1",
        "PREPARE mine AS SELECT 1; DO $$ BEGIN EXECUTE 'DEALLOCATE ' || 'ALL'; END $$",
        "PREPARE mine AS SELECT 1",
        "PREPARE mine AS SELECT 1; DEALLOCATE ALL; PREPARE mine AS SELECT 1",
        "-- migration: no-transaction\nPREPARE mine AS SELECT 1; DEALLOCATE ALL; CREATE TABLE t (); DISCARD PLANS",
        "PREPARE mine AS SELECT 1",
    ];
    let service = services.service("shop", &[]);
    for (number, text) in (1..).zip(texts) {
        service.migration(number, "file", text);
    }
    let outcome = Program::orchestrator(&server)
        .services(&services)
        .run(&["all"]);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert_eq!(server.applied("db_shop"), [1, 2, 3, 4, 5, 6]);
    assert_eq!(
        server.value(
            "db_shop",
            "SELECT count(*) FROM orchestrator.journal WHERE attempts = 1"
        ),
        "6"
    );
}

#[test]
fn a_role_does_not_leak() {
    let role = "DO $$ BEGIN IF to_regrole('guest') IS NULL THEN CREATE ROLE guest; END IF; END $$;";
    assert_fresh(&format!("{role} SET ROLE guest"), "current_user");
    assert_fresh(
        &format!("{role} SET SESSION AUTHORIZATION guest"),
        "session_user",
    );
}

#[test]
fn temporary_objects_do_not_leak() {
    assert_fresh(
        "CREATE TEMP TABLE notes (id int); INSERT INTO notes VALUES (1)",
        "to_regclass('pg_temp.notes') IS NULL",
    );
}

#[test]
fn prepared_statements_and_cursors_do_not_leak() {
    assert_fresh(
        "PREPARE one AS SELECT 1",
        "SELECT count(*) FROM pg_prepared_statements WHERE from_sql",
    );
    assert_fresh(
        "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
        "SELECT count(*) FROM pg_cursors WHERE is_holdable",
    );
}

#[test]
fn time_limits_of_a_file_do_not_leak() {
    assert_fresh(
        "SET statement_timeout = '3s'; SET work_mem = '7MB'",
        "current_setting('work_mem') || (current_setting('statement_timeout') = '3s')",
    );
}

#[test]
fn sequence_states_do_not_leak() {
    let server = Server::start();
    let outcome = run_pair(
        &server,
        "CREATE SEQUENCE numbers; SELECT nextval('numbers')",
        "SELECT currval('numbers')",
    );
    assert_eq!(outcome.code, 1, "{}", outcome.stdout);
    assert!(
        (outcome.stdout + &outcome.stderr).contains("55000"),
        "object_not_in_prerequisite_state"
    );
    assert_eq!(server.applied("db_shop"), [1]);
}

#[test]
fn listening_does_not_leak() {
    assert_fresh(
        "LISTEN news",
        "SELECT count(*) FROM pg_listening_channels()",
    );
}

#[test]
fn the_history_row_is_written_whatever_the_search_path() {
    for first in [
        "SET search_path = ''",
        "SELECT set_config('search_path', '', false)",
        "CREATE SCHEMA mine;
         CREATE TABLE mine.refinery_schema_history (version int4, name text, applied_on text, checksum text);
         CREATE TABLE mine.journal (id int);
         SET search_path = mine",
        "CREATE FUNCTION public.pg_backend_pid() RETURNS int LANGUAGE sql AS 'SELECT 0';
         SET search_path = public, pg_catalog",
    ] {
        for first in [first.to_owned(), format!("-- migration: no-transaction\n{first}")] {
            let server = Server::start();
            let outcome = run_pair(&server, &first, "CREATE TABLE second (id int)");
            assert_eq!(outcome.code, 0, "{first}: {}", outcome.stderr);
            assert_eq!(
                server.query("db_shop", "SELECT version FROM public.refinery_schema_history ORDER BY 1"),
                [["1"], ["2"]],
                "{first}"
            );
            assert_eq!(
                server.value("db_shop", "SELECT count(*) FROM orchestrator.journal"),
                "2"
            );
        }
    }
}

#[test]
fn the_books_are_kept_under_the_original_role() {
    for first in [
        "CREATE ROLE guest; SET ROLE guest",
        "CREATE ROLE guest; SET SESSION AUTHORIZATION guest",
        "CREATE ROLE guest; SET LOCAL ROLE guest",
    ] {
        for first in [
            first.to_owned(),
            format!("-- migration: no-transaction\n{first}"),
        ] {
            let server = Server::start();
            let outcome = run_pair(&server, &first, "CREATE TABLE second (id int)");
            assert_eq!(outcome.code, 0, "{first}: {}", outcome.stderr);
            assert_eq!(server.applied("db_shop"), [1, 2]);
            assert_eq!(
                server.value(
                    "db_shop",
                    "SELECT count(*) FROM orchestrator.journal WHERE database_user = 'guest'"
                ),
                "0"
            );
        }
    }
}

#[test]
fn a_failed_attempt_is_journalled_also_after_a_change_of_role() {
    let server = Server::start();
    let outcome = run_pair(
        &server,
        "-- migration: no-transaction\nCREATE ROLE guest;\nSET ROLE guest;\nSELECT 1 / 0",
        "SELECT 1",
    );
    assert_eq!(outcome.code, 1);
    assert_eq!(
        server.query(
            "db_shop",
            "SELECT outcome, sqlstate, statements_done, statements FROM orchestrator.journal"
        ),
        [["failed", "22012", "2", "3"]]
    );
}

#[test]
fn a_file_that_gives_up_the_advisory_lock_is_caught() {
    for first in [
        "CREATE TABLE first (id int); SELECT pg_advisory_unlock_all()",
        "-- migration: no-transaction\nSELECT pg_advisory_unlock_all(); CREATE TABLE first (id int)",
    ] {
        let server = Server::start();
        let outcome = run_pair(&server, first, "CREATE TABLE second (id int)");
        assert_eq!(outcome.code, 1, "{}", outcome.stdout);
        let text = outcome.stdout + &outcome.stderr;
        assert!(text.contains("advisory lock"), "{text}");
        assert!(text.contains("pg_advisory_unlock_all"), "{text}");
        assert!(server.applied("db_shop").is_empty());
        assert_eq!(
            server.value(
                "db_shop",
                "SELECT concat(to_regclass('first'), to_regclass('second'))"
            ),
            ""
        );
    }
}

#[test]
fn what_a_file_sets_last_does_not_reach_the_engine() {
    let server = Server::start();
    server.query("postgres", "CREATE ROLE guest");
    for last in [
        "SET ROLE guest",
        "SET SESSION AUTHORIZATION guest",
        "SET default_transaction_read_only = on",
        "SET statement_timeout = '1ms'",
        "SET lock_timeout = '1ms'; SET idle_session_timeout = '1ms'",
        "SELECT set_config('idle_in_transaction_session_timeout', '1', false)",
        "SET search_path = pg_temp",
        "SET TIME ZONE 'Asia/Tokyo'; SET datestyle = 'German'",
        "SET exit_on_error = on",
    ] {
        for form in ["", "-- migration: no-transaction\n"] {
            let services = Services::new();
            services
                .service("shop", &[])
                .migration(
                    1,
                    "first",
                    &format!("{form}CREATE TABLE a (id int); {last}"),
                )
                .migration(
                    2,
                    "second",
                    "-- migration: no-transaction\nCREATE TABLE b (id int)",
                )
                .migration(
                    3,
                    "third",
                    &format!("{form}CREATE TABLE c (id int); {last}"),
                );
            let outcome = Program::orchestrator(&server)
                .services(&services)
                .run(&["all", "--output", "json"]);
            assert_eq!(
                outcome.code, 0,
                "{form}{last}: {}{}",
                outcome.stdout, outcome.stderr
            );
            let anchors = &outcome.events_of("run_finished")[0]["anchors"];
            assert_eq!(
                anchors.as_array().map(Vec::len),
                Some(1),
                "{form}{last}: {anchors}"
            );
            assert_eq!(
                server.query(
                    "db_shop",
                    "SELECT version FROM public.refinery_schema_history ORDER BY 1"
                ),
                [["1"], ["2"], ["3"]]
            );
            server.query("postgres", "DROP DATABASE db_shop");
        }
    }
}

#[test]
fn a_temporary_schema_first_does_not_hide_the_history() {
    let server = Server::start();
    server.create_database("db_shop");
    server.query(
        "postgres",
        "ALTER DATABASE db_shop SET search_path = pg_temp, public",
    );
    let outcome = run_pair(
        &server,
        "CREATE TABLE public.a (id int)",
        "CREATE TABLE public.b (id int)",
    );
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert_eq!(
        server.query(
            "db_shop",
            "SELECT version FROM public.refinery_schema_history ORDER BY 1"
        ),
        [["1"], ["2"]]
    );
}

#[test]
fn settings_of_an_application_do_not_leak() {
    assert_fresh(
        "SET app.tenant = 'a'",
        "current_setting('app.tenant', true) IS NULL",
    );
    assert_fresh(
        "SELECT set_config('app.tenant', 'a', false)",
        "current_setting('app.tenant', true) IS NULL",
    );
}

#[test]
fn advisory_locks_do_not_leak() {
    let locks = "SELECT pg_advisory_lock(7), pg_advisory_lock(7), pg_advisory_lock(-7), pg_advisory_lock_shared(8), \
                   pg_advisory_lock(-1, 2), pg_advisory_lock_shared(3, -4), pg_advisory_xact_lock(9)";
    let expected = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() \
                      AND NOT (classid = 1397703456 AND objid = 1835624306)";
    let server = Server::start();
    for form in ["", "-- migration: no-transaction\n"] {
        let found = format!("CREATE TABLE public.found AS {expected}");
        let outcome = run_pair(&server, &format!("{form}{locks}"), &found);
        assert_eq!(outcome.code, 0, "{}", outcome.stderr);
        assert_eq!(
            server.value("db_shop", "SELECT count FROM public.found"),
            "0"
        );
        server.query("postgres", "DROP DATABASE db_shop");
    }
}
