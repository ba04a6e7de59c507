//! The journal shows what was done to it: each row carries the hash of the one before, and an anchor kept elsewhere vouches for
//! all of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use domain::{Checksum, Direction, Version};
use nix::sys::signal::Signal;
use pg_address::DatabaseAddress;
use pg_session::{ConnectOptions, Connections};
use serde_json::Value;
use store::{Attempt, AttemptOutcome, RunIdentity, record_failed};
use tests::{Outcome, Program, Server, Services, wait_until};

/// The columns as they were before there was a chain.
const OLD_COLUMNS: &str = "run_id, service, version, name, direction, checksum, outcome, started_at, duration_ms, \
     attempts, statements_done, statements, sqlstate, message, database_user, client_user, client_host, client_address, \
     program_version";

/// A service with six rows in its journal, of every outcome that a run writes.
struct Fixture {
    server: Server,
    services: Services,
    orchestrator: Program,
}

impl Fixture {
    fn new() -> Self {
        let server = Server::start();
        let services = Services::new();
        services
            .service("shop", &[])
            .reversible(1, "first", "CREATE TABLE a (id int)", "DROP TABLE a")
            .reversible(
                2,
                "second",
                "-- migration: no-transaction\nCREATE TABLE b (id int);\nCREATE INDEX CONCURRENTLY ON b (id);",
                "DROP TABLE b",
            );
        let orchestrator = Program::orchestrator(&server).services(&services);
        orchestrator.expect(&["all"], 0);
        orchestrator.expect(&["revert", "shop"], 0);
        services.service("shop", &[]).migration(
            3,
            "fails",
            "SELECT 'a \"quoted\" \\ text, ünïcödé' / 0",
        );
        orchestrator.expect(&["all"], 1);
        services
            .service("shop", &[])
            .migration(3, "fails", "SELECT 1");
        orchestrator.expect(&["all"], 0);
        let fixture = Self {
            server,
            services,
            orchestrator,
        };
        assert_eq!(
            fixture.value("SELECT string_agg(outcome, ' ' ORDER BY id) FROM orchestrator.journal"),
            "applied applied reverted applied failed applied"
        );
        assert_eq!(fixture.verify(0), Vec::<String>::new());
        fixture
    }

    fn sql(&self, sql: &str) {
        self.server.query("db_shop", sql);
    }

    fn value(&self, sql: &str) -> String {
        self.server.value("db_shop", sql)
    }

    /// The findings of `--verify`, as `kind first-last`.
    #[track_caller]
    fn verify(&self, code: i32) -> Vec<String> {
        findings(
            &self
                .orchestrator
                .expect(&["history", "--verify", "--output", "json"], code),
        )
    }

    #[track_caller]
    fn verify_with(&self, anchor: &str, code: i32) -> Vec<String> {
        findings(&self.orchestrator.expect(
            &[
                "history", "--verify", "--anchor", anchor, "--output", "json",
            ],
            code,
        ))
    }

    fn anchor(&self, name: &str) -> String {
        let file = self.file(name);
        let file = file.to_str().expect("a path").to_owned();
        self.orchestrator
            .expect(&["history", "--anchor-out", &file], 0);
        file
    }

    fn file(&self, name: &str) -> PathBuf {
        self.orchestrator.folder().join(name)
    }

    /// Runs a change of the journal, looks at what is found, and takes the change back.
    #[track_caller]
    fn found_after(&self, change: &str, code: i32) -> Vec<String> {
        self.sql(
            "DROP TABLE IF EXISTS kept; CREATE TABLE kept AS SELECT * FROM orchestrator.journal",
        );
        self.sql(change);
        let found = self.verify(code);
        self.restore();
        found
    }

    fn restore(&self) {
        self.sql(
            "TRUNCATE orchestrator.journal; INSERT INTO orchestrator.journal SELECT * FROM kept",
        );
    }

