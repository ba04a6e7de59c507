//! A restore brings a database back to what its backup holds, with all that belongs to it, and keeps the old one.

pub mod world;

use std::time::Duration;

use backup::{DumpFormat, Manifest};
use insta::assert_snapshot;
use serde_json::Value;
use tests::{Program, SERVICES, Server};
use world::{DATABASE, World, surroundings};

/// Roles, rights, comment and settings of a database.
const SURROUNDINGS: &str = "CREATE ROLE app LOGIN; CREATE ROLE auditor; CREATE ROLE \"Owner\"; \
    ALTER DATABASE db_one OWNER TO \"Owner\"; \
    REVOKE ALL ON DATABASE db_one FROM PUBLIC; GRANT CONNECT ON DATABASE db_one TO app WITH GRANT OPTION; \
    GRANT TEMPORARY ON DATABASE db_one TO auditor; SET ROLE app; GRANT CONNECT ON DATABASE db_one TO auditor; RESET ROLE; \
    COMMENT ON DATABASE db_one IS 'what''s \\ in it'; ALTER DATABASE db_one CONNECTION LIMIT 50; \
    ALTER DATABASE db_one SET search_path = public, \"$user\"; ALTER DATABASE db_one SET work_mem = '5MB'; \
    ALTER DATABASE db_one SET app.tenant = 'a''b'; ALTER ROLE app IN DATABASE db_one SET statement_timeout = '3s'; \
    ALTER DATABASE db_one SET default_transaction_isolation = 'repeatable read'";

#[test]
fn rows_and_schema_are_those_of_the_backup_and_the_old_ones_are_kept() {
    let world = World::new();
    let restored = world
        .orchestrator
        .expect(&world.restore(&["--output", "json"]), 0);
    world.assert_restored();
    let swapped = &restored.events_of("database_swapped")[0];
    let kept = swapped["kept_as"].as_str().expect("a name");
    assert_eq!(world.beside(), [kept]);
    assert_eq!(world.server.contents(kept), world.now);
    assert_eq!(world.server.value(DATABASE, "SELECT nextval('s')"), "8");

    let planned = &restored.events_of("restore_planned")[0];
    assert_eq!(planned["head"], 2);
    assert_eq!(planned["loses"], serde_json::json!([3]));
    let finished = restored.events().pop().expect("an event");
    assert_eq!(finished["event"], "run_finished");
    assert_eq!(
        (&finished["verdict"], &finished["restored"]),
        (&"done".into(), &1.into())
    );
}

#[test]
fn all_that_belongs_to_a_database_is_kept() {
    let world = World::new();
    world.server.query("postgres", SURROUNDINGS);
    let before = surroundings(&world.server, DATABASE);
    world.orchestrator.expect(&world.restore(&[]), 0);
    assert_eq!(surroundings(&world.server, DATABASE), before);
    world.assert_restored();
}

#[test]
fn a_database_that_was_lost_gets_what_the_manifest_knows_of_it() {
    let mut world = World::new();
    world.server.query("postgres", SURROUNDINGS);
    world.manifest = world.back_up("second", &["one"], DumpFormat::Custom);
    let before = surroundings(&world.server, DATABASE);
    world.server.query("postgres", "DROP DATABASE db_one");
    let restored = world
        .orchestrator
        .expect(&world.restore(&["--output", "json"]), 0);
    assert_eq!(surroundings(&world.server, DATABASE), before);
    assert_eq!(world.server.contents(DATABASE), world.now);
    assert_eq!(
        restored.events_of("database_swapped")[0]["kept_as"],
        Value::Null
    );
    assert_eq!(world.server.databases(), [DATABASE]);
}

#[test]
fn owners_and_rights_within_the_database_come_back() {
    let mut world = World::new();
    world.server.query(
        DATABASE,
        "CREATE ROLE app; CREATE ROLE owner; GRANT SELECT ON t TO app; ALTER TABLE since OWNER TO owner; \
         CREATE SCHEMA x AUTHORIZATION owner; ALTER DEFAULT PRIVILEGES IN SCHEMA x GRANT SELECT ON TABLES TO app; \
         SELECT lo_from_bytea(4711, 'large'); CREATE PUBLICATION p FOR TABLE t",
    );
    world.manifest = world.back_up("second", &["one"], DumpFormat::Directory);
    let before = world.server.everything(DATABASE);
    world.server.query(
        DATABASE,
        "REVOKE SELECT ON t FROM app; DROP TABLE since; DROP SCHEMA x; DROP PUBLICATION p",
    );
    world
        .orchestrator
        .expect(&world.restore(&["--restore-jobs", "2"]), 0);
    let after = world.server.everything(DATABASE);
    let restored: Vec<&str> = after
        .lines()
        .filter(|line| !line.contains("'restored'"))
        .collect();
    assert_eq!(restored.join("\n"), before);
}

