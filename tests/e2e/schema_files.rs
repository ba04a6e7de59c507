//! Each service's `schema.sql` and its migrations give the same schema.

use std::fs;
use std::io;
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

#[test]
fn a_program_that_is_older_than_the_files_of_its_project_is_found() {
    let server = Server::start();
    let project = tempfile::tempdir().expect("a folder");
    let services = project.path().join("services");
    for (service, _) in SERVICES.iter().copied() {
        for kind in ["migrations", "reverts"] {
            let original = schema_sql(service).with_file_name(kind);
            let copy = services.join(service).join(kind);
            fs::create_dir_all(&copy).expect("a folder");
            for entry in fs::read_dir(original).expect("files") {
                let entry = entry.expect("a file");
                fs::copy(entry.path(), copy.join(entry.file_name())).expect("a copy");
            }
        }
    }
    let orchestrator = Program::orchestrator(&server).current_dir(project.path());
    // The copies are newer than the program, and have the same contents.
    let same = orchestrator.expect(&["graph"], 0);
    assert!(!same.stderr.contains("compiled into"), "{}", same.stderr);
    let empty = ["generate", "policy", "AddTemplates", "--empty"];
    orchestrator.expect(&[&empty[..], &["--dry-run"]].concat(), 0);

    let folder = services.join("policy/migrations");
    let added = folder.join("V9000000000000__added.sql");
    let first = fs::read_dir(&folder).expect("files").next();
    let first = first.expect("a migration").expect("a file").path();
    let text = fs::read(&first).expect("a migration");
    let changes: [&dyn Fn() -> io::Result<()>; 3] = [
        &|| fs::write(&added, "SELECT 1;"),
        &|| fs::remove_file(&added).and_then(|()| fs::write(&first, "SELECT 1;")),
        &|| fs::remove_file(&first),
    ];
    for change in changes {
        change().expect("a change");
        let warned = orchestrator.expect(&["graph"], 0);
        assert!(warned.stderr.contains("compiled into"), "{}", warned.stderr);
        orchestrator.expect(&empty, 3);
    }
    fs::write(&first, text).expect("the migration");
    orchestrator.expect(&empty, 0);
}
