//! Each service's `schema.sql` and its migrations give the same schema.

use std::fs;
use std::path::PathBuf;

use tests::{Program, SERVICES, Server, Services};

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
        server.create_database(&loaded);
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

/// The migration and `schema.sql` of the example under a heading of the rule's page.
fn example(heading: &str) -> (&'static str, &'static str) {
    let page = include_str!("../../docs/rules/schema-file-differs.md");
    let section = page
        .split_once(&format!("\n## {heading}\n"))
        .expect("a section")
        .1;
    let block = section.split_once("```sql\n").expect("a block").1;
    let block = block.split_once("```").expect("an end").0;
    let (migration, schema) = block.split_once("-- schema.sql\n").expect("schema.sql");
    (migration, schema)
}

#[test]
fn schema_sql_that_differs_from_the_migrations_is_found() {
    let server = Server::start();
    let services = Services::new();
    let service = services.service("policy", &[]);
    service.reversible(
        1,
        "policies",
        "CREATE TABLE policies (id uuid NOT NULL);\n",
        "DROP TABLE policies;\n",
    );
    let (migration, schema) = example("Wrong");
    service.reversible(
        2,
        "owner",
        migration,
        "ALTER TABLE policies DROP COLUMN owner;\n",
    );
    let orchestrator = Program::orchestrator(&server)
        .scratch_beside()
        .services(&services);
    let diff = |code: i32| {
        let outcome = orchestrator.expect(&["schema", "diff", "policy", "--output", "json"], code);
        outcome.json()["services"][0].clone()
    };
    let check = |options: &[&str], code: i32| {
        let outcome =
            orchestrator.expect(&[&["check", "--output", "json"], options].concat(), code);
        outcome.json()["findings"].clone()
    };

    // Without schema.sql there is nothing to compare, and `schema diff` is not 0.
    assert_eq!(diff(2)["exit_code"], 2);
    assert_eq!(check(&[], 0), serde_json::json!([]));

    service.file("schema.sql", schema);
    let found = diff(4);
    assert_eq!(found["differences"][0]["object"], "public.policies.owner");
    assert!(found["differences"][0]["found"].is_string(), "{found}");
    let found = check(&[], 4);
    assert_eq!(found[0]["rule"], "schema-file-differs", "{found}");
    assert_eq!(
        found[0]["differences"][0]["object"],
        "public.policies.owner"
    );
    assert_eq!(
        found[0]["file"]
            .as_str()
            .map(|it| it.ends_with("policy/schema.sql")),
        Some(true)
    );
    assert_eq!(check(&["--no-rehearsal"], 0), serde_json::json!([]));

    service.file("schema.sql", "CREATE TABLE policies (id nothing);\n");
    assert_eq!(diff(1)["exit_code"], 1);
    assert_eq!(check(&[], 4)[0]["rule"], "schema-file-differs");

    let (same, schema) = example("Right");
    assert_eq!(same, migration);
    service.file("schema.sql", schema);
    assert_eq!(diff(0)["differences"], serde_json::json!([]));
    assert_eq!(check(&[], 0), serde_json::json!([]));
}