#[test]
fn a_restored_database_has_statistics() {
    let world = World::new();
    world.orchestrator.expect(&world.restore(&[]), 0);
    let rows = world.server.value(
        DATABASE,
        "SELECT reltuples FROM pg_class WHERE relname = 't'",
    );
    assert_eq!(rows, "500");
}

#[test]
fn what_was_lost_is_pending_and_the_next_run_applies_it_again() {
    let world = World::new();
    world.orchestrator.expect(&world.restore(&[]), 0);
    let status = world
        .orchestrator
        .expect(&["status", "--output", "json"], 0)
        .json();
    assert_eq!(status["services"][0]["pending"], 1);
    world.orchestrator.expect(&["doctor"], 0);
    world.orchestrator.expect(&["all"], 0);
    assert_eq!(world.server.applied(DATABASE), [1, 2, 3]);
    world.orchestrator.expect(&["revert", "one", "--all"], 0);
}

#[test]
fn the_journal_records_it_and_its_chain_is_intact() {
    let world = World::new();
    world.orchestrator.expect(&world.restore(&[]), 0);
    let kept = world.beside().remove(0);
    let row = world.server.query(
        DATABASE,
        "SELECT version, name, outcome, message FROM orchestrator.journal ORDER BY id DESC LIMIT 1",
    );
    assert_eq!(row[0][..3], ["2", "more", "restored"]);
    let last = world.server.query(
        &kept,
        "SELECT id, encode(hash, 'hex') FROM orchestrator.journal ORDER BY id DESC LIMIT 1",
    );
    let message = &row[0][3];
    assert!(message.contains("from backup first of "), "{message}");
    assert!(message.contains(&format!("is kept as {kept}")), "{message}");
    let end = format!("ends with row {}, {}", last[0][0], last[0][1]);
    assert!(message.contains(&end), "{message}");
    let verified = world.orchestrator.expect(&["history", "--verify"], 0);
    assert!(verified.stdout.contains("verified"), "{}", verified.stdout);
    let history = world.orchestrator.expect(&["history", "one"], 0);
    assert!(history.stdout.contains("restored"), "{}", history.stdout);
}

#[test]
fn an_older_anchor_reports_that_the_database_was_restored() {
    let world = World::new();
    let anchor = world.backups.path().join("anchor.json");
    let anchor = anchor.to_str().expect("a path");
    world
        .orchestrator
        .expect(&["history", "one", "--anchor-out", anchor], 0);
    world.orchestrator.expect(&world.restore(&[]), 0);
    let verify = [
        "history", "one", "--verify", "--anchor", anchor, "--output", "json",
    ];
    for further_rows in [false, true] {
        let found = world.orchestrator.expect(&verify, 4).json();
        let findings = found["services"][0]["findings"]
            .as_array()
            .expect("a list")
            .clone();
        assert_eq!(findings.len(), 1, "{findings:#?}");
        assert_eq!(findings[0]["kind"], "restored", "{findings:#?}");
        if !further_rows {
            world.orchestrator.expect(&["all"], 0);
        }
    }
}

#[test]
fn an_anchor_from_before_the_backup_still_holds() {
    let mut world = World::new();
    let anchor = world.backups.path().join("anchor.json");
    let anchor = anchor.to_str().expect("a path").to_owned();
    world
        .orchestrator
        .expect(&["history", "one", "--anchor-out", &anchor], 0);
    world.manifest = world.back_up("second", &["one"], DumpFormat::Custom);
    world.orchestrator.expect(&world.restore(&[]), 0);
    world
        .orchestrator
        .expect(&["history", "one", "--verify", "--anchor", &anchor], 0);
}

#[test]
fn a_dry_run_explains_itself_and_writes_nothing() {
    let world = World::new();
    let _user = world.server.session(DATABASE);
    let dry = world.orchestrator.expect(&world.restore(&["--dry-run"]), 0);
    for words in [
        "from backup first",
        "2 migrations up to 2",
        "pending again: 3",
        "1 session in db_one",
    ] {
        assert!(dry.stdout.contains(words), "{words}: {}", dry.stdout);
    }
    assert!(dry.stdout.contains("nothing was written"), "{}", dry.stdout);
    world.assert_untouched();
}

