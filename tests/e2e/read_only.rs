//! What only looks, writes nothing: it works for a role that may do nothing but look.

use tests::{Program, Server, Services};

const LOOKS: [&[&str]; 9] = [
    &["status"],
    &["status", "--output", "json"],
    &["plan"],
    &["plan", "--output", "json"],
    &["all", "--dry-run"],
    &["all", "--dry-run", "--output", "json"],
    &["run", "one", "--dry-run"],
    &["revert", "all", "--dry-run"],
    &["history"],
];

fn services() -> Services {
    let services = Services::new();
    services
        .service("one", &[])
        .reversible(1, "a", "CREATE TABLE a (id int);\n", "DROP TABLE a;\n")
        .reversible(2, "b", "CREATE TABLE b (id int);\n", "DROP TABLE b;\n");
    services.service("two", &["one"]).reversible(
        1,
        "c",
        "CREATE TABLE c (id int);\n",
        "DROP TABLE c;\n",
    );
    services
}

/// The orchestrator as a role that can connect, read, and do nothing else.
fn reader(server: &Server, services: &Services, databases: &[&str]) -> Program {
    server.query(
        "postgres",
        "CREATE ROLE reader LOGIN PASSWORD 'reader' NOSUPERUSER NOCREATEDB NOINHERIT; \
         ALTER ROLE reader SET default_transaction_read_only = on",
    );
    for database in databases {
        server.query(
            database,
            "GRANT USAGE ON SCHEMA orchestrator TO reader; \
             GRANT SELECT ON ALL TABLES IN SCHEMA orchestrator, public TO reader",
        );
    }
    Program::named("orchestrator")
        .env(
            "ORCHESTRATOR_SERVER_URL",
            &server.url_as("reader", "reader", "postgres"),
        )
        .services(services)
}

#[test]
fn looking_at_migrated_databases_needs_no_right_to_write() {
    let server = Server::start();
    let services = services();
    Program::orchestrator(&server)
        .services(&services)
        .expect(&["run", "one", "two", "--with-dependencies"], 0);
    let reader = reader(&server, &services, &["db_one", "db_two"]);
    for arguments in LOOKS {
        reader.expect(arguments, 0);
    }
    let status = reader.expect(&["status", "--output", "json"], 0).json();
    assert_eq!(status["services"][0]["applied"], 2);
    let undone = reader.expect(&["revert", "all", "--all", "--dry-run"], 0);
    for table in ["a", "b", "c"] {
        assert!(
            undone.stdout.contains(&format!("DROP TABLE {table};")),
            "{}",
            undone.stdout
        );
    }
    assert_eq!(server.applied("db_one"), [1, 2]);
}

#[test]
fn looking_at_empty_databases_leaves_them_empty() {
    let server = Server::start();
    let services = services();
    for database in ["db_one", "db_two"] {
        server.create_database(database);
    }
    let reader = reader(&server, &services, &[]);
    let before = server.schema("db_one");
    for arguments in LOOKS {
        reader.expect(arguments, 0);
    }
    // As an owner, too: that nothing was written is not the work of missing rights.
    let owner = Program::orchestrator(&server).services(&services);
    for arguments in LOOKS {
        owner.expect(arguments, 0);
    }
    for database in ["db_one", "db_two"] {
        assert_eq!(server.schema(database), before);
        let ours = server.value(
            database,
            "SELECT count(*) FROM pg_class WHERE relname = 'refinery_schema_history' \
             OR relnamespace = to_regnamespace('orchestrator')",
        );
        assert_eq!(ours, "0");
        assert_eq!(
            server.value(database, "SELECT to_regnamespace('orchestrator')"),
            ""
        );
    }
}

#[test]
fn looking_at_databases_that_are_not_there_does_not_create_them() {
    let server = Server::start();
    let services = services();
    let reader = reader(&server, &services, &[]);
    for arguments in LOOKS {
        reader.expect(arguments, 0);
    }
    let status = reader.expect(&["status", "--output", "json"], 0).json();
    assert_eq!(status["services"][0]["pending"], 2, "{status}");
    reader.expect(&["status", "--exit-code"], 4);
    let run = reader.expect(&["all", "--dry-run"], 0);
    for table in ["a", "b", "c"] {
        assert!(
            run.stdout.contains(&format!("CREATE TABLE {table} ")),
            "{}",
            run.stdout
        );
    }
    let plan = reader.expect(&["plan", "--output", "json"], 0).json();
    assert_eq!(plan["steps"].as_array().map(Vec::len), Some(3), "{plan}");
    assert_eq!(server.databases(), Vec::<String>::new());
}

#[test]
fn a_dry_run_of_a_divergent_database_refuses_as_the_run_would() {
    let server = Server::start();
    let services = services();
    let orchestrator = Program::orchestrator(&server).services(&services);
    orchestrator.expect(&["all"], 0);
    services
        .service("one", &[])
        .migration(1, "a", "CREATE TABLE a (id bigint);\n")
        .migration(3, "d", "CREATE TABLE d (id int);\n");
    let dry = orchestrator.expect(&["run", "one", "--dry-run"], 3);
    assert!(
        dry.stderr.contains('1') && dry.stderr.contains("one"),
        "{}",
        dry.stderr
    );
    orchestrator.expect(&["run", "one"], 3);
    assert_eq!(server.applied("db_one"), [1, 2]);
}
