//! `--output json`: the form of documents and events, and nothing but JSON on standard output.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;
use tests::{JsonSchema, Outcome, Program, Server, Services};

fn services() -> Services {
    let services = Services::new();
    services
        .service("one", &[])
        .reversible(1, "a", "CREATE TABLE a (id int);\n", "DROP TABLE a;\n")
        .reversible(
            2,
            "b",
            "-- migration: no-transaction\nCREATE INDEX CONCURRENTLY b ON a (id);\nSELECT 1;\n",
            "-- migration: no-transaction\nDROP INDEX CONCURRENTLY b;\n",
        );
    services.service("two", &["one"]).migration(
        1,
        "c",
        "-- migration: requires one@1\nDO $$ BEGIN RAISE NOTICE 'hello'; END $$;\nCREATE TABLE c (id int);\n",
    );
    services
}

fn started() -> (Server, Services) {
    (Server::start(), services())
}

/// The kinds of a service's events (`None`: of the run), in order.
fn kinds(outcome: &Outcome, service: Option<&str>) -> Vec<String> {
    outcome
        .events()
        .iter()
        .filter(|event| event["service"].as_str() == service)
        .map(|event| event["event"].as_str().expect("a kind").to_owned())
        .collect()
}

#[track_caller]
fn assert_finishes(outcome: &Outcome, verdict: &str) {
    let events = outcome.events();
    let last = events.last().expect("an event");
    assert_eq!(last["event"], "run_finished", "{}", outcome.stdout);
    assert_eq!(last["verdict"], verdict, "{last}");
    assert_eq!(last["exit_code"], outcome.code, "{last}");
    let numbers: Vec<u64> = events
        .iter()
        .filter_map(|event| event["seq"].as_u64())
        .collect();
    assert_eq!(numbers, (1..=events.len() as u64).collect::<Vec<_>>());
    assert!(events.iter().all(|event| event["run_id"] == last["run_id"]));
}

#[test]
fn the_documents_are_as_their_schemas_describe() {
    let (server, services) = started();
    let orchestrator = Program::orchestrator(&server).services(&services);
    orchestrator.expect(&["run", "one", "--to", "1"], 0);
    let document = |arguments: &[&str]| {
        let outcome = orchestrator.expect(&[arguments, &["--output", "json"]].concat(), 0);
        outcome.json()
    };
    let status = document(&["status"]);
    JsonSchema::named("status").assert_describes(&status);
    let plan = document(&["plan"]);
    JsonSchema::named("plan").assert_describes(&plan);
    JsonSchema::named("graph").assert_describes(&document(&["graph"]));
    JsonSchema::named("history").assert_describes(&document(&["history"]));
    let verified = document(&["history", "--verify"]);
    JsonSchema::named("history-verify").assert_describes(&verified);
    let anchors = document(&["history", "--anchor-out", "anchors.json"]);
    JsonSchema::named("anchors").assert_describes(&anchors);
    assert_eq!(document(&["show"]), status);
    assert_eq!(document(&["all", "--dry-run"]), plan);
    server.query(
        "db_one",
        "ALTER TABLE a ADD COLUMN note text, DROP COLUMN id; ALTER TABLE a ADD COLUMN id bigint",
    );
    let orchestrator = orchestrator.scratch_beside();
    let drift = orchestrator.run(&["drift", "--output", "json"]);
    JsonSchema::named("drift").assert_describes(&drift.json());

    server.query(
        "db_one",
        "ALTER TABLE a ADD CONSTRAINT noted CHECK (note <> '') NOT VALID, ADD CONSTRAINT known CHECK (id > 0) NOT VALID",
    );
    services
        .service("gone", &[])
        .migration(1, "a", "SELECT 1;\n");
    let doctor = orchestrator
        .env(
            "GONE_DATABASE_URL",
            "postgresql://postgres@127.0.0.1:1/db_gone",
        )
        .run(&["doctor", "--output", "json"]);
    let mut doctor = doctor.json();
    doctor["fixed"] = doctor["findings"].clone();
    JsonSchema::named("doctor").assert_describes(&doctor);

    let checked = Services::new();
    checked
        .service("one", &[])
        .migration(1, "a", "CREATE TABLE a (id bigint PRIMARY KEY, b text);\n")
        .migration(
            2,
            "b",
            "-- migration: allow drop-column \"not used\"\nALTER TABLE a DROP COLUMN b;\n\
             CREATE INDEX ON a (id);\n",
        );
    let check = Program::named("orchestrator").services(&checked);
    let check = check.run(&["check", "--no-rehearsal", "--output", "json"]);
    JsonSchema::named("check").assert_describes(&check.json());
    let fixable = Services::new();
    fixable
        .service("fixable", &[])
        .migration(1, "a", "CREATE TABLE a (b text);\n")
        .migration(
            2,
            "b",
            "CREATE INDEX b ON a (b);\nALTER TABLE a ALTER COLUMN b TYPE varchar(5);\n",
        );
    let fix = Program::orchestrator(&server)
        .scratch_beside()
        .services(&fixable);
    let fix = fix.run(&["check", "--fix", "--dry-run", "--output", "json"]);
    JsonSchema::named("check-fix").assert_describes(&fix.json());
}