#[test]
fn latest_is_the_newest_of_each_service() {
    let world = World::new();
    world.back_up("second", &["one"], DumpFormat::Custom);
    // The clock of the machine that took the first one was years ahead: the server's clock decides.
    let mut first = Manifest::read(&world.manifest).expect("a manifest");
    first.started_at += Duration::from_secs(100_000_000);
    first.finished_at += Duration::from_secs(100_000_000);
    let folder = world.manifest.parent().expect("a folder");
    first.write(folder).expect("written");
    std::fs::create_dir_all(world.backups.path().join("killed/one.dump")).expect("a folder");
    world.server.query(DATABASE, "DROP TABLE since");
    let folder = world.backups.path().to_str().expect("a path");
    let latest = [
        "restore",
        "all",
        "--from",
        "latest",
        "--backup-folder",
        folder,
    ];
    let restored = world
        .orchestrator
        .expect(&[&latest[..], &["--output", "json"]].concat(), 0);
    assert_eq!(restored.events_of("restore_planned")[0]["backup"], "second");
    assert_eq!(world.server.contents(DATABASE), world.now);
}

#[test]
fn what_is_kept_is_listed_and_dropped_on_demand() {
    let world = World::new();
    world.server.create_database("db_one_before_then");
    world.orchestrator.expect(&world.restore(&[]), 0);
    world.orchestrator.expect(&world.restore(&[]), 0);
    let kept = world.beside();
    assert_eq!(kept.len(), 3, "{kept:?}");
    let listed = world
        .orchestrator
        .expect(&["restore", "one", "--drop-old", "--dry-run"], 0);
    assert!(
        listed.stdout.contains("2 former databases kept"),
        "{}",
        listed.stdout
    );
    assert_eq!(world.beside(), kept);

    let user = world.server.session(&kept[0]);
    let refused = world
        .orchestrator
        .expect(&["restore", "one", "--drop-old"], 3);
    assert!(
        refused.stderr.contains("is in use: pid"),
        "{}",
        refused.stderr
    );
    drop(user);
    world
        .orchestrator
        .expect(&["restore", "one", "--drop-old", "--terminate"], 0);
    assert_eq!(world.beside(), ["db_one_before_then"]);
    world.assert_restored();
}

#[test]
fn the_old_one_can_go_at_once() {
    let world = World::new();
    let restored = world
        .orchestrator
        .expect(&world.restore(&["--drop-old", "--output", "json"]), 0);
    assert_eq!(restored.events_of("old_database_dropped").len(), 1);
    assert_eq!(world.beside(), Vec::<String>::new());
    world.assert_restored();
}

#[test]
fn the_only_copy_is_not_dropped() {
    let world = World::new();
    world.orchestrator.expect(&world.restore(&[]), 0);
    world.server.query("postgres", "DROP DATABASE db_one");
    let refused = world
        .orchestrator
        .expect(&["restore", "one", "--drop-old"], 3);
    assert!(
        refused.stderr.contains("may be the only copy"),
        "{}",
        refused.stderr
    );
    assert_eq!(world.beside().len(), 1);
}

#[test]
fn an_owner_who_may_create_databases_is_enough() {
    let world = World::new();
    world
        .server
        .query("postgres", "CREATE ROLE soc LOGIN PASSWORD 'soc' CREATEDB");
    world
        .server
        .query("postgres", "CREATE DATABASE db_two OWNER soc");
    world
        .services
        .service("two", &[])
        .migration(1, "a", "CREATE TABLE a (id int);\n");
    let orchestrator = Program::named("orchestrator")
        .env(
            "ORCHESTRATOR_SERVER_URL",
            &world.server.url_as("soc", "soc", "postgres"),
        )
        .services(&world.services);
    orchestrator.expect(&["run", "two"], 0);
    let manifest = world.back_up("two", &["two"], DumpFormat::Custom);
    world.server.query("db_two", "DROP TABLE a");
    let restore = [
        "restore",
        "two",
        "--from",
        manifest.to_str().expect("a path"),
    ];
    orchestrator.expect(&restore, 0);
    assert_eq!(world.server.value("db_two", "SELECT count(*) FROM a"), "0");

    let user = world.server.session("db_two");
    let refused = orchestrator.expect(&[&restore[..], &["--terminate"]].concat(), 3);
    assert!(
        refused.stderr.contains("pg_signal_backend"),
        "{}",
        refused.stderr
    );
    assert_eq!(user.value("SELECT 1"), "1");
    drop(user);
    world.server.query("postgres", "ALTER ROLE soc NOCREATEDB");
    let refused = orchestrator.expect(&restore, 3);
    assert!(
        refused
            .stderr
            .contains("lacks the privilege to create databases"),
        "{}",
        refused.stderr
    );
}

