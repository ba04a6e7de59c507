//! `docs/takeover.md`, read and done: each of its commands in order, as it stands there, with the exit code and the output
//! that the page promises.

use std::collections::BTreeMap;

use tests::{Page, PageUser, SERVICES, Server};

const PAGE: &str = include_str!("../../docs/takeover.md");

/// The database user of the page: it owns what TypeORM made, and may create databases.
const USER: &str = "migrator";
const PASSWORD: &str = "secret";

#[test]
fn every_command_of_the_page_works_as_described() {
    let server = Server::start();
    the_databases_of_the_page(&server);
    let before: BTreeMap<_, _> = server
        .databases()
        .into_iter()
        .map(|database| (database.clone(), typeorm_rows(&server, &database)))
        .collect();
    let user = PageUser {
        name: USER.to_owned(),
        password: PASSWORD.to_owned(),
    };
    Page::new("docs/takeover.md", PAGE).perform(&server, &user, |_| {});

    for (database, rows) in before {
        if database != "soc_integrations" && database != "soc_notifications" {
            assert_eq!(typeorm_rows(&server, &database), rows, "{database}");
        }
    }
    let scratch = "SELECT datname FROM pg_database WHERE datname LIKE 'orchestrator_scratch%'";
    assert_eq!(server.value("postgres", scratch), "");
}

/// Eleven databases in the states that the page speaks of, made and owned by the page's user.
fn the_databases_of_the_page(server: &Server) {
    server.query(
        "postgres",
        &format!(
            "CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}' CREATEDB; ALTER ROLE CURRENT_USER SET role = '{USER}'"
        ),
    );
    for service in ["auth", "client"] {
        server.synchronised_database(service);
    }
    for (service, migrations) in [
        ("policy", 3),
        ("control", 1),
        ("evidence", 1),
        ("workflow", 1),
        ("reporting", 1),
        ("audit", 1),
        ("integration", 1),
        ("notification", 2),
    ] {
        server.legacy_database(service, migrations);
    }
    for (database, sql) in [
        ("postgres", "CREATE DATABASE soc_ai"),
        (
            "soc_policies",
            "CREATE INDEX idx_policies_owner ON policies (\"ownerId\")",
        ),
        ("soc_evidence", "DROP TABLE migrations"),
        (
            "soc_workflows",
            "CREATE TABLE workflow_migrations AS TABLE migrations; DELETE FROM migrations",
        ),
        (
            "soc_integrations",
            "INSERT INTO migrations (\"timestamp\", name) VALUES (1755000000000, 'TrySyncCursor1755000000000')",
        ),
        (
            "soc_notifications",
            "DELETE FROM migrations WHERE \"timestamp\" = 1706204000000",
        ),
        (
            "postgres",
            "ALTER DATABASE soc_reporting RENAME TO soc_reports",
        ),
    ] {
        server.query(database, sql);
    }
    server.query(
        "postgres",
        "SET ROLE NONE; ALTER ROLE CURRENT_USER RESET role",
    );
    assert_eq!(server.databases().len(), SERVICES.len());
}

/// What TypeORM's tables of a database hold.
fn typeorm_rows(server: &Server, database: &str) -> Vec<Vec<String>> {
    ["migrations", "workflow_migrations"]
        .into_iter()
        .filter_map(|table| {
            server
                .try_query(database, &format!("SELECT * FROM {table} ORDER BY id"))
                .ok()
        })
        .flatten()
        .collect()
}
