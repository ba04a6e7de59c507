//! Each file runs as if in a fresh session, also after a file that changed what sessions begin with.

use tests::{Program, Server, Services, binaries};

#[test]
fn a_changed_search_path_of_the_database_holds_from_the_next_file_on() {
    let server = Server::start();
    let services = Services::new();
    services
        .service("app", &[])
        .reversible(
            1,
            "own_schema",
            "CREATE SCHEMA app;\nALTER DATABASE db_app SET search_path = app;",
            "ALTER DATABASE db_app RESET search_path;\nDROP SCHEMA app;",
        )
        .reversible(
            2,
            "first_table",
            "CREATE TABLE t (id int);",
            "DROP TABLE t;",
        );
    let orchestrator = Program::orchestrator(&server).services(&services);

    orchestrator.expect(&["all"], 0);
    let schema = server.value(
        "db_app",
        "SELECT schemaname FROM pg_tables WHERE tablename = 't'",
    );
    assert_eq!(schema, "app");

    // The history is in `public`, which new sessions no longer see: it is found all the same.
    let again = orchestrator.expect(&["all"], 0);
    assert!(again.stdout.contains("Nothing to do"), "{}", again.stdout);
    orchestrator.expect(&["revert", "app", "--all"], 0);
    assert_eq!(
        server.value(
            "db_app",
            "SELECT count(*) FROM pg_namespace WHERE nspname = 'app'"
        ),
        "0"
    );
}

#[test]
fn time_limits_that_a_database_has_for_its_application_do_not_end_a_migration() {
    let server = Server::start();
    let mut limits = vec![
        "statement_timeout",
        "idle_in_transaction_session_timeout",
        "idle_session_timeout",
    ];
    if binaries().version().major() >= 17 {
        limits.push("transaction_timeout");
    }
    for database in ["db_whole", "db_stepwise"] {
        server.query("postgres", &format!("CREATE DATABASE {database}"));
        for limit in &limits {
            let sql = format!("ALTER DATABASE {database} SET {limit} = '2s'");
            server.query("postgres", &sql);
        }
    }
    let services = Services::new();
    services
        .service("whole", &[])
        .migration(1, "slow", "SELECT pg_sleep(3);\nCREATE TABLE a ();");
    services.service("stepwise", &[]).migration(
        1,
        "slow",
        "-- migration: no-transaction\nSELECT pg_sleep(3);\nCREATE TABLE b ();",
    );
    let orchestrator = Program::orchestrator(&server).services(&services);

    let run = orchestrator.expect(&["all", "--output", "json"], 0);
    assert_eq!(
        run.events_of("migration_applied").len(),
        2,
        "{}",
        run.stdout
    );
}