#[test]
fn encoding_and_locale_are_those_of_the_old_database() {
    let server = Server::start();
    let major: i32 = server
        .value("postgres", "SHOW server_version_num")
        .parse::<i32>()
        .expect("a number")
        / 10_000;
    let options = if major >= 15 {
        "TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'de' LOCALE 'C'"
    } else {
        "TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'"
    };
    let world = World::on(server, options);
    let before = surroundings(&world.server, DATABASE);
    world.orchestrator.expect(&world.restore(&[]), 0);
    assert_eq!(surroundings(&world.server, DATABASE), before);
    world.server.query("postgres", "DROP DATABASE db_one");
    world.orchestrator.expect(&world.restore(&[]), 0);
    assert_eq!(surroundings(&world.server, DATABASE), before);
    world.assert_restored();
}

#[test]
fn human_output_is_in_lines() {
    let world = World::new();
    let reported = world.orchestrator.expect(&world.restore(&[]), 0).stdout;
    let mut words: Vec<&str> = reported
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    words.dedup();
    assert_snapshot!(words.join(" "), @"Restoring checked filling verified restored 1 next:");
}

#[test]
fn doctor_names_what_is_kept_and_drops_what_a_dead_restore_left() {
    let world = World::new();
    world.orchestrator.expect(&world.restore(&[]), 0);
    let kept = world.beside();
    for name in [
        "db_one_restoring_0123abcd",
        "db_one_restoring_mine",
        "another_restoring_0123abcd",
        "another_before_20261123t041500z",
    ] {
        world.server.create_database(name);
    }
    let before = world.server.databases();
    let found = world
        .orchestrator
        .expect(&["doctor", "--output", "json"], 4)
        .json();
    let findings: Vec<String> = found["findings"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|finding| {
            format!(
                "{} {} {}",
                finding["severity"], finding["kind"], finding["what"]
            )
        })
        .collect();
    assert_eq!(findings.len(), 2, "{findings:#?}");
    assert!(
        findings[0].starts_with(
            "\"warning\" \"dead_restore\" \"database db_one_restoring_0123abcd is left"
        ),
        "{findings:#?}"
    );
    let note = format!("\"note\" \"kept_database\" \"database {} (", kept[0]);
    assert!(findings[1].starts_with(&note), "{findings:#?}");
    assert_eq!(
        found["findings"][1]["next"]
            .as_str()
            .map(|next| next.contains("restore one --drop-old")),
        Some(true)
    );
    world.orchestrator.expect(&["doctor", "--fix"], 0);
    let mut left = world.server.databases();
    left.push("db_one_restoring_0123abcd".to_owned());
    left.sort();
    assert_eq!(left, before);
}

#[test]
fn the_whole_platform_goes_back_to_its_newest_backup() {
    let server = Server::start();
    let orchestrator = Program::orchestrator(&server);
    orchestrator.expect(&["all"], 0);
    orchestrator.expect(&["backup", "all"], 0);
    let databases = || SERVICES.iter().map(|(_, database)| *database);
    let contents = || {
        databases()
            .map(|name| server.contents(name))
            .collect::<Vec<_>>()
    };
    let before = contents();
    orchestrator.expect(&["revert", "all"], 0);
    let users: Vec<_> = databases().map(|name| server.session(name)).collect();
    let restored = orchestrator.expect(
        &[
            "restore",
            "all",
            "--from",
            "latest",
            "--terminate",
            "--output",
            "json",
        ],
        0,
    );
    drop(users);
    assert_eq!(contents(), before);
    let finished = restored.events().pop().expect("an event");
    assert_eq!(finished["restored"], SERVICES.len());
    orchestrator.expect(&["history", "--verify"], 0);
    let status = orchestrator.expect(&["all"], 0);
    assert!(!status.stdout.contains("applied in"), "{}", status.stdout);
    orchestrator.expect(&["restore", "all", "--drop-old"], 0);
    assert_eq!(server.databases().len(), SERVICES.len());
}
