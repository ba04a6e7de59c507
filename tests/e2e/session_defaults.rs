//! Each file runs as if in a fresh session, also after a file that changed what sessions begin with.

use tests::{Program, Server, Services};

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