#[test]
fn every_state_of_a_migration_has_its_name() {
    let server = Server::start();
    let services = Services::new();
    let table = |name: &str| format!("CREATE TABLE {name} (id int);\n");
    let one = services.service("one", &[]);
    for (version, name) in [(1, "edited"), (2, "removed"), (4, "kept")] {
        one.migration(version, name, &table(name));
    }
    let orchestrator = Program::orchestrator(&server).services(&services);
    orchestrator.expect(&["all"], 0);
    one.migration(1, "edited", &table("edited_since"))
        .migration(3, "late", &table("late"))
        .migration(5, "new", &table("new"));
    fs::remove_file(one.path().join("migrations/V2__removed.sql")).expect("removed");
    services.service("two", &[]).migration(
        1,
        "halves",
        "-- migration: no-transaction\nCREATE TABLE a (id int);\nSELECT 1 / 0;\nSELECT 1;\n",
    );
    orchestrator.expect(&["run", "two"], 1);

    let status = orchestrator
        .expect(&["status", "--output", "json"], 0)
        .json();
    let states: Vec<String> = status["services"][0]["migrations"]
        .as_array()
        .expect("migrations")
        .iter()
        .map(|migration| format!("{} {}", migration["version"], migration["state"]))
        .collect();
    assert_eq!(
        states,
        [
            "1 \"divergent\"",
            "2 \"missing\"",
            "3 \"out_of_order\"",
            "4 \"applied\"",
            "5 \"pending\""
        ]
    );
    let halves = &status["services"][1]["migrations"][0];
    assert_eq!(halves["state"], "interrupted", "{halves}");
    assert_eq!(
        (&halves["done"], &halves["total"]),
        (&1.into(), &3.into()),
        "{halves}"
    );
    assert_eq!(halves["reversible"], false);
}

#[test]
fn the_events_come_in_their_order() {
    let (server, services) = started();
    let orchestrator = Program::orchestrator(&server).services(&services);
    let run = orchestrator.expect(&["all", "--output", "json"], 0);
    assert_finishes(&run, "done");
    assert_eq!(kinds(&run, None), ["run_started", "run_finished"]);
    assert_eq!(
        kinds(&run, Some("one")),
        [
            "database_created",
            "service_started",
            "migration_started",
            "migration_applied",
            "migration_started",
            "statement_finished",
            "statement_finished",
            "migration_applied",
            "service_finished"
        ]
    );
    assert_eq!(
        kinds(&run, Some("two")),
        [
            "database_created",
            "service_started",
            "migration_started",
            "server_notice",
            "migration_applied",
            "service_finished"
        ]
    );
    // The end of a service is reported after its lock is released; its dependents wait for its migrations only.
    let last = |kind: &str, service: &str| {
        run.events()
            .iter()
            .rposition(|event| event["event"] == kind && event["service"] == service)
            .expect("the event was reported")
    };
    assert!(last("migration_applied", "one") < last("migration_started", "two"));

    let again = orchestrator.expect(&["all", "--output", "json"], 0);
    assert_finishes(&again, "nothing_to_do");

    let revert = orchestrator.expect(&["revert", "one", "--all", "--output", "json"], 3);
    assert_finishes(&revert, "refused");
}

