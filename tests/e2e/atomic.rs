//! A transactional migration, its history row and its journal row commit together or not at all, and the error points
//! at the statement.

use tests::{Outcome, Program, Server, Services};

const BROKEN: &str = "CREATE TABLE second (id int);\nINSERT INTO second VALUES (1);\n\nINSERT INTO second\n  VALUES (1 / 0);\n";

/// Runs two migrations of which the second is this.
fn run_second(server: &Server, second: &str, code: i32) -> Outcome {
    let services = Services::new();
    services
        .service("shop", &[])
        .migration(1, "first", "CREATE TABLE first (id int)")
        .migration(2, "second", second);
    Program::orchestrator(server)
        .services(&services)
        .expect(&["all", "--output", "json"], code)
}

#[test]
fn a_failing_migration_leaves_nothing_and_earlier_ones_stay() {
    let server = Server::start();
    run_second(&server, BROKEN, 1);
    assert_eq!(server.applied("db_shop"), [1]);
    assert_eq!(
        server.value(
            "db_shop",
            "SELECT to_regclass('first') || ' ' || (to_regclass('second') IS NULL)"
        ),
        "first true"
    );
}

#[test]
fn the_failed_attempt_is_in_the_journal_with_its_sqlstate() {
    let server = Server::start();
    run_second(&server, BROKEN, 1);
    let journal = server.query(
        "db_shop",
        "SELECT version, outcome, sqlstate, message FROM orchestrator.journal ORDER BY id",
    );
    assert_eq!(
        journal,
        [
            ["1", "applied", "", ""],
            ["2", "failed", "22012", "division by zero"]
        ]
    );
}

#[test]
fn the_error_points_at_the_statement_where_the_server_names_no_position() {
    let server = Server::start();
    let outcome = run_second(&server, BROKEN, 1);
    let failed = &outcome.events_of("migration_failed")[0];
    assert!(
        failed["file"].as_str().unwrap().ends_with("V2__second.sql"),
        "{failed}"
    );
    assert_eq!(failed["sqlstate"], "22012");
    assert_eq!(
        (&failed["line"], &failed["column"]),
        (&4.into(), &1.into()),
        "{failed}"
    );
    assert_eq!(failed["rolled_back"], true);
}

#[test]
fn the_error_points_at_the_position_that_the_server_names() {
    let server = Server::start();
    let outcome = run_second(
        &server,
        "\u{feff}-- é\r\nSELECT 'ü';\r\nSELECT 'é', nothing FROM first;\r\n",
        1,
    );
    let failed = &outcome.events_of("migration_failed")[0];
    assert_eq!(failed["sqlstate"], "42703");
    assert_eq!(
        (&failed["line"], &failed["column"]),
        (&3.into(), &13.into()),
        "{failed}"
    );
}

#[test]
fn humans_see_file_line_column_the_line_and_a_caret() {
    let server = Server::start();
    let services = Services::new();
    services.service("shop", &[]).migration(
        1,
        "first",
        "CREATE TABLE first (id int);\nSELECT 1,\n  wrong;\n",
    );
    let outcome = Program::orchestrator(&server)
        .services(&services)
        .expect(&["all"], 1);
    let text = outcome.stdout + &outcome.stderr;
    assert!(text.contains("V1__first.sql:3:3"), "{text}");
    assert!(text.contains("42703"), "{text}");
    let lines: Vec<&str> = text.lines().collect();
    let place = lines
        .iter()
        .position(|line| line.ends_with("  wrong;"))
        .unwrap_or_else(|| panic!("{text}"));
    assert_eq!(
        lines[place + 1].find('^'),
        lines[place].find("wrong"),
        "{text}"
    );
}

#[test]
fn a_deferred_constraint_that_fails_at_commit_undoes_everything() {
    let server = Server::start();
    let outcome = run_second(
        &server,
        "CREATE TABLE parent (id int PRIMARY KEY);\n\
         CREATE TABLE child (parent int REFERENCES parent DEFERRABLE INITIALLY DEFERRED);\n\
         INSERT INTO child VALUES (7);\n",
        1,
    );
    let failed = &outcome.events_of("migration_failed")[0];
    assert_eq!(failed["sqlstate"], "23503", "{failed}");
    assert_eq!(server.applied("db_shop"), [1]);
    assert_eq!(
        server.value("db_shop", "SELECT to_regclass('child') IS NULL"),
        "t"
    );
}

#[test]
fn a_trigger_that_fails_only_in_commit_undoes_everything() {
    let server = Server::start();
    // SET CONSTRAINTS does not reach what a deferred trigger defers anew.
    run_second(
        &server,
        "CREATE TABLE second (id int);
         CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
           IF NEW.id = 0 THEN RAISE EXCEPTION 'not at the end'; END IF;
           SET CONSTRAINTS ALL DEFERRED;
           INSERT INTO second VALUES (NEW.id - 1);
           RETURN NULL;
         END $$;
         CREATE CONSTRAINT TRIGGER again AFTER INSERT ON second DEFERRABLE INITIALLY DEFERRED
           FOR EACH ROW EXECUTE FUNCTION again();
         INSERT INTO second VALUES (3);",
        1,
    );
    assert_eq!(server.applied("db_shop"), [1]);
    assert_eq!(
        server.value("db_shop", "SELECT to_regclass('second') IS NULL"),
        "t"
    );
    assert_eq!(
        server.value(
            "db_shop",
            "SELECT string_agg(outcome, ' ' ORDER BY id) FROM orchestrator.journal"
        ),
        "applied failed"
    );
}

#[test]
fn notices_are_events() {
    let server = Server::start();
    let outcome = run_second(
        &server,
        "DO $$ BEGIN RAISE NOTICE 'three rows'; RAISE WARNING 'look'; END $$",
        0,
    );
    let notices: Vec<_> = outcome
        .events_of("server_notice")
        .into_iter()
        .filter(|event| event["version"] == 2)
        .map(|event| format!("{} {}", event["severity"], event["message"]))
        .collect();
    assert_eq!(notices, [r#""NOTICE" "three rows""#, r#""WARNING" "look""#]);
}
