//! `rehearse` runs migrations up, down and up again on a scratch database, and tells what is wrong with them.

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tests::{Outcome, Program, Server, Services, wait_until};

fn orchestrator(server: &Server, services: &Services) -> Program {
    Program::orchestrator(server)
        .scratch_beside()
        .services(services)
}

/// A service with a migration of each kind.
fn shop() -> Services {
    let services = Services::new();
    services
        .service("shop", &[])
        .reversible(
            1,
            "items",
            "CREATE TABLE items (id int PRIMARY KEY, name varchar(20) NOT NULL);\n",
            "DROP TABLE items;\n",
        )
        .reversible(
            2,
            "status",
            "CREATE TYPE status AS ENUM ('new', 'old');\nALTER TABLE items ADD COLUMN status status;\n",
            "ALTER TABLE items DROP COLUMN status;\n",
        )
        .migration(
            3,
            "merge",
            "-- migration: irreversible \"names are merged\"\nUPDATE items SET name = lower(name);\n",
        )
        .reversible(
            4,
            "longer",
            "ALTER TABLE items ALTER COLUMN name DROP NOT NULL;\n",
            "ALTER TABLE items ALTER COLUMN name SET NOT NULL;\nDROP INDEX nowhere;\n",
        );
    services
}

/// A service with one migration and its revert.
fn one(up: &str, down: &str) -> Services {
    let services = Services::new();
    services
        .service("one", &[])
        .reversible(
            1,
            "table",
            "CREATE TABLE t (a int NOT NULL, b text);\n",
            "DROP TABLE t;\n",
        )
        .reversible(2, "change", up, down);
    services
}

/// `rule file:line: message` of each finding.
fn findings(outcome: &Outcome) -> Vec<String> {
    outcome
        .events_of("migration_rehearsed")
        .iter()
        .flat_map(|event| event["findings"].as_array().expect("a list").clone())
        .map(|finding| {
            let text = |field: &str| finding[field].as_str().expect("text").to_owned();
            let file = text("file");
            let file = file.rsplit("services/").next().expect("a file").to_owned();
            let file = file
                .rsplit_once('/')
                .map_or(file.as_str(), |(_, name)| name)
                .to_owned();
            format!(
                "{} {file}{}: {}",
                text("rule"),
                finding["line"]
                    .as_i64()
                    .map_or(String::new(), |line| format!(":{line}")),
                text("message")
            )
        })
        .collect()
}

fn verdicts(outcome: &Outcome) -> Vec<String> {
    outcome
        .events_of("migration_rehearsed")
        .iter()
        .map(|event| {
            format!(
                "{} {}",
                event["version"],
                event["reversible"].as_str().expect("text")
            )
        })
        .collect()
}

/// Text without times and folders.
fn timeless(text: &str, services: &Services) -> String {
    let folder = services.path().display().to_string();
    let text = text
        .replace(&format!("{folder}/"), "")
        .replace(&folder, "services");
    let mut words = Vec::new();
    for line in text.lines() {
        let line = match line.rsplit_once(" (") {
            Some((before, time)) if time.ends_with("s)") => format!("{before} (…)"),
            _ => line.to_owned(),
        };
        let mut shown = String::new();
        let mut rest = line.as_str();
        while let Some(at) = rest.find(" ms") {
            let digits = rest[..at]
                .trim_end_matches(|c: char| c.is_ascii_digit())
                .len();
            shown.push_str(&rest[..digits]);
            shown.push_str("… ms");
            rest = &rest[at + 3..];
        }
        shown.push_str(rest);
        words.push(shown);
    }
    words.join("\n")
}

