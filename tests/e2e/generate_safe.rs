//! `generate` writes files that block no traffic for long, and `check` agrees.

use std::fs;
use std::path::Path;

use tests::{Program, Server, Services};

const OLD: &str = "CREATE TABLE users (id bigint PRIMARY KEY, mail text NOT NULL, n int NOT NULL, CONSTRAINT \"UQ_users_mail\" UNIQUE (mail));\n\
    CREATE INDEX \"IDX_users_n\" ON users (n);\n\
    CREATE INDEX \"IDX_users_mail\" ON users (mail);\n\
    CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint NOT NULL);\n\
    CREATE TABLE events (id bigint NOT NULL, at date NOT NULL) PARTITION BY RANGE (at);\n\
    CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2020-01-01') TO ('2040-01-01');\n\
    CREATE TYPE state AS ENUM ('open');\n";

const NEW: &str = "CREATE TYPE state AS ENUM ('open', 'closed');\n\
    CREATE TABLE users (id bigint PRIMARY KEY, mail text NOT NULL, n int NOT NULL, state state NOT NULL DEFAULT 'closed',\n\
        CONSTRAINT \"UQ_users_mail\" UNIQUE (mail, n), CONSTRAINT \"CHK_users_state\" CHECK (state >= 'open'));\n\
    CREATE INDEX \"IDX_users_n\" ON users (n, mail);\n\
    CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint NOT NULL, CONSTRAINT \"UQ_orders_user\" UNIQUE (user_id));\n\
    CREATE TABLE lines (id bigint PRIMARY KEY, user_id bigint NOT NULL CONSTRAINT \"FK_lines_user\" REFERENCES orders (user_id));\n\
    CREATE INDEX \"IDX_lines_user\" ON lines (user_id);\n\
    CREATE TABLE events (id bigint NOT NULL, at date NOT NULL) PARTITION BY RANGE (at);\n\
    CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2020-01-01') TO ('2040-01-01');\n\
    CREATE INDEX \"IDX_events_at\" ON events (at);\n\
    ALTER TABLE orders ADD CONSTRAINT \"FK_orders_user\" FOREIGN KEY (user_id) REFERENCES users (id);\n";

/// The new files of a kind in order, each with its name without the version.
fn files(service: &Path, kind: &str) -> Vec<(String, String)> {
    let mut paths: Vec<_> = fs::read_dir(service.join(kind))
        .expect("a folder")
        .map(|it| it.expect("an entry").path())
        .filter(|it| !it.ends_with("V1__old.sql"))
        .collect();
    paths.sort();
    let named = |path: &std::path::PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = name.split_once("__").map_or("", |(_, name)| name);
        (name.to_owned(), fs::read_to_string(path).expect("a file"))
    };
    paths.iter().map(named).collect()
}

#[test]
fn tables_that_exist_get_safe_forms_without_a_gap() {
    let server = Server::start();
    let services = Services::new();
    let service = services.service("one", &[]);
    service.migration(1, "old", OLD);
    service.file("schema.sql", NEW);
    let orchestrator = Program::orchestrator(&server).services(&services);
    orchestrator.expect(&["generate", "one", "Next"], 0);

    let migrations = files(service.path(), "migrations");
    let names: Vec<&str> = migrations.iter().map(|it| it.0.as_str()).collect();
    assert_eq!(
        names,
        [
            "next_enum_values.sql",
            "next.sql",
            "next_indexes.sql",
            "next_finish.sql",
            "next_validate.sql"
        ]
    );
    let is_apart = |text: &str| text.starts_with("-- migration: no-transaction\n");
    for (name, text) in migrations.iter().chain(&files(service.path(), "reverts")) {
        assert!(
            !text.contains("CONCURRENTLY") || is_apart(text),
            "{name}: {text}"
        );
    }
    // The old key is dropped in the transaction that adds the new one.
    let finish = &migrations[3].1;
    assert!(
        finish.contains("DROP CONSTRAINT \"UQ_users_mail\""),
        "{finish}"
    );
    assert!(
        finish.contains("USING INDEX \"IDX_UQ_users_mail__new\""),
        "{finish}"
    );
    assert!(!is_apart(finish), "{finish}");

    // What `check` finds was found before, or is about the old file.
    let check = orchestrator
        .run(&["check", "one", "--output", "json"])
        .json();
    let found: Vec<&serde_json::Value> = check["findings"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|it| it["version"] != 1)
        // PostgreSQL cannot drop the index of a partitioned table CONCURRENTLY.
        .filter(|it| it["rule"] != "index-drop-not-concurrent")
        .collect();
    assert!(found.is_empty(), "{found:?}");
    orchestrator.expect(&["all"], 0);
    orchestrator.expect(&["revert", "one", "--to", "1"], 0);
}

#[test]
fn the_plain_form_is_one_file_on_request() {
    let server = Server::start();
    let services = Services::new();
    let service = services.service("one", &[]);
    service.migration(1, "old", "CREATE TABLE a (id bigint);\n");
    service.file(
        "schema.sql",
        "CREATE TABLE a (id bigint NOT NULL);\nCREATE INDEX \"IDX_a\" ON a (id);\n",
    );
    let orchestrator = Program::orchestrator(&server).services(&services);
    orchestrator.expect(&["generate", "one", "Next", "--unsafe"], 0);
    let migrations = files(service.path(), "migrations");
    assert_eq!(migrations.len(), 1);
    assert!(!migrations[0].1.contains("CONCURRENTLY"));
}

#[test]
fn rows_that_exist_are_part_of_the_proof() {
    let server = Server::start();
    let services = Services::new();
    let service = services.service("one", &[]);
    service.migration(
        1,
        "old",
        "CREATE TABLE a (id bigint PRIMARY KEY, n numeric(10,4), mail text);\n",
    );
    let orchestrator = Program::orchestrator(&server).services(&services);
    let generate = |columns: &str, options: &[&str], code: i32| {
        let schema = format!("CREATE TABLE a (id bigint PRIMARY KEY, {columns});\n");
        service.file("schema.sql", schema);
        let arguments = ["generate", "one", "Next", "--dry-run", "--output", "json"];
        orchestrator.expect(&[&arguments, options].concat(), code)
    };
    // Existing rows would have no value.
    let required = "n numeric(10,4), mail text, k int NOT NULL";
    let refused = generate(required, &[], 3).stderr;
    assert!(
        refused.contains("needs-empty-table:public.a.k"),
        "{refused}"
    );
    generate(required, &["--allow", "needs-empty-table:public.a.k"], 0);
    generate(
        "n numeric(10,4), mail text, k int NOT NULL DEFAULT 1",
        &[],
        0,
    );
    // The digits are lost.
    let rounded = "n numeric(10,1), mail text";
    let refused = generate(rounded, &[], 3).stderr;
    assert!(refused.contains("loses-data:a.n"), "{refused}");
    generate(rounded, &["--allow", "loses-data:a.n"], 0);
    // Whether these run depends on the rows, and nothing is lost if they do not.
    for columns in [
        "n numeric(10,4), mail text NOT NULL",
        "n numeric(10,4), mail varchar(3)",
    ] {
        let hazards = generate(columns, &[], 0).json()["hazards"].to_string();
        assert!(hazards.contains("fails-on-rows"), "{columns}: {hazards}");
    }
}
