//! A backup holds exactly the databases that it is about, as they were at one moment.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use sha2::{Digest, Sha256};
use tests::{Outcome, Program, SERVICES, Server, Services};

/// Two services, of which the second has a table with rows.
pub(crate) fn shop() -> Services {
    let services = Services::new();
    services
        .service("one", &[])
        .migration(1, "a", "CREATE TABLE a (id int PRIMARY KEY);\n");
    services.service("two", &["one"]).migration(
        1,
        "b",
        "CREATE TABLE b (id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, text text);\n\
         INSERT INTO b (text) SELECT md5(i::text) FROM generate_series(1, 1000) i;\n\
         CREATE INDEX b_text ON b (text);\nCOMMENT ON TABLE b IS 'it''s b';\n",
    );
    services
}

/// The backups below a program's folder, oldest first.
pub(crate) fn backups(program: &Program) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(program.folder().join("backups")) else {
        return Vec::new();
    };
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    found.sort();
    found
}

/// The only backup of a program, and its manifest.
#[track_caller]
pub(crate) fn only_backup(program: &Program) -> (PathBuf, Value) {
    let found = backups(program);
    assert_eq!(found.len(), 1, "{found:?}");
    let manifest = manifest(&found[0]);
    (found[0].clone(), manifest)
}

pub(crate) fn manifest(backup: &Path) -> Value {
    let text = fs::read_to_string(backup.join("manifest.json")).expect("a manifest");
    serde_json::from_str(&text).expect("the manifest is JSON")
}

pub(crate) fn entry<'a>(manifest: &'a Value, service: &str) -> &'a Value {
    manifest["services"]
        .as_array()
        .expect("services")
        .iter()
        .find(|entry| entry["service"] == service)
        .unwrap_or_else(|| panic!("{service} is not in {manifest}"))
}

fn names(manifest: &Value) -> Vec<&str> {
    let services = manifest["services"].as_array().expect("services");
    services
        .iter()
        .map(|entry| entry["service"].as_str().expect("a name"))
        .collect()
}

/// Restores an entry's dump into a new database with pg_restore alone.
pub(crate) fn restore(server: &Server, backup: &Path, entry: &Value, database: &str) {
    server.create_database(database);
    // The rights of a new `public` are not in a dump: before PostgreSQL 15 everyone may create in it, but not in a database of ours.
    server.query(database, "REVOKE CREATE ON SCHEMA public FROM PUBLIC");
    let output = Command::new(server.program("pg_restore"))
        .arg("--dbname")
        .arg(server.url(database))
        .arg(backup.join(entry["path"].as_str().expect("a path")))
        .output()
        .expect("pg_restore runs");
    let words = String::from_utf8_lossy(&output.stderr);
    // A newer pg_restore sets what an older server does not know.
    let errors = words.matches("pg_restore: error: ").count();
    let unknown = words
        .matches("unrecognized configuration parameter")
        .count();
    assert_eq!(errors, unknown, "{words}");
}

/// The files of every entry are there as the manifest says.
#[track_caller]
pub(crate) fn assert_files_are_true(backup: &Path, manifest: &Value) {
    for entry in manifest["services"].as_array().expect("services") {
        let files = entry["files"].as_array().expect("files");
        assert!(!files.is_empty(), "{entry}");
        for file in files {
            let bytes =
                fs::read(backup.join(file["path"].as_str().expect("a path"))).expect("it is there");
            assert_eq!(file["bytes"], bytes.len(), "{file}");
            let digits: String = Sha256::digest(&bytes)
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            assert_eq!(file["sha256"], digits, "{file}");
        }
    }
}

#[track_caller]
pub(crate) fn last(outcome: &Outcome) -> Value {
    let last = outcome.events().last().cloned().expect("events");
    assert_eq!(last["event"], "run_finished", "{}", outcome.stdout);
    last
}