    /// What a superuser does who knows how it works: all hashes anew.
    fn recompute(&self) {
        self.sql(
            "DO $$ DECLARE r record; last bytea := ''; BEGIN
               FOR r IN SELECT * FROM orchestrator.journal ORDER BY id LOOP
                 UPDATE orchestrator.journal SET previous_hash = last, hash = sha256(convert_to(array_to_json(ARRAY['1', encode(last, 'hex'),
                   id::text, run_id::text, service, version::text, name, direction, checksum, outcome,
                   to_char(started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), duration_ms::text, attempts::text,
                   statements_done::text, statements::text, sqlstate, message, database_user, client_user, client_host,
                   client_address::text, program_version]::text[])::text, 'UTF8'))
                 WHERE id = r.id RETURNING hash INTO last;
               END LOOP;
             END $$",
        );
    }
}

fn findings(outcome: &Outcome) -> Vec<String> {
    let document = outcome.json();
    let services = document["services"].as_array().expect("services");
    services
        .iter()
        .flat_map(|service| service["findings"].as_array().expect("findings"))
        // Without its rows the journal no longer agrees with the history: `journal_disagrees` is about that.
        .filter(|finding| finding["kind"] != "disagrees")
        .map(|finding| {
            let kind = finding["kind"].as_str().expect("a kind");
            format!("{kind} {}-{}", finding["first_id"], finding["last_id"])
        })
        .collect()
}

#[test]
fn an_edit_of_any_column_is_found() {
    let fixture = Fixture::new();
    let columns = fixture.server.query(
        "db_shop",
        "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute \
         WHERE attrelid = 'orchestrator.journal'::regclass AND attnum > 0 ORDER BY attnum",
    );
    assert_eq!(columns.len(), 22);
    for column in &columns {
        let (name, data_type) = (column[0].as_str(), column[1].as_str());
        let changed = match data_type {
            "uuid" => "gen_random_uuid()".to_owned(),
            "text" => format!("COALESCE({name}, '') || '!'"),
            "timestamp with time zone" => format!("{name} + interval '1 microsecond'"),
            "inet" => "'192.0.2.1'".to_owned(),
            "bytea" => format!("{name} || '\\x00'"),
            _ if name == "id" => "-7".to_owned(),
            _ => format!("COALESCE({name}, 0) + 1"),
        };
        for row in [1, 3, 6] {
            let change =
                format!("UPDATE orchestrator.journal SET {name} = {changed} WHERE id = {row}");
            let found = fixture.found_after(&change, 4);
            assert!(!found.is_empty(), "{change}");
            if !matches!(name, "id" | "hash" | "previous_hash") {
                assert_eq!(found, [format!("edited {row}-{row}")], "{change}");
            }
        }
    }
    assert_eq!(
        fixture.found_after(
            "UPDATE orchestrator.journal SET message = '' WHERE id = 1",
            4
        ),
        ["edited 1-1"]
    );
}

#[test]
fn removed_rows_are_found_the_newest_with_an_anchor() {
    let fixture = Fixture::new();
    let anchor = fixture.anchor("anchor.json");
    for (condition, found) in [
        ("id = 1", "removed 1-1"),
        ("id = 4", "removed 4-4"),
        ("id IN (2, 3)", "removed 2-3"),
    ] {
        let change = format!("DELETE FROM orchestrator.journal WHERE {condition}");
        assert_eq!(fixture.found_after(&change, 4), [found]);
    }
    for (change, found) in [
        (
            "DELETE FROM orchestrator.journal WHERE id = 6",
            "removed 6-6",
        ),
        (
            "DELETE FROM orchestrator.journal WHERE id > 3",
            "removed 4-6",
        ),
        ("TRUNCATE orchestrator.journal", "removed 1-6"),
    ] {
        // Without an anchor only the history shows that the journal lacks its newest rows.
        fixture.found_after(change, if change.starts_with("TRUNCATE") { 0 } else { 4 });
        fixture.sql(change);
        assert_eq!(fixture.verify_with(&anchor, 4), [found]);
        fixture.restore();
    }
    fixture.sql("DROP SCHEMA orchestrator CASCADE");
    assert_eq!(fixture.verify(0), Vec::<String>::new());
    assert_eq!(fixture.verify_with(&anchor, 4), ["removed 1-6"]);
    fixture.server.query("postgres", "DROP DATABASE db_shop");
    assert_eq!(fixture.verify(0), Vec::<String>::new());
    assert_eq!(fixture.verify_with(&anchor, 4), ["removed 1-6"]);
}

