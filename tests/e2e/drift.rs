//! `drift` compares a live schema with what its applied migrations make, and writes nothing.

use std::fs;

use serde_json::{Value, json};
use tests::{Outcome, Program, Server, Services};

/// A service with a table, an index, a view and a function.
fn services() -> Services {
    let services = Services::new();
    services
        .service("shop", &[])
        .migration(
            1,
            "tables",
            "CREATE TABLE items (id int PRIMARY KEY, name varchar(20) NOT NULL, price numeric);\n\
             CREATE INDEX items_name ON items (name);\n",
        )
        .migration(
            2,
            "code",
            "CREATE VIEW cheap AS SELECT id FROM items WHERE price < 10;\n\
             CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 2 * n';\n",
        );
    services
}

fn orchestrator(server: &Server, services: &Services) -> Program {
    Program::orchestrator(server)
        .scratch_beside()
        .services(services)
}

/// Everything migrated.
fn migrated() -> (Server, Services, Program) {
    let server = Server::start();
    let services = services();
    let orchestrator = orchestrator(&server, &services);
    orchestrator.expect(&["all"], 0);
    (server, services, orchestrator)
}

/// The objects that differ, by kind and name.
fn objects(outcome: &Outcome) -> Vec<String> {
    outcome.json()["services"][0]["differences"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|difference| {
            let text = |field: &str| difference[field].as_str().expect("text").to_owned();
            format!("{} {}", text("kind"), text("object"))
        })
        .collect()
}

const CHANGES: &str = "\
    ALTER TABLE items ALTER COLUMN name TYPE text; \
    DROP INDEX items_name; \
    CREATE TABLE extra (id int); \
    CREATE OR REPLACE FUNCTION twice(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT n + n'";

#[test]
fn without_drift_it_is_0_and_with_drift_it_is_4_with_the_objects() {
    let (server, _services, orchestrator) = migrated();
    let none = orchestrator.expect(&["drift"], 0);
    insta::assert_snapshot!("none", none.stdout);
    server.query("db_shop", CHANGES);
    let before = server.everything("db_shop");

    let people = orchestrator.expect(&["drift"], 4);
    insta::assert_snapshot!("people", people.stdout);
    let machines = orchestrator.expect(&["drift", "shop", "--output", "json"], 4);
    let mut document = machines.json();
    for version in ["server_version", "scratch_server_version"] {
        assert!(document["services"][0][version].is_string(), "{document}");
        document["services"][0][version] = json!("…");
    }
    let pretty = serde_json::to_string_pretty(&document).expect("JSON");
    insta::assert_snapshot!("machines", pretty);
    assert!(
        server.everything("db_shop") == before,
        "something was written"
    );
    assert_eq!(server.databases(), ["db_shop"]);
}

#[test]
fn it_needs_no_right_to_write_on_the_live_server() {
    let (server, services, _orchestrator) = migrated();
    let scratch = Server::start();
    server.query(
        "postgres",
        "CREATE ROLE reader LOGIN PASSWORD 'reader' NOSUPERUSER NOCREATEDB; \
         ALTER ROLE reader SET default_transaction_read_only = on",
    );
    server.query(
        "db_shop",
        "GRANT USAGE ON SCHEMA orchestrator TO reader; \
         GRANT SELECT ON ALL TABLES IN SCHEMA orchestrator TO reader; \
         GRANT SELECT ON refinery_schema_history TO reader",
    );
    let reader = Program::named("orchestrator")
        .services(&services)
        .env(
            "ORCHESTRATOR_SERVER_URL",
            &server.url_as("reader", "reader", "postgres"),
        )
        .env("ORCHESTRATOR_SCRATCH_SERVER", &scratch.url("postgres"));
    reader.expect(&["drift"], 0);
    server.query("db_shop", "DROP VIEW cheap");
    let drift = reader.expect(&["drift", "--output", "json"], 4);
    assert_eq!(objects(&drift), ["view public.cheap"]);
}

#[test]
fn only_what_is_applied_is_expected() {
    let server = Server::start();
    let services = services();
    let orchestrator = orchestrator(&server, &services);
    let absent = orchestrator.expect(&["drift"], 0);
    assert!(
        absent.stdout.contains("does not exist yet"),
        "{}",
        absent.stdout
    );
    assert_eq!(server.databases(), Vec::<String>::new());

    server.create_database("db_shop");
    orchestrator.expect(&["drift"], 0);
    orchestrator.expect(&["run", "shop", "--to", "1"], 0);
    orchestrator.expect(&["drift"], 0);
    server.query(
        "db_shop",
        "CREATE VIEW cheap AS SELECT id FROM items WHERE price < 10",
    );
    let drift = orchestrator.expect(&["drift", "--output", "json"], 4);
    assert_eq!(objects(&drift), ["view public.cheap"]);
}