#[test]
fn the_events_of_a_revert_come_in_their_order() {
    let (server, services) = started();
    let orchestrator = Program::orchestrator(&server).services(&services);
    orchestrator.expect(&["run", "one"], 0);
    let revert = orchestrator.expect(&["revert", "one", "--all", "--output", "json"], 0);
    assert_finishes(&revert, "done");
    assert_eq!(
        kinds(&revert, Some("one")),
        [
            "service_started",
            "migration_started",
            "statement_finished",
            "migration_reverted",
            "migration_started",
            "migration_reverted",
            "service_finished"
        ]
    );
    let versions: Vec<Value> = revert
        .events_of("migration_reverted")
        .iter()
        .map(|event| event["version"].clone())
        .collect();
    assert_eq!(versions, [2, 1]);
}

#[test]
fn timings_name_the_phases_of_a_command() {
    let (server, services) = started();
    let orchestrator = Program::orchestrator(&server).services(&services);
    let count = |outcome: &Outcome, phase: &str| {
        let events = outcome.events();
        let timings = &events.last().expect("an event")["timings"];
        let phases = timings["phases"].as_array().expect("phases");
        let found = phases.iter().find(|it| it["phase"] == phase);
        for it in phases {
            assert!(it["longest_us"].as_u64() <= it["total_us"].as_u64(), "{it}");
            assert!(
                it["longest_us"].as_u64() <= timings["elapsed_us"].as_u64(),
                "{it}"
            );
        }
        found.map_or(0, |it| it["count"].as_u64().unwrap_or_default())
    };
    let run = orchestrator.expect(&["all", "--timings", "--output", "json"], 0);
    assert_eq!(count(&run, "lock"), 2, "{}", run.stdout);
    assert_eq!(count(&run, "begin"), 2, "{}", run.stdout);
    // The whole files, and each statement of the one without a transaction.
    assert_eq!(count(&run, "execute"), 4, "{}", run.stdout);
    for phase in ["parse", "login", "session", "create", "history", "record"] {
        assert!(count(&run, phase) > 0, "{phase}: {}", run.stdout);
    }

    let revert = ["revert", "one", "--all", "--timings", "--output", "json"];
    let refused = orchestrator.expect(&revert, 3);
    assert!(count(&refused, "history") > 0, "{}", refused.stdout);
    let again = orchestrator.expect(&["all", "--output", "json"], 0);
    assert_eq!(
        again.events().last().expect("an event").get("timings"),
        None
    );
    let human = orchestrator.expect(&["all", "--timings"], 0).stdout;
    let phases: Vec<&str> = human
        .lines()
        .skip_while(|line| !line.starts_with("phase "))
        .filter_map(|line| line.split("  ").next())
        .collect();
    assert!(phases.contains(&"log in"), "{human}");
    assert!(!phases.contains(&"execute"), "{human}");
}