#[test]
fn each_migration_is_reported_with_its_findings() {
    let server = Server::start();
    let services = shop();
    let orchestrator = orchestrator(&server, &services);
    let people = orchestrator.expect(&["rehearse"], 4);
    insta::assert_snapshot!(timeless(&people.stdout, &services));
    let machines = orchestrator.expect(&["rehearse", "--output", "json"], 4);
    assert_eq!(
        verdicts(&machines),
        ["1 proven", "2 disproven", "3 irreversible", "4 disproven"]
    );
    insta::assert_snapshot!(findings(&machines).join("\n"), @r#"
    revert-leaves-schema V2__status.sql: the revert leaves enum type status
    second-up-fails V2__status.sql:1: after its revert, the migration does not run: type "status" already exists [42710]
    revert-fails V4__longer.sql:2: the revert does not run: index "nowhere" does not exist [42704]
    "#);
    let end = machines.events().pop().expect("an event");
    assert_eq!(end["event"], "run_finished");
    assert_eq!(end["verdict"], "findings");
    assert_eq!(end["exit_code"], 4);
    assert_eq!(end["rehearsed"], 4);
    assert_eq!(end["findings"], 3);
    assert_eq!(server.databases(), Vec::<String>::new());
}

#[test]
fn what_is_proven_ends_with_0() {
    let server = Server::start();
    let services = one(
        "ALTER TABLE t ALTER COLUMN a DROP NOT NULL;\n",
        "ALTER TABLE t ALTER COLUMN a SET NOT NULL;\n",
    );
    let outcome = orchestrator(&server, &services).expect(&["rehearse", "--output", "json"], 0);
    assert_eq!(verdicts(&outcome), ["1 proven", "2 proven"]);
    let kinds: Vec<Value> = outcome
        .events()
        .iter()
        .map(|event| event["event"].clone())
        .collect();
    assert_eq!(
        kinds,
        [
            "run_started",
            "service_started",
            "migration_rehearsed",
            "migration_rehearsed",
            "service_finished",
            "run_finished"
        ]
    );
    let started = &outcome.events()[0];
    assert_eq!(started["command"], "rehearse");
    assert_eq!(started["steps"], 2);
    assert_eq!(outcome.events()[5]["verdict"], "done");
}

#[test]
fn only_what_is_pending_is_rehearsed_unless_every_one_is_asked_for() {
    let server = Server::start();
    let services = shop();
    let orchestrator = orchestrator(&server, &services);
    orchestrator.expect(&["run", "shop", "--to", "2"], 0);
    server.query("db_shop", "INSERT INTO items VALUES (1, 'A', 'new')");
    let before = server.everything("db_shop");
    let pending = orchestrator.expect(&["rehearse", "--output", "json"], 4);
    assert_eq!(verdicts(&pending), ["3 irreversible", "4 disproven"]);
    let every = orchestrator.expect(&["rehearse", "--every", "--output", "json"], 4);
    assert_eq!(verdicts(&every).len(), 4);
    assert!(
        server.everything("db_shop") == before,
        "something was written"
    );
    assert_eq!(server.databases(), ["db_shop"]);

    orchestrator.expect(&["all"], 0);
    let none = orchestrator.expect(&["rehearse"], 0);
    assert_eq!(none.stdout, "Nothing to rehearse: no pending migrations.\n");
    let none = orchestrator.expect(&["rehearse", "--output", "json"], 0);
    assert_eq!(none.events()[0]["unchanged"], json!(["shop"]));
    assert_eq!(none.events()[1]["verdict"], "nothing_to_do");
}

#[test]
fn every_one_is_rehearsed_without_the_live_server() {
    let scratch = Server::start();
    let services = one("ALTER TABLE t ADD c int;\n", "ALTER TABLE t DROP c;\n");
    let orchestrator = Program::named("orchestrator")
        .services(&services)
        .env(
            "ORCHESTRATOR_SERVER_URL",
            "postgres://nobody:x@127.0.0.1:1/postgres",
        )
        .env("ORCHESTRATOR_SCRATCH_SERVER", &scratch.url("postgres"));
    orchestrator.expect(&["rehearse", "--every"], 0);
    let unreachable = orchestrator.expect(&["rehearse"], 5);
    assert!(
        unreachable.stderr.contains("127.0.0.1:1"),
        "{}",
        unreachable.stderr
    );
    let unreachable = orchestrator.expect(&["rehearse", "--output", "json"], 5);
    assert_eq!(unreachable.events_of("service_failed").len(), 1);
    assert_eq!(scratch.databases(), Vec::<String>::new());
}

#[test]
fn a_migration_that_does_not_run_leaves_the_rest_out() {
    let server = Server::start();
    let services = one("ALTER TABLE t\n  ADD CHECK (c > 0);\n", "SELECT 1;\n");
    services
        .service("one", &[])
        .reversible(3, "later", "SELECT 1;\n", "SELECT 1;\n")
        .reversible(4, "latest", "SELECT 1;\n", "SELECT 1;\n");
    let orchestrator = orchestrator(&server, &services);
    let outcome = orchestrator.expect(&["rehearse", "--output", "json"], 4);
    assert_eq!(verdicts(&outcome), ["1 proven", "2 unknown"]);
    assert_eq!(
        findings(&outcome),
        [
            "up-fails V2__change.sql:1: the migration does not run: column \"c\" does not exist [42703]"
        ]
    );
    let skipped = &outcome.events_of("service_skipped")[0];
    assert_eq!(skipped["steps"], 2);
    assert_eq!(skipped["because"], "2 change does not run");
    let people = orchestrator.expect(&["rehearse"], 4);
    assert!(
        people
            .stdout
            .contains("one  2 migrations after it: 2 change does not run"),
        "{}",
        people.stdout
    );
}

#[test]
fn after_a_faulty_revert_the_next_one_begins_where_it_would() {
    let server = Server::start();
    // The first revert takes a table along that the second migration needs, and leaves a column that it makes.
    let services = one(
        "ALTER TABLE t ADD COLUMN c int;\n",
        "DROP TABLE t;\nCREATE TABLE t (a int, c int);\n",
    );
    services.service("one", &[]).reversible(
        3,
        "more",
        "ALTER TABLE t ADD COLUMN d int;\nUPDATE t SET b = b;\n",
        "ALTER TABLE t DROP COLUMN d;\n",
    );
    let outcome = orchestrator(&server, &services).expect(&["rehearse", "--output", "json"], 4);
    assert_eq!(verdicts(&outcome), ["1 proven", "2 disproven", "3 proven"]);
    assert_eq!(server.databases(), Vec::<String>::new());
}

#[test]
fn a_revert_that_refuses_on_purpose_is_reported_as_such() {
    let server = Server::start();
    let services = one(
        "ALTER TABLE t ADD c int;\n",
        "DO $$ BEGIN\n  RAISE EXCEPTION 'there is no way back';\nEND $$;\n",
    );
    let outcome = orchestrator(&server, &services).expect(&["rehearse", "--output", "json"], 4);
    assert_eq!(
        findings(&outcome),
        ["revert-fails V2__change.sql:1: the revert raises an exception: there is no way back"]
    );
}

#[test]
fn without_a_revert_or_a_word_that_is_a_finding() {
    let server = Server::start();
    let services = Services::new();
    services
        .service("one", &[])
        .migration(1, "table", "CREATE TABLE t (a int);\n");
    let outcome = orchestrator(&server, &services).expect(&["rehearse", "--output", "json"], 4);
    assert_eq!(verdicts(&outcome), ["1 no_revert"]);
    assert!(findings(&outcome)[0].starts_with("revert-missing V1__table.sql: "));
}

#[test]
fn what_a_migration_or_its_revert_allows_counts_for_nothing() {
    let server = Server::start();
    for in_the_revert in [false, true] {
        let allow = "-- migration: allow revert-leaves-schema \"the sequence does no harm\"\n";
        let up = "CREATE SEQUENCE i;\n";
        let down = "SELECT 1;\n";
        let (up, down) = if in_the_revert {
            (up.to_owned(), format!("{allow}{down}"))
        } else {
            (format!("{allow}{up}"), down.to_owned())
        };
        let services = one(&up.replace("SEQUENCE i", "SEQUENCE IF NOT EXISTS i"), &down);
        let orchestrator = orchestrator(&server, &services);
        let outcome = orchestrator.expect(&["rehearse", "--output", "json"], 0);
        let rehearsed = &outcome.events_of("migration_rehearsed")[1];
        assert_eq!(
            rehearsed["findings"][0]["allowed"],
            "the sequence does no harm"
        );
        assert_eq!(rehearsed["reversible"], "disproven");
        let people = orchestrator.expect(&["rehearse"], 0);
        assert!(
            people.stdout.contains("because the sequence does no harm"),
            "{}",
            people.stdout
        );
    }
}

#[test]
fn no_transaction_files_are_rehearsed_too() {
    let server = Server::start();
    let concurrently = "-- migration: no-transaction\nCREATE INDEX CONCURRENTLY i ON t (a);\n";
    let services = one(
        concurrently,
        "-- migration: no-transaction\nDROP INDEX CONCURRENTLY i;\n",
    );
    services
        .service("one", &[])
        .reversible(
            3,
            "half",
            "ALTER TABLE t ADD c int;\n",
            "-- migration: no-transaction\nALTER TABLE t DROP c;\nDROP INDEX CONCURRENTLY nowhere;\n",
        )
        .reversible(4, "after", "ALTER TABLE t ADD d int DEFAULT 0;\n", "ALTER TABLE t DROP d;\n");
    let outcome = orchestrator(&server, &services).expect(&["rehearse", "--output", "json"], 4);
    assert_eq!(
        verdicts(&outcome),
        ["1 proven", "2 proven", "3 disproven", "4 proven"]
    );
    assert_eq!(
        findings(&outcome),
        [
            "revert-fails V3__half.sql:3: the revert does not run: index \"nowhere\" does not exist [42704]"
        ]
    );
}

#[test]
fn services_in_one_database_stand_beside_those_that_need_them() {
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
    services
        .service_with("above", &["base"], &shared("above"))
        .reversible(
            1,
            "t",
            "CREATE TABLE above (id int REFERENCES base (id));\n",
            "DROP TABLE above;\n",
        );
    let orchestrator = orchestrator(&server, &services);
    for arguments in [
        &["rehearse"][..],
        &["rehearse", "--every"],
        &["rehearse", "above"],
    ] {
        orchestrator.expect(arguments, 0);
    }
    orchestrator.expect(&["all"], 0);
    services
        .service_with("base", &[], &shared("base"))
        .reversible(
            2,
            "u",
            "CREATE TABLE more (id int);\n",
            "DROP TABLE more;\n",
        );
    let outcome = orchestrator.expect(&["rehearse", "--output", "json"], 0);
    assert_eq!(verdicts(&outcome), ["2 proven"]);
}

#[test]
fn cancelled_it_leaves_nothing_behind() {
    let server = Server::start();
    let services = one("SELECT pg_sleep(30);\n", "SELECT 1;\n");
    let program = orchestrator(&server, &services);
    let running = program.watch(&["rehearse"]);
    running.wait_for("the first one is through", |event| {
        event["event"] == "migration_rehearsed"
    });
    wait_until("the second one sleeps", || {
        let sleeping = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
        server.value("postgres", sleeping) == "1"
    });
    running.signal(Signal::SIGINT);
    let outcome = running.end();
    assert_eq!(outcome.code, 130, "{}", outcome.stderr);
    let end = outcome.events().pop().expect("an event");
    assert_eq!(end["verdict"], "cancelled");
    assert_eq!(
        outcome.events_of("service_finished")[0]["outcome"],
        "cancelled"
    );
    assert_eq!(server.databases(), Vec::<String>::new());
}

#[test]
fn what_it_is_asked_wrongly_is_a_mistake() {
    let server = Server::start();
    let services = one("SELECT 1;\n", "SELECT 1;\n");
    let orchestrator = orchestrator(&server, &services);
    let unknown = orchestrator.expect(&["rehearse", "ones"], 2);
    assert!(
        unknown.stderr.contains("unknown service `ones`"),
        "{}",
        unknown.stderr
    );
}

#[test]
fn a_history_that_a_run_would_refuse_is_refused() {
    let server = Server::start();
    let services = shop();
    let orchestrator = orchestrator(&server, &services);
    orchestrator.expect(&["run", "shop", "--to", "2"], 0);
    services
        .service("shop", &[])
        .migration(1, "items", "CREATE TABLE items (id int);\n");
    let refused = orchestrator.expect(&["rehearse"], 3);
    assert!(
        refused.stderr.contains("refused: shop: "),
        "{}",
        refused.stderr
    );
    orchestrator.expect(&["rehearse", "--every"], 4);
}

#[test]
fn beside_the_live_databases_nothing_may_reach_beyond_its_own() {
    let server = Server::start();
    let services = one("SELECT 1;\n", "DROP ROLE IF EXISTS somebody;\n");
    let refused = orchestrator(&server, &services).expect(&["rehearse", "--every"], 3);
    assert!(
        refused
            .stderr
            .contains("DROP ROLE affects the whole server"),
        "{}",
        refused.stderr
    );
}

#[test]
fn one_connection_is_enough() {
    let server = Server::start();
    let services = shop();
    let orchestrator = orchestrator(&server, &services).env("ORCHESTRATOR_MAX_CONNECTIONS", "1");
    let outcome = orchestrator.expect(&["rehearse", "--every", "--output", "json"], 4);
    assert_eq!(verdicts(&outcome).len(), 4);
}

#[test]
fn many_migrations_are_reported_in_order_and_none_after_one_that_does_not_run() {
    let server = Server::start();
    let services = Services::new();
    let many = services.service("many", &[]);
    for number in 1..=45 {
        let up = format!("CREATE TABLE t{number} (id int PRIMARY KEY);\n");
        many.reversible(number, "t", &up, &format!("DROP TABLE t{number};\n"));
    }
    let orchestrator = orchestrator(&server, &services);
    let reported = verdicts(&orchestrator.expect(&["rehearse", "--output", "json"], 0));
    let all: Vec<String> = (1..=45).map(|it| format!("{it} proven")).collect();
    assert_eq!(reported, all);
    // At the end of the older part, and within each.
    for broken in [10, 27, 40] {
        let migrations = many.path().join("migrations");
        let file = migrations.join(format!("V{broken}__t.sql"));
        let text = std::fs::read_to_string(&file).expect("a file");
        std::fs::write(&file, "SELECT nothing;\n").expect("a file");
        let outcome = orchestrator.expect(&["rehearse", "--output", "json"], 4);
        let reported = verdicts(&outcome);
        assert_eq!(reported.len(), broken);
        assert_eq!(reported[broken - 1], format!("{broken} unknown"));
        assert_eq!(
            outcome.events_of("service_skipped")[0]["steps"],
            45 - broken
        );
        std::fs::write(&file, text).expect("a file");
    }
    assert_eq!(server.databases(), Vec::<String>::new());
}