#[test]
fn restored_by_hand_it_is_the_database() {
    let (server, services) = (Server::start(), shop());
    let orchestrator = Program::orchestrator(&server).services(&services);
    orchestrator.expect(&["all"], 0);
    let before: BTreeMap<&str, String> = ["db_one", "db_two"]
        .map(|database| (database, server.everything(database)))
        .into();
    let outcome = orchestrator.expect(&["backup", "all", "--output", "json"], 0);
    server.query("db_two", "DELETE FROM b; DROP INDEX b_text");

    let (backup, manifest) = only_backup(&orchestrator);
    assert_eq!(last(&outcome)["verdict"], "done");
    assert_eq!(
        last(&outcome)["backup"].as_str(),
        backup.join("manifest.json").to_str()
    );
    assert_eq!(names(&manifest), ["one", "two"]);
    assert_eq!(manifest["run_id"], last(&outcome)["run_id"]);
    assert_files_are_true(&backup, &manifest);
    for (service, database) in [("one", "db_one"), ("two", "db_two")] {
        let entry = entry(&manifest, service);
        assert_eq!(entry["database"], database);
        assert_eq!(entry["applied"], 1);
        assert_eq!(entry["head"]["version"], 1);
        assert_eq!(entry["properties"]["encoding"], "UTF8");
        let restored = format!("restored_{service}");
        restore(&server, &backup, entry, &restored);
        assert_eq!(server.everything(&restored), before[database], "{service}");
    }
    assert_eq!(
        server.value("restored_two", "SELECT count(*) FROM b"),
        "1000"
    );
}

#[test]
fn a_run_dumps_exactly_what_it_will_change_as_it_was_before() {
    let (server, services) = (Server::start(), shop());
    let orchestrator = Program::orchestrator(&server).services(&services);
    orchestrator.expect(&["all"], 0);
    let before = server.everything("db_two");
    services.service("two", &["one"]).migration(
        2,
        "c",
        "DELETE FROM b;\nALTER TABLE b DROP COLUMN text;\n",
    );
    let outcome = orchestrator.expect(&["all", "--backup", "--output", "json"], 0);

    let (backup, manifest) = only_backup(&orchestrator);
    assert_eq!(names(&manifest), ["two"], "one does not change");
    assert_eq!(entry(&manifest, "two")["head"]["version"], 1);
    restore(&server, &backup, entry(&manifest, "two"), "restored");
    assert_eq!(server.everything("restored"), before);
    let kinds: Vec<String> = outcome
        .events()
        .iter()
        .map(|event| event["event"].as_str().expect("a kind").to_owned())
        .filter(|kind| kind != "backup_progress")
        .collect();
    assert_eq!(
        kinds,
        [
            "run_started",
            "backup_started",
            "backup_finished",
            "backup_taken",
            "service_started",
            "migration_started",
            "migration_applied",
            "service_finished",
            "run_finished"
        ]
    );
    assert_eq!(
        last(&outcome)["backup"],
        outcome.events_of("backup_taken")[0]["manifest"]
    );
    assert_eq!(server.applied("db_two"), [1, 2]);
}

#[test]
fn where_nothing_changes_nothing_is_dumped_and_it_is_said() {
    let (server, services) = (Server::start(), shop());
    let orchestrator = Program::orchestrator(&server).services(&services);
    let new = orchestrator.expect(&["all", "--backup", "--output", "json"], 0);
    let skipped = new.events_of("backup_skipped");
    assert_eq!(skipped.len(), 2, "{}", new.stdout);
    assert!(
        skipped[0]["because"]
            .as_str()
            .expect("why")
            .contains("created just now")
    );
    assert_eq!(last(&new)["applied"], 2);
    assert!(last(&new)["backup"].is_null());

    let again = orchestrator.expect(&["all", "--backup"], 0);
    assert!(
        again.stdout.contains("nothing is going to change"),
        "{}",
        again.stdout
    );
    assert!(again.stdout.contains("Nothing to do"), "{}", again.stdout);
    assert!(backups(&orchestrator).is_empty());
}

#[test]
fn a_dry_run_lists_what_it_would_dump_and_writes_nothing() {
    let (server, services) = (Server::start(), shop());
    let orchestrator = Program::orchestrator(&server).services(&services);
    orchestrator.expect(&["run", "one"], 0);
    services
        .service("one", &[])
        .migration(2, "c", "CREATE TABLE c (id int);\n");
    let outcome = orchestrator.expect(&["all", "--backup", "--dry-run"], 0);
    let first = outcome.stdout.lines().next().expect("a line");
    assert!(
        first.starts_with("-- a backup would be taken first"),
        "{first}"
    );
    assert!(
        first.ends_with(" of: db_one"),
        "db_two does not exist: {first}"
    );
    assert!(backups(&orchestrator).is_empty());
    assert_eq!(server.databases(), ["db_one"]);
}

