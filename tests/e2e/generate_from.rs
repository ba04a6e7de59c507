//! `generate --from-url` and `--from-dump`: the first migration of a service that exists only as a database.

use std::fs;
use std::path::Path;
use std::process::Command;

use tests::{Program, Server, Services};

const SOURCE: &str = "
    CREATE ROLE reading; CREATE ROLE reader LOGIN PASSWORD 'hidden-word' IN ROLE pg_read_all_data;
    CREATE TYPE mood AS ENUM ('good', 'bad');
    CREATE TABLE owners (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, \"fullName\" text NOT NULL DEFAULT 'a -- b');
    CREATE TABLE things (id serial PRIMARY KEY, owner bigint REFERENCES owners ON DELETE CASCADE, mood mood DEFAULT 'good');
    CREATE INDEX things_owner ON things (owner) WHERE mood = 'bad';
    CREATE VIEW bad AS SELECT id FROM things WHERE mood = 'bad';
    CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
-- kept
  RETURN NEW;
END $$;
    CREATE TRIGGER stop BEFORE UPDATE ON things FOR EACH ROW EXECUTE FUNCTION stop();
    GRANT SELECT ON things TO reading;
    CREATE TABLE migrations (id serial PRIMARY KEY, timestamp bigint NOT NULL, name varchar NOT NULL);
    INSERT INTO migrations (timestamp, name) VALUES (1, 'A1');
    INSERT INTO owners (\"fullName\") VALUES ('-- x'), (E'two\\nlines');
    INSERT INTO things (owner) VALUES (1);
";

/// The files of a service.
fn files(folder: &Path) -> Vec<String> {
    let list = |kind: &str| {
        let entries = fs::read_dir(folder.join(kind)).into_iter().flatten();
        entries.map(|it| it.expect("an entry").path().display().to_string())
    };
    list("migrations").chain(list("reverts")).collect()
}

#[test]
fn a_database_or_its_dump_becomes_schema_sql_and_a_first_migration() {
    let server = Server::start();
    server.create_database("source");
    server.query("source", SOURCE);
    let before = server.everything("source");
    let dump = |options: &[&str], file: &Path| {
        let mut command = Command::new(server.program("pg_dump"));
        command.args(options).arg("--file").arg(file);
        let status = command.arg(server.url("source")).status();
        assert!(status.expect("pg_dump runs").success());
        file.display().to_string()
    };
    let services = Services::new();
    let plain = dump(&[], &services.path().join("plain.dump"));
    let archive = dump(&["-Fc"], &services.path().join("archive.dump"));
    let url = server.url_as("reader", "hidden-word", "source");
    let orchestrator = Program::orchestrator(&server).services(&services);
    let sources = [
        ("--from-url", &url),
        ("--from-dump", &plain),
        ("--from-dump", &archive),
    ];
    for (number, (flag, source)) in sources.into_iter().enumerate() {
        let name = format!("s{number}");
        services.service(&name, &[]);
        let folder = services.path().join(&name);
        let generate = ["generate", &name, "Initial", flag, source];
        let shown = orchestrator.expect(&[&generate[..], &["--dry-run"]].concat(), 0);
        assert!(!(shown.stdout + &shown.stderr).contains("hidden-word"));
        assert!(files(&folder).is_empty() && !folder.join("schema.sql").exists());
        let outcome = orchestrator.expect(&[&generate[..], &["--output", "json"]].concat(), 0);
        assert_eq!(outcome.json()["proven"], true, "{}", outcome.stdout);
        assert!(outcome.json()["schema_file"].is_string());
        assert_eq!(files(&folder).len(), 2);
        let schema = fs::read_to_string(folder.join("schema.sql")).expect("schema.sql");
        assert!(schema.contains("-- kept") && !schema.contains("migrations"));
        orchestrator.expect(&["schema", "diff", &name], 0);
        orchestrator.expect(&["run", &name], 0);
        // There is one first migration.
        orchestrator.expect(&["generate", &name, "Second", flag, source], 3);
        assert_eq!(files(&folder).len(), 2);
    }
    assert_eq!(server.everything("source"), before);
    server.query("source", "DROP TABLE migrations");
    for number in 0..3 {
        let database = format!("db_s{number}");
        assert_eq!(server.schema(&database), server.schema("source"));
        let granted = "SELECT has_table_privilege('reading', 'things', 'SELECT')";
        assert_eq!(server.value(&database, granted), "t");
    }
}

#[test]
fn a_source_that_cannot_be_taken_leaves_no_file() {
    let server = Server::start();
    server.create_database("empty");
    server.create_database("source");
    server.query("source", "CREATE TABLE a (id int)");
    let services = Services::new();
    services.service("one", &[]);
    let file = |name: &str, bytes: &[u8]| {
        let path = services.path().join(name);
        fs::write(&path, bytes).expect("a file");
        path.display().to_string()
    };
    let empty = server.url("empty");
    let source = server.url("source");
    let absent = server.url("absent");
    let garbage = file("garbage", b"one two three");
    let binary = file("binary", b"\xff\xfe\x00");
    let archive = file("archive", b"PGDMP and no more");
    let nothing = file("nothing", b"");
    let folder = services.path().join("one");
    let orchestrator = Program::orchestrator(&server).services(&services);
    let refused = |flag: &str, source: &str, code: i32| {
        let outcome = orchestrator.expect(&["generate", "one", "Initial", flag, source], code);
        let text = outcome.stdout + &outcome.stderr;
        assert!(!text.contains("hidden-word"), "{text}");
        assert!(files(&folder).is_empty(), "{source}");
    };
    refused("--from-url", "postgres://a:hidden-word@[::/x", 2);
    refused(
        "--from-url",
        "postgres://a:hidden-word@127.0.0.1:1/x?connect_timeout=2",
        5,
    );
    refused("--from-url", &absent, 2);
    refused("--from-url", &empty, 3);
    refused("--from-dump", "absent.sql", 2);
    refused("--from-dump", &garbage, 1);
    refused("--from-dump", &binary, 2);
    refused("--from-dump", &archive, 2);
    refused("--from-dump", &nothing, 3);
    assert!(!folder.join("schema.sql").exists());
    fs::write(folder.join("schema.sql"), "CREATE TABLE b ();\n").expect("schema.sql");
    refused("--from-url", &source, 3);
    let kept = fs::read_to_string(folder.join("schema.sql")).expect("schema.sql");
    assert_eq!(kept, "CREATE TABLE b ();\n");
    fs::write(folder.join("schema.sql"), "").expect("schema.sql");
    orchestrator.expect(&["generate", "one", "Initial", "--from-url", &source], 0);
    assert_ne!(
        fs::read_to_string(folder.join("schema.sql")).expect("schema.sql"),
        ""
    );
    assert!(!folder.join("schema.sql.new").exists());
}