#[test]
fn inserted_rows_are_found() {
    let fixture = Fixture::new();
    let copy = |id: &str, hashes: &str| {
        format!(
            "INSERT INTO orchestrator.journal (id, {OLD_COLUMNS}, previous_hash, hash) \
             SELECT {id}, {OLD_COLUMNS}, {hashes} FROM orchestrator.journal WHERE id = 2"
        )
    };
    assert_eq!(
        fixture.found_after(&copy("7", "NULL, NULL"), 4),
        ["inserted 7-7"]
    );
    assert!(
        !fixture
            .found_after(&copy("7", "previous_hash, hash"), 4)
            .is_empty()
    );
    assert!(!fixture.found_after(&copy("0", "'', hash"), 4).is_empty());
    let between = format!(
        "UPDATE orchestrator.journal SET id = id + 100 WHERE id > 2; \
         UPDATE orchestrator.journal SET id = id - 99 WHERE id > 100; {}",
        copy("3", "hash, sha256('')")
    );
    let found = fixture.found_after(&between, 4);
    assert!(found.contains(&"reordered 4-4".to_owned()), "{found:?}");
}

#[test]
fn rows_that_changed_places_are_found() {
    let fixture = Fixture::new();
    let found = fixture.found_after(
        "UPDATE orchestrator.journal SET id = 100 WHERE id = 3; UPDATE orchestrator.journal SET id = 3 WHERE id = 4; \
         UPDATE orchestrator.journal SET id = 4 WHERE id = 100",
        4,
    );
    assert_eq!(found, ["reordered 3-3", "reordered 4-4"]);
}

#[test]
fn recomputed_hashes_are_found_with_an_anchor() {
    let fixture = Fixture::new();
    let before = fixture.anchor("before.json");
    fixture.recompute();
    assert_eq!(
        fixture.verify_with(&before, 0),
        Vec::<String>::new(),
        "nothing was changed"
    );
    fixture.sql("DELETE FROM orchestrator.journal WHERE id = 5; UPDATE orchestrator.journal SET id = 5 WHERE id = 6");
    fixture.recompute();
    assert_eq!(fixture.verify(0), Vec::<String>::new());
    assert_eq!(fixture.verify_with(&before, 4), ["removed 6-6"]);
    fixture.sql("UPDATE orchestrator.journal SET client_user = 'somebody else' WHERE id = 2");
    fixture.recompute();
    fixture
        .orchestrator
        .expect(&["revert", "shop", "--to", "1"], 3);
    fixture
        .services
        .service("shop", &[])
        .migration(4, "more", "SELECT 1");
    fixture.orchestrator.expect(&["all"], 0);
    assert_eq!(fixture.verify(0), Vec::<String>::new());
    assert_eq!(fixture.verify_with(&before, 4), ["rewritten 1-6"]);
    let said = fixture
        .orchestrator
        .expect(&["history", "--verify", "--anchor", &before], 4);
    assert!(said.stdout.contains("recomputed"), "{}", said.stdout);
}

