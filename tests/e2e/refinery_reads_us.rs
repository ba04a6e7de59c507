//! refinery itself reads the databases that we migrate, finds everything applied, and has nothing to do.

use std::fs;
use std::path::Path;

use refinery::{Migration, Runner};
use tests::{Program, Server, Services};
use tokio_postgres::{Client, NoTls};

/// refinery's runner for a folder of files.
fn refinery(folder: &Path) -> Runner {
    let migrations: Vec<Migration> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| {
            let path = entry.expect("a file").path();
            let name = path
                .file_stem()
                .and_then(|name| name.to_str())
                .expect("a name");
            let sql = fs::read_to_string(&path).expect("a file");
            Migration::unapplied(name, &sql).expect("refinery takes the name")
        })
        .collect();
    Runner::new(&migrations)
}

fn with_client<T>(server: &Server, database: &str, work: impl AsyncFnOnce(&mut Client) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let (mut client, connection) = tokio_postgres::connect(&server.url(database), NoTls)
            .await
            .expect("a connection");
        tokio::spawn(connection);
        work(&mut client).await
    })
}

#[test]
fn refinery_sees_our_migrations_as_applied_and_does_nothing() {
    let server = Server::start();
    Program::orchestrator(&server).expect(&["run", "policy", "--with-dependencies"], 0);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../services/policy/migrations");
    let runner = refinery(&folder);
    let before = server.schema("soc_policies");

    let (applied, report) = with_client(&server, "soc_policies", async |client| {
        let applied = runner
            .get_applied_migrations_async(client)
            .await
            .expect("refinery reads the history");
        let report = runner
            .run_async(client)
            .await
            .expect("refinery accepts the history");
        (applied, report)
    });

    let mut expected: Vec<&Migration> = runner.get_migrations().iter().collect();
    expected.sort_by_key(|migration| migration.version());
    assert!(expected.len() >= 5, "{expected:?}");
    for (applied, expected) in applied.iter().zip(&expected) {
        assert_eq!(applied.version(), expected.version());
        assert_eq!(applied.name(), expected.name());
        assert_eq!(applied.checksum(), expected.checksum());
        assert!(applied.applied_on().is_some(), "{applied}");
    }
    assert_eq!(applied.len(), expected.len());
    assert!(report.applied_migrations().is_empty(), "{report:?}");
    assert_eq!(server.schema("soc_policies"), before);
}

#[test]
fn what_refinery_applied_is_applied_for_us() {
    let server = Server::start();
    let services = Services::new();
    let one = services.service("one", &[]);
    one.migration(1, "a", "CREATE TABLE a (id int);\n")
        .migration(2, "b", "CREATE TABLE b (id int);\n");
    server.create_database("db_one");
    let runner = refinery(&one.path().join("migrations"));
    with_client(&server, "db_one", async |client| {
        runner.run_async(client).await.expect("refinery runs")
    });

    let orchestrator = Program::orchestrator(&server).services(&services);
    let status = orchestrator
        .expect(&["status", "--output", "json"], 0)
        .json();
    assert_eq!(status["services"][0]["applied"], 2, "{status}");
    let run = orchestrator.expect(&["all"], 0);
    assert!(run.stdout.contains("Nothing to do"), "{}", run.stdout);
}

#[test]
fn two_services_share_a_database_with_a_history_table_each() {
    let server = Server::start();
    let services = Services::new();
    let lines =
        |name: &str| format!("database = \"both\"\nhistory_table = \"history_of_{name}\"\n");
    let one = services.service_with("one", &[], &lines("one"));
    one.reversible(1, "a", "CREATE TABLE a (id int);\n", "DROP TABLE a;\n");
    let two = services.service_with("two", &[], &lines("two"));
    // The same version in both: a version is unique within a service only.
    two.reversible(1, "b", "CREATE TABLE b (id int);\n", "DROP TABLE b;\n")
        .reversible(2, "c", "CREATE TABLE c (id int);\n", "DROP TABLE c;\n");
    let orchestrator = Program::orchestrator(&server).services(&services);
    orchestrator.expect(&["all"], 0);

    for (service, table, count) in [(&one, "history_of_one", 1), (&two, "history_of_two", 2)] {
        let mut runner = refinery(&service.path().join("migrations"));
        runner.set_migration_table_name(table);
        let (applied, report) = with_client(&server, "both", async |client| {
            let applied = runner
                .get_applied_migrations_async(client)
                .await
                .expect("a history");
            (
                applied,
                runner.run_async(client).await.expect("an accepted history"),
            )
        });
        assert_eq!(applied.len(), count);
        assert!(report.applied_migrations().is_empty(), "{report:?}");
    }
    let tables = server.value(
        "both",
        "SELECT to_regclass('refinery_schema_history') IS NULL",
    );
    assert_eq!(tables, "t");

    orchestrator.expect(&["revert", "two", "--all"], 0);
    let left = server.query(
        "both",
        "SELECT relname FROM pg_class WHERE relname IN ('a', 'b', 'c')",
    );
    assert_eq!(left, [["a"]]);
    let status = orchestrator
        .expect(&["status", "--output", "json"], 0)
        .json();
    assert_eq!(status["services"][0]["applied"], 1, "{status}");
    assert_eq!(status["services"][1]["pending"], 2, "{status}");
}

#[test]
fn what_was_adopted_is_applied_for_refinery_too() {
    let server = Server::start();
    let database = server.legacy_database("policy", 3);
    let orchestrator = Program::orchestrator(&server).scratch_beside();
    orchestrator.expect(&["adopt", "policy"], 0);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../services/policy/migrations");
    let runner = refinery(&folder);
    let applied = with_client(&server, &database, async |client| {
        runner
            .get_applied_migrations_async(client)
            .await
            .expect("refinery reads the history")
    });
    assert_eq!(applied.len(), 3);
    let mut expected: Vec<&Migration> = runner.get_migrations().iter().collect();
    expected.sort_by_key(|migration| migration.version());
    for (applied, expected) in applied.iter().zip(expected) {
        assert_eq!(applied.version(), expected.version());
        assert_eq!(applied.name(), expected.name());
        assert_eq!(applied.checksum(), expected.checksum());
        assert!(applied.applied_on().is_some(), "{applied}");
    }
    orchestrator.expect(&["run", "policy", "--with-dependencies"], 0);
    let report = with_client(&server, &database, async |client| {
        runner
            .run_async(client)
            .await
            .expect("refinery accepts the history")
    });
    assert!(report.applied_migrations().is_empty(), "{report:?}");
}