#[test]
fn a_run_that_is_refused_or_fails_ends_with_run_finished_too() {
    let (server, services) = started();
    let orchestrator = Program::orchestrator(&server).services(&services);
    let json = |arguments: &[&str], code: i32| {
        orchestrator.expect(&[arguments, &["--output", "json"]].concat(), code)
    };
    assert_finishes(&json(&["run", "two"], 3), "refused");
    assert_finishes(&json(&["run", "two", "--wait", "200ms"], 3), "refused");
    json(&["all"], 0);
    assert_finishes(&json(&["revert", "two"], 3), "refused");
    services
        .service("two", &["one"])
        .migration(2, "fails", "SELECT 1;\nSELECT nothing;\n");
    services
        .service("three", &["two"])
        .migration(1, "waits", "SELECT 1;\n");
    let failed = json(&["all"], 1);
    assert_finishes(&failed, "failed");
    assert_eq!(
        kinds(&failed, Some("two")),
        [
            "service_started",
            "migration_started",
            "migration_failed",
            "service_finished"
        ]
    );
    let mut skipped = kinds(&failed, Some("three"));
    // Its database is created ahead of its turn, if there is time before the failure.
    skipped.retain(|kind| kind != "database_created");
    assert_eq!(skipped, ["service_skipped", "service_finished"]);
    let failure = &failed.events_of("migration_failed")[0];
    assert_eq!(failure["sqlstate"], "42703");
    assert_eq!(
        (&failure["line"], &failure["column"]),
        (&2.into(), &8.into())
    );
    let file = failure["file"].as_str().expect("a file");
    assert!(file.ends_with("two/migrations/V2__fails.sql"), "{file}");
    services
        .service("one", &[])
        .migration(1, "a", "CREATE TABLE a (id bigint);\n");
    assert_finishes(&json(&["all"], 3), "refused");
}

#[test]
fn production_without_a_confirmation_ends_with_run_finished_too() {
    let (server, services) = started();
    let orchestrator = Program::orchestrator(&server).services(&services);
    for database in ["db_one", "db_two"] {
        server.create_database(database);
    }
    let refused = orchestrator.expect(
        &["all", "--environment", "production", "--output", "json"],
        3,
    );
    assert_finishes(&refused, "refused");
}

#[test]
fn every_event_and_field_is_described() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/json.md");
    let page = fs::read_to_string(path).expect("docs/json.md");
    let schemas = orchestrator::cli::schemas().into_iter();
    let names = schemas.flat_map(|(name, _)| JsonSchema::named(name).names());
    let unknown: BTreeSet<String> = names
        .filter(|name| {
            let around = [("`", "`"), (".", "`"), ("`", "["), ("`", "."), (".", "[")];
            let mut written = around.iter().map(|(a, b)| format!("{a}{name}{b}"));
            !written.any(|it| page.contains(&it))
        })
        .collect();
    assert_eq!(unknown, BTreeSet::new(), "not described");
}

#[test]
fn the_events_are_as_their_schema_describes() {
    let schema = JsonSchema::named("event");
    let mut kinds: BTreeSet<String> = BTreeSet::new();
    let mut collect = |outcome: Outcome| {
        for event in outcome.events() {
            schema.assert_describes(&event);
            kinds.insert(event["event"].as_str().expect("a kind").to_owned());
        }
    };
    let (server, services) = started();
    let orchestrator = Program::orchestrator(&server).services(&services);
    let json = |arguments: &[&str]| orchestrator.run(&[arguments, &["--output", "json"]].concat());
    collect(json(&["run", "two", "--wait", "200ms"]));
    collect(json(&["all"]));
    collect(json(&["revert", "one"]));
    collect(json(&["revert", "two"]));
    services
        .service("two", &["one"])
        .migration(2, "fails", "SELECT nothing;\n");
    services
        .service("three", &["two"])
        .migration(1, "waits", "SELECT 1;\n");
    collect(json(&["all"]));
    adoptions(&server, &services, &mut collect);
    backups(&server, &mut collect);
    releases(&mut collect);

    assert!(kinds.len() >= 16, "{kinds:?}");
}

/// Every event of a backup.
fn backups(server: &Server, collect: &mut impl FnMut(Outcome)) {
    let services = Services::new();
    services
        .service("kept", &[])
        .migration(1, "first", "CREATE TABLE a (id int);\n");
    let orchestrator = Program::orchestrator(server).services(&services);
    let json = |arguments: &[&str]| orchestrator.run(&[arguments, &["--output", "json"]].concat());
    collect(json(&["all", "--backup"]));
    services
        .service("kept", &[])
        .migration(2, "second", "CREATE TABLE b (id int);\n");
    collect(json(&["all", "--backup"]));
    let holder = server.session("db_kept");
    holder.run("BEGIN; LOCK TABLE a");
    let blocked = orchestrator.watch(&["backup", "all", "--keep", "1"]);
    blocked.wait_for_event("backup_progress");
    blocked.wait_for_event("backup_blocked");
    holder.run("ROLLBACK");
    let mut outcome = blocked.end();
    // Whether a dump this short is caught at a table is chance.
    let settled = |line: &&str| !line.contains("\"table\":");
    outcome.stdout = outcome
        .stdout
        .lines()
        .filter(settled)
        .collect::<Vec<_>>()
        .join("\n");
    collect(outcome);
}