#[test]
fn an_anchor_holds_after_later_runs() {
    let fixture = Fixture::new();
    let anchor = fixture.anchor("anchor.json");
    let text: Value =
        serde_json::from_str(&fs::read_to_string(&anchor).expect("a file")).expect("JSON");
    assert_eq!(text["anchors"][0]["rows"], 6, "{text}");
    assert_eq!(text["anchors"][0]["id"], 6, "{text}");
    fixture
        .services
        .service("shop", &[])
        .migration(4, "more", "SELECT 1");
    fixture.orchestrator.expect(&["all"], 0);
    let later = fixture.file("later.json").display().to_string();
    let outcome = fixture.orchestrator.expect(
        &[
            "history",
            "--verify",
            "--anchor",
            &anchor,
            "--anchor-out",
            &later,
        ],
        0,
    );
    assert!(
        outcome
            .stdout
            .starts_with("verified  shop  db_shop: 7 rows, up to 7 of "),
        "{}",
        outcome.stdout
    );
    assert!(
        outcome.stdout.contains("the anchor of "),
        "{}",
        outcome.stdout
    );
    assert_eq!(fixture.verify_with(&later, 0), Vec::<String>::new());
    // Nothing is written over, nor is what was found wrong vouched for.
    fixture
        .orchestrator
        .expect(&["history", "--anchor-out", &later], 2);
    fixture.sql("DELETE FROM orchestrator.journal WHERE id = 3");
    let third = fixture.file("third.json").display().to_string();
    fixture
        .orchestrator
        .expect(&["history", "--verify", "--anchor-out", &third], 4);
    assert!(!fixture.file("third.json").exists());
}

#[test]
fn the_last_line_of_a_run_is_an_anchor() {
    let fixture = Fixture::new();
    fixture
        .services
        .service("other", &["shop"])
        .migration(1, "one", "SELECT 1");
    fixture
        .services
        .service("shop", &[])
        .migration(4, "fails", "SELECT 1 / 0");
    let failed = fixture.orchestrator.expect(&["all", "--output", "json"], 1);
    let last = failed.events().pop().expect("an event");
    assert_eq!(
        last["anchors"].as_array().expect("anchors").len(),
        1,
        "{last}"
    );
    assert_eq!(last["anchors"][0]["id"], 7, "{last}");
    fixture
        .services
        .service("shop", &[])
        .migration(4, "fails", "SELECT 1");
    let run = fixture.orchestrator.expect(&["all", "--output", "json"], 0);
    let last = run.events().pop().expect("an event");
    let names: Vec<&Value> = last["anchors"]
        .as_array()
        .expect("anchors")
        .iter()
        .map(|anchor| &anchor["service"])
        .collect();
    assert_eq!(names, ["other", "shop"]);
    assert_eq!(
        last["anchors"][1]["hash"],
        fixture
            .value("SELECT encode(hash, 'hex') FROM orchestrator.journal ORDER BY id DESC LIMIT 1")
    );
    let events = fixture.file("run.jsonl");
    fs::write(&events, &run.stdout).expect("a file");
    let events = events.to_str().expect("a path");
    assert_eq!(fixture.verify_with(events, 0), Vec::<String>::new());
    fixture.sql("DELETE FROM orchestrator.journal WHERE id = 8");
    assert_eq!(fixture.verify_with(events, 4), ["removed 8-8"]);
    let nothing = fixture
        .orchestrator
        .expect(&["run", "other", "--output", "json"], 0);
    assert_eq!(
        nothing.events().pop().expect("an event")["anchors"],
        serde_json::json!([])
    );
}

