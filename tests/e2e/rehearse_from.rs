//! `rehearse --from`: pending migrations on the schema of the live database, or on a backup.

use std::path::PathBuf;

use serde_json::Value;
use tests::{Outcome, Program, Server, Services};

/// A shop of which two migrations are applied, with rows; the third and fourth are pending.
fn shop() -> (Server, Services, Program) {
    let server = Server::start();
    let services = Services::new();
    services
        .service("shop", &[])
        .reversible(
            1,
            "items",
            "CREATE TABLE items (id int PRIMARY KEY, name text);\n",
            "DROP TABLE items;\n",
        )
        .reversible(
            2,
            "more",
            "CREATE TABLE more (id int);\n",
            "DROP TABLE more;\n",
        );
    let program = orchestrator(&server, &services);
    program.expect(&["all"], 0);
    server.query("db_shop", "INSERT INTO items VALUES (1, NULL), (2, 'b')");
    services
        .service("shop", &[])
        .reversible(
            3,
            "price",
            "ALTER TABLE items ADD COLUMN price int;\n",
            "ALTER TABLE items DROP COLUMN price;\n",
        )
        .reversible(
            4,
            "named",
            "-- migration: allow scans-under-lock \"few rows\"\nALTER TABLE items ALTER COLUMN name SET NOT NULL;\n",
            "ALTER TABLE items ALTER COLUMN name DROP NOT NULL;\n",
        );
    (server, services, program)
}

fn orchestrator(server: &Server, services: &Services) -> Program {
    Program::orchestrator(server)
        .scratch_beside()
        .services(services)
}

/// Rows are written to the copy of a live schema: what other roles have planted there would run as who rehearses.
#[test]
fn code_of_another_role_in_the_live_schema_is_not_run() {
    let (server, _services, program) = shop();
    server.query(
        "db_shop",
        "CREATE ROLE mallory; CREATE SCHEMA m AUTHORIZATION mallory; SET ROLE mallory;
         CREATE DOMAIN m.positive AS int CHECK (VALUE > 0);
         CREATE TABLE m.harmless (id serial, at timestamptz DEFAULT now(), b bool DEFAULT true, c m.positive CHECK (c < 9));
         CREATE VIEW m.seen AS SELECT * FROM m.harmless",
    );
    rehearse(&program, "live", 0);
    for (object, plant, remove) in [
        (
            "m.f()",
            "CREATE FUNCTION m.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "DROP FUNCTION m.f()",
        ),
        (
            "m.t",
            "CREATE TABLE m.t (id int CHECK (query_to_xml('SELECT 1', true, true, '') IS NOT NULL))",
            "DROP TABLE m.t",
        ),
        (
            "m.t",
            "CREATE TABLE m.t (id text DEFAULT query_to_xml('SELECT 1', true, true, '')::text)",
            "DROP TABLE m.t",
        ),
        (
            "m.d",
            "CREATE DOMAIN m.d AS int CHECK (query_to_xml('SELECT 1', true, true, '') IS NOT NULL)",
            "DROP DOMAIN m.d",
        ),
    ] {
        server.query("db_shop", &format!("SET ROLE mallory; {plant}"));
        let outcome = rehearse(&program, "live", 3);
        let refusal = &outcome.events_of("service_failed")[0]["refusal"];
        assert_eq!(refusal["kind"], "foreign_code", "{plant}");
        let message = refusal["message"].as_str().expect("a message");
        assert!(
            message.contains(&format!("{object} belongs to mallory")),
            "{message}"
        );
        server.query("db_shop", remove);
    }
    server.query("db_shop", "ALTER SCHEMA m OWNER TO postgres");
    program.expect(&["rehearse"], 0);
}

fn rehearse(program: &Program, from: &str, code: i32) -> Outcome {
    program.expect(&["rehearse", "--from", from, "--output", "json"], code)
}

fn verdicts(outcome: &Outcome) -> Vec<String> {
    outcome
        .events_of("migration_rehearsed")
        .iter()
        .map(|event| {
            let reversible = event["reversible"].as_str().expect("text");
            format!("{} {reversible}", event["version"])
        })
        .collect()
}

/// A backup of all services, by its manifest.
fn backup(program: &Program) -> PathBuf {
    let outcome = program.expect(&["backup", "all", "--output", "json"], 0);
    let taken = &outcome.events_of("backup_taken")[0];
    let manifest = taken["manifest"].as_str().expect("a path");
    program.folder().join(manifest)
}