#[test]
fn the_order_of_columns_is_reported_but_is_not_drift() {
    let (server, _services, orchestrator) = migrated();
    server.query(
        "db_shop",
        "DROP VIEW cheap; ALTER TABLE items DROP COLUMN price; ALTER TABLE items DROP COLUMN name; \
         ALTER TABLE items ADD COLUMN price numeric, ADD COLUMN name varchar(20) NOT NULL; \
         CREATE INDEX items_name ON items (name); \
         CREATE VIEW cheap AS SELECT id FROM items WHERE price < 10",
    );
    let reported = orchestrator.expect(&["drift"], 0);
    assert!(
        reported.stdout.contains(
            "columns of public.items are in another order: id, price, name (expected id, name, price)"
        ),
        "{}",
        reported.stdout
    );
}

#[test]
fn an_invalid_index_is_reported() {
    let (server, _services, orchestrator) = migrated();
    server.query(
        "db_shop",
        "INSERT INTO items VALUES (1, 'a', 1), (2, 'a', 2)",
    );
    server
        .try_query(
            "db_shop",
            "CREATE UNIQUE INDEX CONCURRENTLY broken ON items (name)",
        )
        .expect_err("two rows are the same");
    let reported = orchestrator.expect(&["drift"], 0);
    assert!(
        reported.stdout.contains("public.broken is INVALID"),
        "{}",
        reported.stdout
    );
    let document = orchestrator
        .expect(&["drift", "--output", "json"], 0)
        .json();
    assert_eq!(
        document["services"][0]["invalid_indexes"],
        json!(["public.broken"])
    );

    // One that the migrations make is missing where it is not valid.
    server.query(
        "db_shop",
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'items_name'::regclass",
    );
    let drift = orchestrator.expect(&["drift", "--output", "json"], 4);
    assert_eq!(objects(&drift), ["index public.items_name"]);
}

#[test]
fn a_history_that_does_not_fit_its_source_is_refused() {
    for (what, kind) in [
        ("edited", "was edited"),
        ("removed", "has no file"),
        ("half", "half done"),
    ] {
        let (server, services, orchestrator) = migrated();
        let shop = services.service("shop", &[]);
        let file = shop.path().join("migrations/V2__code.sql");
        match what {
            "edited" => fs::write(file, "SELECT 1;\n").expect("a file"),
            "removed" => fs::remove_file(file).expect("a file"),
            _ => {
                shop.migration(
                    3,
                    "halves",
                    "-- migration: no-transaction\nCREATE TABLE t (id int);\nSELECT 1 / 0;\n",
                );
                orchestrator.expect(&["all"], 1);
            }
        }
        let before = server.everything("db_shop");
        let refused = orchestrator.expect(&["drift"], 3);
        let text = refused.stdout + &refused.stderr;
        assert!(text.contains(kind), "{text}");
        assert!(text.contains("next: orchestrator status shop"), "{text}");
        let document = orchestrator
            .expect(&["drift", "--output", "json"], 3)
            .json();
        assert_eq!(document["services"][0]["exit_code"], 3, "{document}");
        assert!(server.everything("db_shop") == before);
    }
}

#[test]
fn a_pending_migration_between_applied_ones_is_not_expected() {
    let (_server, services, orchestrator) = migrated();
    services
        .service("shop", &[])
        .migration(3, "later", "CREATE TABLE later (id int);\n");
    orchestrator.expect(&["drift"], 0);
}

#[test]
fn wrong_usage_exits_2_and_an_unreachable_server_5() {
    let (_server, services, orchestrator) = migrated();
    let unknown = orchestrator.expect(&["drift", "shoop"], 2);
    assert!(unknown.stderr.contains("shop"), "{}", unknown.stderr);
    Program::named("orchestrator")
        .services(&services)
        .scratch_beside()
        .env(
            "ORCHESTRATOR_SERVER_URL",
            "postgresql://postgres@127.0.0.1:1",
        )
        .expect(&["drift"], 5);
}

#[test]
fn two_services_in_one_database_have_no_drift_from_each_other() {
    let server = Server::start();
    let services = Services::new();
    for (name, table) in [("one", "a"), ("two", "b")] {
        let lines = format!("database = \"both\"\nhistory_table = \"history_of_{name}\"\n");
        services.service_with(name, &[], &lines).migration(
            1,
            "table",
            &format!("CREATE TABLE {table} (id int);\n"),
        );
    }
    let orchestrator = orchestrator(&server, &services);
    orchestrator.expect(&["run", "one"], 0);
    orchestrator.expect(&["drift"], 0);
    orchestrator.expect(&["all"], 0);
    orchestrator.expect(&["drift"], 0);
    server.query("both", "ALTER TABLE b ADD COLUMN note text");
    let drift = orchestrator.expect(&["drift", "two", "--output", "json"], 4);
    assert_eq!(objects(&drift), ["column public.b.note"]);
}