#[test]
fn a_file_that_is_no_anchor_is_a_usage_error() {
    let fixture = Fixture::new();
    let good = fs::read_to_string(fixture.anchor("good.json")).expect("a file");
    let hash = fixture.value("SELECT encode(hash, 'hex') FROM orchestrator.journal WHERE id = 6");
    for (text, words) in [
        (String::new(), "not an anchor file"),
        ("{}".to_owned(), "not an anchor file"),
        ("\u{0}".to_owned(), "not an anchor file"),
        (good.replace("\"schema\": 1", "\"schema\": 2"), "schema"),
        (good.replace(&hash, "12"), "not a SHA-256"),
        (good.replace("\"shop\"", "\"unknown\""), "unknown service"),
        (
            good.replace("\"db_shop\"", "\"db_other\""),
            "for database db_other",
        ),
        (
            good.replace("\"rows\": 6", "\"rows\": -6"),
            "contradict each other",
        ),
        (
            r#"{"schema":1,"taken_at":"2026-11-22T18:00:00Z","anchors":[]}"#.to_owned(),
            "no anchor of a verified service",
        ),
    ] {
        let file = fixture.file("bad.json");
        fs::write(&file, &text).expect("a file");
        let file = file.to_str().expect("a path");
        let outcome = fixture
            .orchestrator
            .expect(&["history", "--verify", "--anchor", file], 2);
        assert!(
            outcome.stderr.contains(words),
            "{words}: {}",
            outcome.stderr
        );
        assert!(outcome.stderr.contains("next: "), "{}", outcome.stderr);
    }
    fixture
        .orchestrator
        .expect(&["history", "--verify", "--anchor", "absent.json"], 2);
    fixture
        .orchestrator
        .expect(&["history", "--anchor", "absent.json"], 2);
}

#[test]
fn a_journal_that_cannot_be_read_does_not_hide_another() {
    let fixture = Fixture::new();
    fixture
        .services
        .service("other", &[])
        .migration(1, "one", "SELECT 1");
    fixture.orchestrator.expect(&["all"], 0);
    fixture.server.query(
        "db_other",
        "ALTER TABLE orchestrator.journal DROP COLUMN message",
    );
    fixture.sql("DELETE FROM orchestrator.journal WHERE id = 2");
    let outcome = fixture.orchestrator.expect(&["history", "--verify"], 1);
    assert!(
        outcome.stdout.contains("error: other: "),
        "{}",
        outcome.stdout
    );
    assert!(
        outcome.stdout.contains("row 2 was removed"),
        "{}",
        outcome.stdout
    );
}

#[test]
fn settings_of_a_session_and_of_a_database_do_not_matter() {
    for encoding in ["UTF8", "LATIN1"] {
        let server = Server::start();
        server.query(
            "postgres",
            &format!("CREATE DATABASE db_shop TEMPLATE template0 ENCODING {encoding} LC_COLLATE 'C' LC_CTYPE 'C'"),
        );
        server.query(
            "postgres",
            "ALTER DATABASE db_shop SET datestyle = 'German'; ALTER DATABASE db_shop SET timezone = 'Asia/Kathmandu'; \
             ALTER DATABASE db_shop SET intervalstyle = 'iso_8601'; ALTER DATABASE db_shop SET bytea_output = 'escape'; \
             ALTER DATABASE db_shop SET default_transaction_isolation = 'serializable'; \
             ALTER DATABASE db_shop SET search_path = public, pg_catalog",
        );
        let services = Services::new();
        services
            .service("shop", &[])
            .migration(1, "first", "CREATE TABLE \"größe\" (id int)")
            .migration(2, "fails", "SELECT * FROM größer");
        let orchestrator = Program::orchestrator(&server).services(&services);
        orchestrator.expect(&["all"], 1);
        server.query(
            "postgres",
            "ALTER DATABASE db_shop RESET ALL; ALTER DATABASE db_shop SET timezone = 'America/New_York'",
        );
        let outcome = orchestrator.expect(&["history", "--verify"], 0);
        assert!(
            outcome.stdout.contains(": 2 rows, up to 2 of "),
            "{}",
            outcome.stdout
        );
    }
}

