//! Each service's `schema.sql` and its migrations give the same schema.

use std::fs;
use std::path::PathBuf;

use tests::{Program, SERVICES, Server};

fn schema_sql(service: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../services")
        .join(service)
        .join("schema.sql")
}

#[test]
fn schema_sql_loaded_into_an_empty_database_is_what_the_migrations_make() {
    let server = Server::start();
    Program::orchestrator(&server).expect(&["all"], 0);
    for (service, database) in SERVICES.iter().copied() {
        let loaded = format!("loaded_{service}");
        server.query(
            "postgres",
            &format!("CREATE DATABASE {loaded} TEMPLATE template0"),
        );
        server.psql_file(&loaded, &schema_sql(service), true);
        assert_eq!(server.schema(&loaded), server.schema(database), "{service}");
    }
}

#[test]
fn schema_dump_writes_schema_sql() {
    let server = Server::start();
    let orchestrator = Program::orchestrator(&server);
    for (service, _) in SERVICES.iter().copied() {
        let dumped = orchestrator.expect(&["schema", "dump", service, "--stdout"], 0);
        let file = fs::read_to_string(schema_sql(service)).expect("schema.sql");
        assert_eq!(
            dumped.stdout, file,
            "{service}: write it anew: orchestrator schema dump {service}"
        );
    }
    let left = server.query(
        "postgres",
        "SELECT datname FROM pg_database WHERE datname NOT LIKE 'template_' AND datname <> 'postgres'",
    );
    assert!(left.is_empty(), "scratch databases are left: {left:?}");
}