#[test]
fn the_owner_of_the_live_schema_has_another_name_than_that_of_the_scratch_one() {
    let server = Server::start();
    let scratch = Server::start();
    server.query(
        "postgres",
        "CREATE ROLE migrator LOGIN PASSWORD 'x' CREATEDB; CREATE ROLE app",
    );
    let services = services();
    services.service("shop", &[]).migration(
        3,
        "rights",
        "GRANT SELECT ON items TO app;\nALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO app;\n",
    );
    let live = Program::named("orchestrator").services(&services).env(
        "ORCHESTRATOR_SERVER_URL",
        &server.url_as("migrator", "x", "postgres"),
    );
    live.expect(&["all"], 0);
    // The role that a migration names is made where it is missing, since the live server has it.
    let elsewhere = scratch.url("postgres");
    let drift = ["drift", "--scratch-server", &elsewhere, "--output", "json"];
    live.expect(&drift, 0);
    live.expect(&["drift", "--scratch-server", "same"], 0);

    server.query(
        "db_shop",
        "REVOKE SELECT ON items FROM app; GRANT SELECT ON cheap TO app",
    );
    let found = live.expect(&drift, 4);
    assert_eq!(objects(&found), ["table public.items", "view public.cheap"]);
    server.query(
        "db_shop",
        "GRANT SELECT ON items TO app; REVOKE SELECT ON cheap FROM app; ALTER TABLE items OWNER TO postgres",
    );
    let found = live.expect(&drift, 4);
    assert_eq!(objects(&found), ["table public.items"]);
}

#[test]
fn what_was_written_down_is_accepted_and_nothing_else() {
    let (server, _services, orchestrator) = migrated();
    server.query("db_shop", CHANGES);
    let file = orchestrator.folder().join("drift.toml");
    let path = file.to_str().expect("a path");
    orchestrator.expect(&["drift", "--write-drift", path], 4);
    let written = fs::read_to_string(&file).expect("the file");
    let accepted = orchestrator.expect(&["drift", "--accept-drift", path], 0);
    assert!(
        accepted.stdout.contains("4 differences accepted"),
        "{}",
        accepted.stdout
    );

    server.query("db_shop", "DROP VIEW cheap");
    let more = orchestrator.expect(&["drift", "--accept-drift", path, "--output", "json"], 4);
    assert_eq!(objects(&more), ["view public.cheap"]);
    let all = more.json()["services"][0]["accepted"]
        .as_array()
        .map(Vec::len);
    assert_eq!(all, Some(4));

    // Nobody's review is written over.
    let refused = orchestrator.expect(&["drift", "--write-drift", path], 2);
    assert!(
        refused.stderr.contains("not overwritten"),
        "{}",
        refused.stderr
    );
    assert_eq!(fs::read_to_string(&file).expect("the file"), written);
    let both = orchestrator.folder().join("both.toml");
    let both = both.to_str().expect("a path");
    orchestrator.expect(&["drift", "--accept-drift", path, "--write-drift", both], 4);
    orchestrator.expect(&["drift", "--accept-drift", both], 0);
}

#[test]
fn a_broken_file_of_accepted_drift_names_its_line() {
    let (_server, _services, orchestrator) = migrated();
    let file = orchestrator.folder().join("drift.toml");
    let path = file.to_str().expect("a path");
    for (text, words) in [
        (
            "schema = 2\n[[service]]\nname = \"shop\"\nversion = two\n",
            "line 4",
        ),
        ("schema = 2\nfoo = 1\n", "line 2"),
        ("schema = 3\n", "schema 3"),
        ("", "schema"),
    ] {
        fs::write(&file, text).expect("a file");
        let broken = orchestrator.expect(&["drift", "--accept-drift", path], 2);
        assert!(broken.stderr.contains(words), "{words}: {}", broken.stderr);
        assert!(broken.stderr.contains("drift.toml"), "{}", broken.stderr);
    }
}

#[test]
fn one_service_that_cannot_be_compared_does_not_hide_the_others() {
    let (server, services, orchestrator) = migrated();
    services
        .service("other", &[])
        .migration(1, "table", "CREATE TABLE t (id int);\n");
    orchestrator.expect(&["all"], 0);
    server.query("db_shop", CHANGES);
    services
        .service("other", &[])
        .migration(1, "table", "CREATE TABLE t (id bigint);\n");
    let document = orchestrator
        .expect(&["drift", "--output", "json"], 3)
        .json();
    let services: Vec<(&Value, bool)> = document["services"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|service| (&service["name"], service["error"].is_string()))
        .collect();
    assert_eq!(services, [(&json!("other"), true), (&json!("shop"), false)]);
}