#[test]
fn services_that_share_a_database_share_a_chain() {
    let server = Server::start();
    let services = Services::new();
    let names: Vec<String> = (1..=20).map(|number| format!("s{number:02}")).collect();
    for name in &names {
        let lines = format!("database = \"db_shared\"\nhistory_table = \"history_{name}\"\n");
        services
            .service_with(name, &[], &lines)
            .migration(1, "first", &format!("CREATE TABLE {name} (id int)"))
            .migration(2, "fails", "SELECT 1 / 0");
    }
    server.create_database("db_shared");
    let orchestrator = Program::orchestrator(&server).services(&services);
    // Twenty processes at once, each for a service of its own.
    let children: Vec<_> = names
        .iter()
        .map(|name| orchestrator.start(&["run", name]))
        .collect();
    for child in children {
        let outcome = Outcome::of(child);
        assert_eq!(outcome.code, 1, "{}", outcome.stderr);
    }
    let chain = "SELECT count(*) || ' ' || count(DISTINCT previous_hash) || ' ' || max(id) FROM orchestrator.journal";
    assert_eq!(server.value("db_shared", chain), "40 40 40");
    let outcome = orchestrator.expect(&["history", "--verify"], 0);
    assert_eq!(
        outcome
            .stdout
            .matches("db_shared: 40 rows, up to 40 of ")
            .count(),
        20,
        "{}",
        outcome.stdout
    );
}

#[test]
fn twenty_writers_without_any_lock_make_one_chain() {
    let fixture = Fixture::new();
    let address = DatabaseAddress::parse(&fixture.server.url("db_shop"), &BTreeMap::new())
        .expect("an address");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let connections = Arc::new(Connections::new(
            ConnectOptions {
                application_name: "tests".to_owned(),
                connect_timeout: Duration::from_secs(30),
                retry_for: Duration::from_secs(30),
                patience: Duration::ZERO,
            },
            20,
        ));
        let mut writers = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let (connections, address) = (Arc::clone(&connections), address.clone());
            writers.spawn(async move {
                let session = connections
                    .session(&address, "refinery_schema_history")
                    .await
                    .expect("a session");
                let run = RunIdentity::of_this_process();
                let service = "shop".parse().expect("a name");
                for number in 0..5 {
                    let attempt = Attempt {
                        run: &run,
                        service: &service,
                        version: Version::new(number),
                        name: "fails",
                        direction: Direction::Up,
                        checksum: Checksum::new(7),
                        outcome: AttemptOutcome::Failed,
                        duration: Duration::ZERO,
                        attempts: 1,
                        statements: None,
                        sqlstate: Some("22012"),
                        message: Some("division by zero"),
                    };
                    record_failed(&session, &attempt).await.expect("written");
                }
            });
        }
        while let Some(written) = writers.join_next().await {
            written.expect("no panic");
        }
    });
    assert_eq!(
        fixture.value("SELECT count(*) || ' ' || max(id) FROM orchestrator.journal"),
        "106 106"
    );
    assert_eq!(fixture.verify(0), Vec::<String>::new());
}

#[test]
fn a_step_whose_place_is_taken_is_tried_again_behind_it() {
    let fixture = Fixture::new();
    for (version, directive) in [(4, ""), (5, "-- migration: no-transaction\n")] {
        let sql = format!("{directive}CREATE TABLE t{version} (id int)");
        fixture
            .services
            .service("shop", &[])
            .migration(version, "more", &sql);
        let other = fixture.server.session("db_shop");
        other.run("BEGIN");
        let columns = OLD_COLUMNS;
        other.run(&format!(
            "INSERT INTO orchestrator.journal (id, {columns}, previous_hash, hash) SELECT id + 1, {columns}, '', '' \
             FROM orchestrator.journal ORDER BY id DESC LIMIT 1"
        ));
        let run = fixture.orchestrator.watch(&["all"]);
        wait_until("the run waits", || {
            fixture.value(
                "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'",
            ) == "1"
        });
        other.run("COMMIT");
        let outcome = run.end();
        assert_eq!(outcome.code, 0, "{}", outcome.stderr);
        assert_eq!(
            outcome.events_of("migration_retrying").len(),
            1,
            "{}",
            outcome.stdout
        );
    }
    assert_eq!(
        fixture.value("SELECT max(id) FROM orchestrator.journal"),
        "10"
    );
    assert_eq!(fixture.server.applied("db_shop"), [1, 2, 3, 4, 5]);
}