fn text(path: &std::path::Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn on_the_live_schema_without_its_rows() {
    let (server, _services, program) = shop();
    // What somebody changed by hand is there, and no row is.
    server.query("db_shop", "CREATE INDEX by_hand ON items (name); CREATE ROLE auditor; GRANT SELECT ON items TO auditor");
    let before = server.everything("db_shop");
    let outcome = rehearse(&program, "live", 0);
    assert_eq!(verdicts(&outcome), ["3 proven", "4 proven"]);
    assert!(
        server.everything("db_shop") == before,
        "something was written"
    );
    assert_eq!(server.databases(), ["db_shop"]);
}

#[test]
fn what_was_changed_by_hand_is_in_the_way_there_and_not_on_an_empty_database() {
    let (server, _services, program) = shop();
    server.query("db_shop", "ALTER TABLE items ADD COLUMN price int");
    let outcome = rehearse(&program, "live", 4);
    assert_eq!(verdicts(&outcome), ["3 unknown"]);
    assert_eq!(verdicts(&rehearse(&program, "empty", 0)).len(), 2);
}

#[test]
fn on_another_server_the_roles_of_the_live_one_are_made() {
    let (server, services, _program) = shop();
    let scratch = Server::start();
    server.query(
        "db_shop",
        "CREATE ROLE auditor; GRANT SELECT ON items TO auditor; ALTER TABLE more OWNER TO auditor",
    );
    let program = orchestrator(&server, &services)
        .env("ORCHESTRATOR_SCRATCH_SERVER", &scratch.url("postgres"));
    assert_eq!(
        verdicts(&rehearse(&program, "live", 0)),
        ["3 proven", "4 proven"]
    );
    // A backup does not say whom it names.
    scratch.query("postgres", "DROP ROLE auditor");
    let manifest = backup(&program);
    let outcome = rehearse(&program, text(&manifest), 4);
    assert_eq!(verdicts(&outcome), ["3 proven", "4 unknown"]);
    assert_eq!(scratch.databases(), Vec::<String>::new());
}

#[test]
fn on_a_backup_with_its_rows() {
    let (server, _services, program) = shop();
    let manifest = backup(&program);
    let folder = manifest.parent().expect("a folder").to_owned();
    // The live database goes on meanwhile: what is pending is what the backup has not applied.
    server.query("db_shop", "DELETE FROM items");
    program.expect(&["all"], 0);
    for from in [&manifest, &folder] {
        let outcome = rehearse(&program, text(from), 4);
        assert_eq!(verdicts(&outcome), ["3 proven", "4 unknown"]);
        let failed = &outcome.events_of("migration_rehearsed")[1]["findings"];
        let fails = failed
            .as_array()
            .expect("a list")
            .iter()
            .find(|finding| finding["rule"] == "up-fails")
            .expect("a finding");
        let message = fails["message"].as_str().expect("text");
        assert!(message.contains("contains null values"), "{message}");
    }
    assert_eq!(
        rehearse(&program, "live", 0).events()[0]["unchanged"][0],
        "shop"
    );
    assert_eq!(server.databases(), ["db_shop"]);
}

#[test]
fn services_in_one_database_come_from_one_dump() {
    let server = Server::start();
    let services = Services::new();
    let shared =
        |name: &str| format!("database = \"shared\"\nhistory_table = \"{name}_history\"\n");
    services
        .service_with("base", &[], &shared("base"))
        .reversible(
            1,
            "t",
            "CREATE TABLE base (id int PRIMARY KEY);\n",
            "DROP TABLE base;\n",
        );
    let above = services.service_with("above", &["base"], &shared("above"));
    above.reversible(
        1,
        "t",
        "CREATE TABLE above (id int REFERENCES base (id));\n",
        "DROP TABLE above;\n",
    );
    let program = orchestrator(&server, &services);
    program.expect(&["all"], 0);
    let manifest = backup(&program);
    services
        .service_with("base", &[], &shared("base"))
        .reversible(
            2,
            "u",
            "CREATE TABLE base2 (id int PRIMARY KEY);\n",
            "DROP TABLE base2;\n",
        );
    above.reversible(
        2,
        "u",
        "CREATE TABLE above2 (id int REFERENCES base2 (id));\n",
        "DROP TABLE above2;\n",
    );
    for from in ["live", text(&manifest)] {
        assert_eq!(
            verdicts(&rehearse(&program, from, 0)),
            ["2 proven", "2 proven"]
        );
    }
}

#[test]
fn what_is_asked_wrongly_is_a_mistake() {
    let (_server, _services, program) = shop();
    let manifest = backup(&program);
    for from in ["live", text(&manifest)] {
        let mistake = program.expect(&["rehearse", "--every", "--from", from], 2);
        assert!(
            mistake.stderr.contains("next: orchestrator "),
            "{}",
            mistake.stderr
        );
    }
    let missing = program.expect(&["rehearse", "--from", "nowhere"], 2);
    assert!(missing.stderr.contains("nowhere"), "{}", missing.stderr);
    let mut document: Value =
        serde_json::from_slice(&std::fs::read(&manifest).expect("a file")).expect("JSON");
    document["services"][0]["server_version"] = "99.1".into();
    std::fs::write(&manifest, document.to_string()).expect("a file");
    let newer = program.expect(&["rehearse", "--from", text(&manifest)], 3);
    assert!(
        newer.stderr.contains("comes from PostgreSQL 99.1"),
        "{}",
        newer.stderr
    );

    let dump = document["services"][0]["files"][0]["path"]
        .as_str()
        .expect("a path")
        .to_owned();
    let dump = manifest.parent().expect("a folder").join(dump);
    let mut bytes = std::fs::read(&dump).expect("a file");
    bytes.pop();
    std::fs::write(&dump, bytes).expect("a file");
    let damaged = program.expect(&["rehearse", "--from", text(&manifest)], 3);
    assert!(
        damaged.stderr.contains("the backup is damaged"),
        "{}",
        damaged.stderr
    );
}

#[test]
fn a_missing_database_has_applied_nothing() {
    let server = Server::start();
    let services = Services::new();
    services.service("shop", &[]).reversible(
        1,
        "t",
        "CREATE TABLE t (id int);\n",
        "DROP TABLE t;\n",
    );
    let program = orchestrator(&server, &services);
    assert_eq!(verdicts(&rehearse(&program, "live", 0)), ["1 proven"]);
    assert_eq!(server.databases(), Vec::<String>::new());
}
