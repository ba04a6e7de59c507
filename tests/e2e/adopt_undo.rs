//! `adopt --undo` takes back exactly what `adopt` wrote, and only while nothing stands on it.

use tests::{Program, Server, Services};

fn orchestrator(server: &Server) -> Program {
    Program::orchestrator(server).scratch_beside()
}

#[test]
fn the_database_is_as_it_was_and_is_adopted_and_migrated_again() {
    let server = Server::start();
    let orchestrator = orchestrator(&server);
    for (service, database) in [
        ("client", server.synchronised_database("client")),
        ("notification", server.legacy_database("notification", 2)),
    ] {
        let before = server.everything(&database);
        orchestrator.expect(&["adopt", service], 0);
        let adopted = server.applied(&database);
        assert_ne!(server.everything(&database), before);

        let undone = orchestrator.expect(&["adopt", service, "--undo"], 0);
        assert!(
            undone.stdout.contains("returned to the former tool"),
            "{}",
            undone.stdout
        );
        assert_eq!(server.everything(&database), before);

        orchestrator.expect(&["adopt", service], 0);
        assert_eq!(server.applied(&database), adopted);
        orchestrator.expect(&["run", service, "--with-dependencies"], 0);
        orchestrator.expect(&["drift", service], 0);
    }
}

#[test]
fn without_an_adoption_it_changes_nothing_and_is_refused_where_we_migrated() {
    let server = Server::start();
    let orchestrator = orchestrator(&server);
    let undo = ["adopt", "evidence", "--undo"];
    let database = server.legacy_database("evidence", 1);
    let before = server.everything(&database);
    orchestrator.expect(&undo, 0);
    assert_eq!(server.everything(&database), before);

    // As after an interrupted call for several services: the next one finds some of them done.
    orchestrator.expect(&["adopt", "evidence"], 0);
    orchestrator.expect(&undo, 0);
    orchestrator.expect(&undo, 0);
    assert_eq!(server.everything(&database), before);

    orchestrator.expect(&["run", "auth"], 0);
    let migrated = server.everything("soc_auth");
    assert_refused(
        &orchestrator,
        &["adopt", "auth", "--undo"],
        "there is no adoption to undo",
    );
    assert_eq!(server.everything("soc_auth"), migrated);
}

#[test]
fn it_is_refused_where_there_is_no_database() {
    let server = Server::start();
    let orchestrator = orchestrator(&server);
    assert_refused(
        &orchestrator,
        &["adopt", "auth", "--undo"],
        "the database does not exist",
    );
    assert_eq!(server.databases(), Vec::<String>::new());
}

/// A service of whose migrations the first is in the legacy history.
fn adopted(server: &Server) -> (Services, Program) {
    let services = Services::new();
    services.service("one", &[]).reversible(
        1,
        "first",
        "CREATE TABLE a (id int);\n",
        "DROP TABLE a;\n",
    );
    server.create_database("db_one");
    server.create_legacy_table("db_one", "migrations");
    server.query(
        "db_one",
        "INSERT INTO migrations (\"timestamp\", name) VALUES (1, 'First1'); CREATE TABLE a (id int)",
    );
    let orchestrator = orchestrator(server).services(&services);
    orchestrator.expect(&["adopt", "one"], 0);
    (services, orchestrator)
}

#[test]
fn it_is_refused_after_a_run_until_that_is_reverted() {
    let server = Server::start();
    let (services, orchestrator) = adopted(&server);
    services.service("one", &[]).reversible(
        2,
        "second",
        "CREATE TABLE b (id int);\n",
        "DROP TABLE b;\n",
    );
    orchestrator.expect(&["run", "one"], 0);
    let undo = ["adopt", "one", "--undo"];
    assert_refused(&orchestrator, &undo, "2 was applied after the adoption");
    assert_eq!(server.applied("db_one"), [1, 2]);

    orchestrator.expect(&["revert", "one"], 0);
    orchestrator.expect(&undo, 0);
    // The journal keeps what was done: a row taken out would break its chain.
    let journal = server.query(
        "db_one",
        "SELECT outcome FROM orchestrator.journal ORDER BY id",
    );
    assert_eq!(
        journal,
        [["adopted"], ["applied"], ["reverted"], ["adoption_undone"]]
    );
    orchestrator.expect(&["adopt", "one"], 0);
    assert_eq!(server.applied("db_one"), [1]);
}