/// Takes the chain away, as it was before there was one, with gaps between the ids.
fn make_old(fixture: &Fixture) {
    fixture.sql(&format!(
        "CREATE TABLE old AS SELECT * FROM orchestrator.journal; DROP TABLE orchestrator.journal; \
         CREATE TABLE orchestrator.journal (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, run_id uuid NOT NULL, \
           service text NOT NULL, version bigint NOT NULL, name text NOT NULL, direction text NOT NULL, checksum text NOT NULL, \
           outcome text NOT NULL, started_at timestamptz NOT NULL, duration_ms bigint NOT NULL, attempts integer NOT NULL, \
           statements_done integer, statements integer, sqlstate text, message text, database_user text NOT NULL, \
           client_user text NOT NULL, client_host text NOT NULL, client_address inet, program_version text NOT NULL); \
         INSERT INTO orchestrator.journal (id, {OLD_COLUMNS}) OVERRIDING SYSTEM VALUE \
           SELECT id * 3, {OLD_COLUMNS} FROM old ORDER BY id; DROP TABLE old"
    ));
}

#[test]
fn a_journal_from_before_the_chain_is_sealed_by_the_next_run() {
    let fixture = Fixture::new();
    make_old(&fixture);
    let anchor = fixture.anchor("before.json");
    let before = fixture.server.everything("db_shop");
    let outcome = fixture.orchestrator.expect(&["history", "--verify"], 0);
    assert!(
        outcome.stdout.contains("not verifiable yet"),
        "{}",
        outcome.stdout
    );
    fixture.orchestrator.expect(&["history"], 0);
    fixture.orchestrator.expect(&["all"], 0);
    assert_eq!(
        fixture.server.everything("db_shop"),
        before,
        "nothing to do writes nothing"
    );

    fixture
        .services
        .service("shop", &[])
        .migration(4, "more", "SELECT 1");
    fixture.orchestrator.expect(&["all"], 0);
    assert_eq!(
        fixture.value("SELECT string_agg(id::text, ' ' ORDER BY id) FROM orchestrator.journal"),
        "3 6 9 12 15 18 19"
    );
    let outcome = fixture.orchestrator.expect(&["history", "--verify"], 0);
    assert!(
        outcome
            .stdout
            .contains("6 rows older than the hash chain, unchanged since it began"),
        "{}",
        outcome.stdout
    );
    assert_eq!(fixture.verify_with(&anchor, 0), Vec::<String>::new());
    for change in [
        "UPDATE orchestrator.journal SET name = 'x' WHERE id = 3",
        "UPDATE orchestrator.journal SET name = 'x' WHERE id = 18",
        "DELETE FROM orchestrator.journal WHERE id = 9",
        "DELETE FROM orchestrator.journal WHERE id = 18",
        "UPDATE orchestrator.journal SET hash = NULL WHERE id = 18",
    ] {
        assert!(!fixture.found_after(change, 4).is_empty(), "{change}");
    }
}

#[test]
fn a_failed_attempt_is_the_first_that_an_old_journal_is_chained_with() {
    let fixture = Fixture::new();
    make_old(&fixture);
    fixture
        .services
        .service("shop", &[])
        .migration(4, "fails", "SELECT 1 / 0");
    fixture.orchestrator.expect(&["all"], 1);
    assert_eq!(
        fixture.value("SELECT count(hash) FROM orchestrator.journal"),
        "2"
    );
    assert_eq!(fixture.verify(0), Vec::<String>::new());
}