#[test]
fn a_database_that_came_out_of_a_backup_has_no_drift() {
    let server = Server::start();
    let services = Services::new();
    services.service("shop", &[]).migration(
        1,
        "tables",
        "CREATE TABLE items (state varchar NOT NULL CHECK (state IN ('new', 'old')));\n\
         CREATE INDEX items_new ON items (state) WHERE state IN ('new', 'it''s');\n",
    );
    let orchestrator = orchestrator(&server, &services);
    orchestrator.expect(&["all"], 0);
    let check =
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'items_state_check'";
    let as_created = server.value("db_shop", check);
    let backup = services.path().join("backup.sql");
    // A pg_dump that is newer than the server writes a setting which that does not know.
    let dump: String = server
        .everything("db_shop")
        .lines()
        .filter(|line| !line.starts_with("SET transaction_timeout"))
        .map(|line| format!("{line}\n"))
        .collect();
    fs::write(&backup, dump).expect("a file");
    server.query("postgres", "ALTER DATABASE db_shop RENAME TO lost");
    server.create_database("db_shop");
    server.psql_file("db_shop", &backup, false);
    let as_restored = server.value("db_shop", check);
    assert_ne!(as_restored, as_created, "PostgreSQL spells them alike now");
    orchestrator.expect(&["drift", "shop"], 0);
    // What means something else is drift as before.
    server.query(
        "db_shop",
        "ALTER TABLE items DROP CONSTRAINT items_state_check, \
           ADD CONSTRAINT items_state_check CHECK (state IN ('new', 'gone'))",
    );
    orchestrator.expect(&["drift", "shop"], 4);
}

#[test]
fn what_pg_dump_does_not_tell_is_drift_and_settings_of_the_database_are_shown_apart() {
    let server = Server::start();
    let services = Services::new();
    services.service("shop", &[]).migration(
        1,
        "tables",
        "CREATE EXTENSION citext;\nCREATE TABLE a (id int PRIMARY KEY);\n\
         CREATE TABLE b (a_id int REFERENCES a);\nSELECT lo_from_bytea(0, 'x');\n",
    );
    let orchestrator = orchestrator(&server, &services);
    orchestrator.expect(&["all"], 0);
    let drift = ["drift", "--output", "json"];
    orchestrator.expect(&drift, 0);

    server.query(
        "db_shop",
        "CREATE ROLE other; ALTER DATABASE db_shop SET search_path = public; ALTER DATABASE db_shop SET app.password = 'x'; \
         ALTER ROLE other IN DATABASE db_shop SET work_mem = '5MB'; ALTER DATABASE db_shop CONNECTION LIMIT 50; \
         REVOKE CONNECT ON DATABASE db_shop FROM PUBLIC; GRANT CREATE ON DATABASE db_shop TO other; \
         ALTER DATABASE db_shop OWNER TO other",
    );
    let found = orchestrator.expect(&drift, 0).json();
    let settings = found["services"][0]["database_settings"].clone();
    assert_eq!(
        settings,
        json!([
            {"name": "owner", "value": "other"},
            {"name": "connection limit", "value": "50"},
            {"name": "grant", "value": "REVOKE CONNECT FROM PUBLIC"},
            {"name": "app.password", "value": "(hidden)"},
            {"name": "search_path", "value": "public"},
            {"name": "work_mem", "value": "5MB", "role": "other"},
        ])
    );

    for (change, undo, object) in [
        (
            "ALTER TABLE b DISABLE TRIGGER ALL",
            "ALTER TABLE b ENABLE TRIGGER ALL",
            "table public.b",
        ),
        (
            "ALTER TABLE a DISABLE TRIGGER ALL",
            "ALTER TABLE a ENABLE TRIGGER ALL",
            "table public.a",
        ),
        (
            "CREATE TABLE orchestrator.evil (id int)",
            "DROP TABLE orchestrator.evil",
            "table orchestrator.evil",
        ),
        (
            "CREATE FUNCTION orchestrator.evil() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "DROP FUNCTION orchestrator.evil()",
            "function orchestrator.evil()",
        ),
        (
            "ALTER FUNCTION citextin(cstring) OWNER TO other",
            "ALTER FUNCTION citextin(cstring) OWNER TO CURRENT_USER",
            "privileges public.citextin(cstring)",
        ),
        (
            "SELECT lo_create(4242)",
            "SELECT lo_unlink(4242)",
            "large objects <owner> without grants",
        ),
        (
            "SELECT lo_create(4242); ALTER LARGE OBJECT 4242 OWNER TO other; COMMENT ON LARGE OBJECT 4242 IS 'x'",
            "SELECT lo_unlink(4242)",
            "large objects other without grants",
        ),
    ] {
        server.query("db_shop", change);
        assert_eq!(
            objects(&orchestrator.expect(&drift, 4)),
            [object],
            "{change}"
        );
        server.query("db_shop", undo);
        orchestrator.expect(&drift, 0);
    }
}