#[test]
fn a_folder_of_files_is_written_by_several_jobs() {
    let (server, services) = (Server::start(), shop());
    let orchestrator = Program::orchestrator(&server).services(&services);
    orchestrator.expect(&["all"], 0);
    let before = server.everything("db_two");
    let directory = ["--backup-format", "directory", "--dump-jobs", "3"];
    orchestrator.expect(&[&["backup", "two"], directory.as_slice()].concat(), 0);

    let (backup, manifest) = only_backup(&orchestrator);
    let entry = entry(&manifest, "two");
    assert_eq!(
        (&entry["format"], &entry["path"]),
        (&"directory".into(), &"two".into())
    );
    assert!(
        entry["files"].as_array().expect("files").len() > 2,
        "{entry}"
    );
    assert_files_are_true(&backup, &manifest);
    restore(&server, &backup, entry, "restored");
    assert_eq!(server.everything("restored"), before);
    let misused = orchestrator.expect(&["backup", "two", "--dump-jobs", "3"], 2);
    assert!(
        misused.stderr.contains("--backup-format directory"),
        "{}",
        misused.stderr
    );
}

#[test]
fn services_of_one_database_share_its_dump() {
    let (server, services) = (Server::start(), Services::new());
    for name in ["first", "second"] {
        let lines = format!("database = \"shared\"\nhistory_table = \"history_of_{name}\"\n");
        let table = format!("CREATE TABLE t_{name} (id int);\n");
        services
            .service_with(name, &[], &lines)
            .migration(1, "t", &table);
    }
    let orchestrator = Program::orchestrator(&server).services(&services);
    orchestrator.expect(&["all"], 0);
    let outcome = orchestrator.expect(&["backup", "all", "--output", "json"], 0);
    assert_eq!(outcome.events_of("backup_finished").len(), 1);
    let (backup, manifest) = only_backup(&orchestrator);
    let (left, right) = (entry(&manifest, "first"), entry(&manifest, "second"));
    assert_eq!(left["path"], right["path"]);
    assert_eq!(left["history_table"], "history_of_first");
    assert_eq!(
        (&left["applied"], &right["applied"]),
        (&1.into(), &1.into())
    );
    assert_files_are_true(&backup, &manifest);
}

#[test]
fn the_platform_has_one_manifest() {
    let server = Server::start();
    let orchestrator = Program::orchestrator(&server);
    orchestrator.expect(&["all"], 0);
    let outcome = orchestrator.expect(&["backup", "all"], 0);
    assert!(
        outcome.stdout.contains("11 services backed up"),
        "{}",
        outcome.stdout
    );
    let (backup, manifest) = only_backup(&orchestrator);
    let mut expected: Vec<&str> = SERVICES.iter().map(|(name, _)| *name).collect();
    expected.sort_unstable();
    assert_eq!(names(&manifest), expected);
    assert_files_are_true(&backup, &manifest);
}

#[test]
fn what_a_dump_lacks_is_in_the_manifest() {
    let (server, services) = (Server::start(), shop());
    server.query("postgres", "CREATE ROLE keeper; CREATE ROLE reader");
    server.query(
        "postgres",
        "CREATE DATABASE db_one TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' OWNER keeper CONNECTION LIMIT 20",
    );
    for sql in [
        "ALTER DATABASE db_one SET work_mem = '8MB'",
        "ALTER ROLE reader IN DATABASE db_one SET search_path = a, b",
        "COMMENT ON DATABASE db_one IS 'the first'",
        "GRANT CONNECT ON DATABASE db_one TO reader",
    ] {
        server.query("postgres", sql);
    }
    let orchestrator = Program::orchestrator(&server).services(&services);
    orchestrator.expect(&["run", "one"], 0);
    server.query(
        "db_one",
        "CREATE TABLE \"Straße\" (text text); INSERT INTO \"Straße\" VALUES ('ä')",
    );
    orchestrator.expect(&["backup", "one", "--verify", "restore"], 0);
    let (_, manifest) = only_backup(&orchestrator);
    let one = entry(&manifest, "one");
    assert_eq!(one["rows"]["public.\"Straße\""], 1, "{one}");
    let properties = &one["properties"];
    assert_eq!(properties["owner"], "keeper");
    assert_eq!(properties["encoding"], "LATIN1");
    assert_eq!(properties["collate"], "C");
    assert_eq!(properties["connection_limit"], 20);
    assert_eq!(properties["comment"], "the first");
    assert_eq!(properties["tablespace"], "pg_default");
    let settings = serde_json::json!([
        {"role": null, "name": "work_mem", "value": "8MB"},
        {"role": "reader", "name": "search_path", "value": "a, b"},
    ]);
    assert_eq!(properties["settings"], settings);
    let privileges = properties["privileges"].to_string();
    assert!(privileges.contains("reader=c/keeper"), "{privileges}");
}