#[test]
fn an_adoption_that_is_undone_leaves_the_chain_whole() {
    let server = Server::start();
    let services = Services::new();
    services
        .service("one", &[])
        .migration(1, "first", "CREATE TABLE a (id int);\n");
    server.create_database("db_one");
    server.create_legacy_table("db_one", "migrations");
    server.query(
        "db_one",
        "INSERT INTO migrations (\"timestamp\", name) VALUES (1, 'First1'); CREATE TABLE a (id int)",
    );
    let orchestrator = Program::orchestrator(&server)
        .services(&services)
        .scratch_beside();
    let before = server.everything("db_one");
    let adopted = orchestrator.expect(&["adopt", "one", "--output", "json"], 0);
    assert_eq!(
        adopted.events().pop().expect("an event")["anchors"][0]["rows"],
        1
    );
    orchestrator.expect(&["history", "--verify"], 0);
    orchestrator.expect(&["adopt", "one", "--undo"], 0);
    assert_eq!(server.everything("db_one"), before);

    orchestrator.expect(&["adopt", "one"], 0);
    services
        .service("one", &[])
        .migration(2, "fails", "SELECT 1 / 0;\n");
    orchestrator.expect(&["run", "one"], 1);
    services
        .service("one", &[])
        .migration(2, "fails", "SELECT 1;\n");
    for _ in 0..2 {
        let undone = orchestrator.expect(&["adopt", "one", "--undo", "--output", "json"], 0);
        let last = undone.events().pop().expect("an event");
        let newest = "SELECT max(id) FROM orchestrator.journal";
        assert_eq!(
            last["anchors"][0]["id"].to_string(),
            server.value("db_one", newest)
        );
        orchestrator.expect(&["history", "--verify"], 0);
        orchestrator.expect(&["adopt", "one", "--undo"], 0);
        orchestrator.expect(&["adopt", "one"], 0);
    }
    assert_eq!(
        server.value(
            "db_one",
            "SELECT string_agg(outcome, ' ' ORDER BY id) FROM orchestrator.journal"
        ),
        "adopted failed adoption_undone adopted adoption_undone adopted"
    );
    orchestrator.expect(&["history", "--verify"], 0);
}

#[test]
fn the_chain_is_whole_after_kills_cancellations_and_lost_sessions() {
    let server = Server::start();
    let services = Services::new();
    let shop = services.service("shop", &[]);
    for version in 1..=30 {
        let table = format!("t{version}");
        if version % 3 == 0 {
            let sql = format!(
                "-- migration: no-transaction\nCREATE TABLE IF NOT EXISTS {table} (id int);\nSELECT pg_sleep(0.01);\nCREATE INDEX CONCURRENTLY ON {table} (id);"
            );
            shop.reversible(version, &table, &sql, &format!("DROP TABLE {table}"));
        } else {
            let sql = format!("CREATE TABLE {table} (id int); SELECT pg_sleep(0.01)");
            shop.reversible(version, &table, &sql, &format!("DROP TABLE {table}"));
        }
    }
    let orchestrator = Program::orchestrator(&server).services(&services);
    let mut random = tests::random();
    orchestrator.expect(&["run", "shop", "--to", "1"], 0);
    for round in 0..9 {
        let run = orchestrator.watch(&["all"]);
        std::thread::sleep(Duration::from_millis(random.u64(30..400)));
        match round % 3 {
            0 => run.signal(Signal::SIGKILL),
            1 => {
                run.signal(Signal::SIGINT);
                run.signal(Signal::SIGINT);
            }
            _ => {
                server.query(
                    "postgres",
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'db_shop'",
                );
            }
        }
        let outcome = run.end_within(Duration::from_secs(60));
        let verified = orchestrator.expect(&["history", "--verify"], 0);
        assert!(verified.stdout.contains("verified"), "{}", verified.stdout);
        if let Some(anchor) = outcome
            .events()
            .last()
            .and_then(|last| last["anchors"].get(0))
        {
            assert_eq!(
                anchor["hash"],
                server.value(
                    "db_shop",
                    "SELECT encode(hash, 'hex') FROM orchestrator.journal ORDER BY id DESC LIMIT 1"
                )
            );
        }
    }
    orchestrator.expect(&["all"], 0);
    orchestrator.expect(&["revert", "shop", "--all"], 0);
    orchestrator.expect(&["history", "--verify"], 0);
}