/// Every event of `adopt`.
fn adoptions(server: &Server, services: &Services, collect: &mut impl FnMut(Outcome)) {
    services
        .service("old", &[])
        .migration(1, "first", "CREATE TABLE a (id int, b int);\n")
        .migration(2, "second", "CREATE TABLE c (id int);\n");
    server.create_database("db_old");
    server.create_legacy_table("db_old", "migrations");
    server.query(
        "db_old",
        "INSERT INTO migrations (\"timestamp\", name) VALUES (1, 'First1'); CREATE TABLE a (b int, id bigint)",
    );
    let orchestrator = Program::orchestrator(server)
        .services(services)
        .scratch_beside();
    let json = |arguments: &[&str]| orchestrator.run(&[arguments, &["--output", "json"]].concat());
    collect(json(&["adopt", "old", "--write-drift", "drift.toml"]));
    let adopted = json(&["adopt", "old", "--accept-drift", "drift.toml"]);
    assert_finishes(&adopted, "done");
    assert_eq!(
        kinds(&adopted, Some("old")),
        ["adoption_proven", "migration_adopted", "service_finished"]
    );
    collect(adopted);
    let undone = json(&["adopt", "old", "--undo"]);
    assert_finishes(&undone, "done");
    collect(undone);
    assert_finishes(&json(&["adopt", "old", "--undo"]), "nothing_to_do");
}

/// Every event of an atomic release, and of one that was interrupted.
fn releases(collect: &mut impl FnMut(Outcome)) {
    let (server, services) = (Server::start(), Services::new());
    for name in ["one", "two"] {
        services
            .service(name, &[])
            .migration(1, "a", "CREATE TABLE a (id int);\n");
    }
    let orchestrator = Program::orchestrator(&server).services(&services);
    let atomic = ["all", "--atomic", "--output", "json"];
    orchestrator.expect(&atomic, 0);
    services
        .service("one", &[])
        .migration(2, "b", "ALTER TABLE a ADD COLUMN b int;\n");
    services
        .service("two", &["one"])
        .migration(2, "b", "SELECT nothing;\n");
    collect(orchestrator.expect(&atomic, 1));
    // As a killed run would have left it, decided.
    let release = "01983f2a-0000-7000-8000-000000000001";
    server.query(
        "db_one",
        &format!(
            "INSERT INTO orchestrator.releases (run_id, participants, decision) VALUES ('{release}', \
               '[{{\"number\": 1, \"database\": \"two\", \"services\": [\"two\"]}}]', 'commit')"
        ),
    );
    let gid = format!("orchestrator:{release}:1:one");
    server.query(
        "db_two",
        &format!("BEGIN; CREATE TABLE late (id int); PREPARE TRANSACTION '{gid}'"),
    );
    services
        .service("two", &["one"])
        .migration(2, "b", "ALTER TABLE a ADD COLUMN b int;\n");
    collect(orchestrator.expect(&atomic, 0));
}

#[test]
fn the_service_binaries_speak_the_same_json() {
    let server = Server::start();
    let auth =
        Program::named("auth-migrations").env("ORCHESTRATOR_SERVER_URL", &server.url("postgres"));
    assert_finishes(&auth.expect(&["--output", "json"], 0), "done");
    let own = auth.expect(&["show", "--output", "json"], 0);
    let orchestrator = Program::orchestrator(&server);
    let theirs = orchestrator.expect(&["status", "auth", "--output", "json"], 0);
    assert_eq!(own.json(), theirs.json());
}
