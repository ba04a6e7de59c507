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
        server.create_database(database);
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

#[test]
fn a_session_that_reads_strings_differently_is_refused_before_and_after_each_file() {
    let server = Server::start();
    let create = "CREATE TABLE a (v text)";
    let hidden = "CREATE FUNCTION off() RETURNS text LANGUAGE sql AS $$ \
        SELECT set_config('standard' || '_conforming_strings', 'off', false) $$";
    let services = Services::new();
    for (name, directive) in [
        ("whole", ""),
        ("stepwise", "-- migration: no-transaction\n"),
    ] {
        services
            .service(name, &[])
            .migration(1, "a", &format!("{directive}{create};\n{hidden};"))
            .migration(2, "b", &format!("{directive}INSERT INTO a VALUES ('\\');"));
        let database = format!("db_{name}");
        server.create_database(&database);
        let sql = format!("ALTER DATABASE {database} SET standard_conforming_strings = off");
        server.query("postgres", &sql);
    }
    let orchestrator = Program::orchestrator(&server).services(&services);
    let refused = |expected: [&[i64]; 2]| {
        for (name, applied) in ["whole", "stepwise"].into_iter().zip(expected) {
            let run = orchestrator.expect(&["run", name, "--output", "json"], 3);
            let failed = run.events_of("migration_failed");
            assert_eq!(failed.len(), 1, "{}", run.stdout);
            assert_eq!(server.applied(&format!("db_{name}")), applied);
        }
    };
    refused([&[], &[]]);

    for name in ["whole", "stepwise"] {
        let sql = format!("ALTER DATABASE db_{name} SET standard_conforming_strings = on");
        server.query("postgres", &sql);
        services
            .service(name, &[])
            .migration(3, "c", "SELECT off();\nINSERT INTO a VALUES ('c');")
            .migration(
                4,
                "d",
                "-- migration: no-transaction\nINSERT INTO a VALUES ('d');\nSELECT off();",
            );
    }
    // A function that sets it shows only when it has run.
    refused([&[1, 2], &[1, 2]]);
    for name in ["whole", "stepwise"] {
        services.service(name, &[]).migration(3, "c", "SELECT 1;");
    }
    refused([&[1, 2, 3], &[1, 2, 3]]);
    for name in ["whole", "stepwise"] {
        let stored = server.value(&format!("db_{name}"), "SELECT string_agg(v, '') FROM a");
        assert_eq!(stored, "\\d");
    }
}