#[test]
fn a_database_that_does_not_exist_is_refused_and_nothing_is_written() {
    let (server, services) = (Server::start(), shop());
    let orchestrator = Program::orchestrator(&server).services(&services);
    orchestrator.expect(&["run", "one"], 0);
    let outcome = orchestrator.expect(&["backup", "all", "--output", "json"], 3);
    let failed = outcome.events_of("service_failed");
    assert_eq!(failed[0]["service"], "two", "{}", outcome.stdout);
    assert!(
        failed[0]["message"]
            .as_str()
            .expect("words")
            .contains("db_two")
    );
    assert_eq!(last(&outcome)["verdict"], "refused");
    assert!(backups(&orchestrator).is_empty());
    assert_eq!(server.databases(), ["db_one"]);
}

#[test]
fn the_newest_are_kept_and_older_ones_go() {
    let (server, services) = (Server::start(), shop());
    let orchestrator = Program::orchestrator(&server).services(&services);
    orchestrator.expect(&["all"], 0);
    orchestrator.expect(&["backup", "two"], 0);
    let of_two = backups(&orchestrator);
    for _ in 0..2 {
        orchestrator.expect(&["backup", "one"], 0);
    }
    let before = backups(&orchestrator);
    let outcome = orchestrator.expect(&["backup", "one", "--keep", "2", "--output", "json"], 0);
    let after = backups(&orchestrator);
    assert_eq!(after.len(), 3, "{after:?}");
    assert!(after.contains(&of_two[0]), "the only one of two stays");
    let gone: Vec<&PathBuf> = before.iter().filter(|path| !after.contains(path)).collect();
    assert_eq!(gone.len(), 1);
    assert_eq!(
        outcome.events_of("backup_removed")[0]["path"].as_str(),
        gone[0].to_str()
    );
    let misused = orchestrator.expect(&["all", "--keep", "2"], 2);
    assert!(
        misused.stderr.contains("--keep 2 --backup"),
        "{}",
        misused.stderr
    );
}

#[test]
fn the_folder_is_configured_and_its_files_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let (server, services) = (Server::start(), shop());
    let place = tempfile::tempdir().expect("a folder");
    let config = place.path().join("own.toml");
    fs::write(&config, "[backup]\nfolder = \"vault/of/backups\"\n").expect("a file");
    let orchestrator = Program::orchestrator(&server).services(&services);
    orchestrator.expect(&["run", "one"], 0);
    let config = config.to_str().expect("a path");
    orchestrator.expect(&["backup", "one", "--config", config], 0);
    let vault = orchestrator.folder().join("vault/of/backups");
    let mode = |path: &Path| {
        fs::metadata(path)
            .expect("it is there")
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(mode(&vault), 0o700);
    let backup = fs::read_dir(&vault)
        .expect("a folder")
        .next()
        .expect("one")
        .expect("one")
        .path();
    assert_eq!(mode(&backup), 0o700);
    for file in ["one.dump", "manifest.json"] {
        assert_eq!(mode(&backup.join(file)), 0o600, "{file}");
    }
}

#[test]
fn what_cannot_be_undone_is_restored_from_the_backup_of_the_run() {
    let (server, services) = (Server::start(), shop());
    let orchestrator = Program::orchestrator(&server).services(&services);
    orchestrator.expect(&["all"], 0);
    services
        .service("two", &["one"])
        .migration(2, "no_way_back", "DROP INDEX b_text;\n")
        .migration(3, "fails", "SELECT nothing;\n");
    let arguments = [
        "all",
        "--backup",
        "--on-failure",
        "revert",
        "--output",
        "json",
    ];
    let outcome = orchestrator.expect(&arguments, 1);
    let (_, manifest) = only_backup(&orchestrator);
    assert_eq!(names(&manifest), ["two"]);
    let next = last(&outcome)["next"].to_string();
    let manifest = last(&outcome)["backup"]
        .as_str()
        .expect("a manifest")
        .to_owned();
    assert!(next.contains(&format!("--from {manifest}")), "{next}");
}