#[test]
fn it_is_refused_after_a_later_migration_that_is_half_done() {
    let server = Server::start();
    let (services, orchestrator) = adopted(&server);
    services.service("one", &[]).migration(
        2,
        "halves",
        "-- migration: no-transaction\nCREATE TABLE b (id int);\nSELECT 1 / 0;\n",
    );
    orchestrator.expect(&["run", "one"], 1);
    let before = server.everything("db_one");
    assert_refused(&orchestrator, &["adopt", "one", "--undo"], "2 ");
    assert_eq!(server.everything("db_one"), before);
}

#[test]
fn it_is_refused_after_an_adopted_migration_was_reverted() {
    let server = Server::start();
    let (_services, orchestrator) = adopted(&server);
    orchestrator.expect(&["revert", "one"], 0);
    // TypeORM would believe its row.
    let undo = ["adopt", "one", "--undo"];
    assert_refused(&orchestrator, &undo, "public.migrations 1 First1");
    // The suggested command leads out.
    orchestrator.expect(&["run", "one", "--to", "1"], 0);
    orchestrator.expect(&undo, 0);
    orchestrator.expect(&["run", "one"], 3);
}

#[test]
fn after_going_back_a_run_is_refused_until_the_database_is_adopted_again() {
    let server = Server::start();
    let (services, orchestrator) = adopted(&server);
    services.service("one", &[]).reversible(
        2,
        "second",
        "CREATE TABLE b (id int);\n",
        "DROP TABLE b;\n",
    );
    orchestrator.expect(&["run", "one"], 0);
    orchestrator.expect(&["revert", "one"], 0);
    orchestrator.expect(&["adopt", "one", "--undo"], 0);
    let run = ["run", "one", "--output", "json"];
    for command in [&run[..], &["run", "one", "--dry-run"], &["plan", "one"]] {
        let refused = orchestrator.expect(command, 3);
        let text = refused.stdout + &refused.stderr;
        assert!(text.contains("orchestrator adopt one"), "{text}");
    }
    orchestrator.expect(&["adopt", "one"], 0);
    orchestrator.expect(&run, 0);
    assert_eq!(server.applied("db_one"), [1, 2]);
}

#[test]
fn what_a_failed_run_left_in_the_journal_stays() {
    let server = Server::start();
    let (services, orchestrator) = adopted(&server);
    services
        .service("one", &[])
        .migration(2, "fails", "SELECT 1 / 0;\n");
    orchestrator.expect(&["run", "one"], 1);
    orchestrator.expect(&["adopt", "one", "--undo"], 0);
    let journal = server.query(
        "db_one",
        "SELECT version, outcome FROM orchestrator.journal ORDER BY id",
    );
    assert_eq!(
        journal,
        [["1", "adopted"], ["2", "failed"], ["1", "adoption_undone"]]
    );
    services
        .service("one", &[])
        .migration(2, "fails", "CREATE TABLE b (id int);\n");
    orchestrator.expect(&["adopt", "one"], 0);
    orchestrator.expect(&["drift", "one"], 0);
}

#[track_caller]
fn assert_refused(orchestrator: &Program, arguments: &[&str], words: &str) {
    let outcome = orchestrator.expect(arguments, 3);
    assert!(outcome.stderr.contains(words), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("next: "), "{}", outcome.stderr);
    assert!(
        outcome
            .stdout
            .starts_with("0 migrations undone, 1 service failed in "),
        "{}",
        outcome.stdout
    );
}
