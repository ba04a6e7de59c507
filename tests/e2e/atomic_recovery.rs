//! A release that was interrupted: what was decided is finished, what was not is rolled back, and nobody guesses.

use fastrand::Rng;
use nix::sys::signal::Signal;
use serde_json::Value;
use tests::{Program, Proxy, Running, Server, Services, Side as Moment, wait_until};

use crate::atomic_faults::fleet::{Fleet, Side, prepared};
use crate::atomic_faults::world::{ATOMIC, World};

const DECISION: &str = "UPDATE orchestrator.releases SET decision";
/// Then it is decided.
const COMMIT: &str = "COMMIT PREPARED";

fn fleet() -> Fleet {
    Fleet::random(&mut Rng::with_seed(7), 3, false)
}

/// A release that is held at a request.
struct HeldRelease {
    proxy: Proxy,
    // Its folder must outlive it.
    _program: Program,
    run: Running,
}

fn held_at(world: &World<'_>, words: &str, moment: Moment) -> HeldRelease {
    let proxy = Proxy::at_sql(&world.server, words, moment);
    let program = world
        .fleet
        .orchestrator(&world.server, 1)
        .env("ORCHESTRATOR_SERVER_URL", &proxy.url("postgres"));
    let mut run = program.watch(&ATOMIC);
    proxy.wait_until_reached(&mut run).expect("the request");
    HeldRelease {
        proxy,
        _program: program,
        run,
    }
}

impl HeldRelease {
    /// SIGKILL; its server processes end.
    fn kill(self, world: &World<'_>) {
        self.run.signal(Signal::SIGKILL);
        self.proxy.cut_for_good();
        world.wait_until_they_are_gone();
    }
}

/// An event of a finished run.
fn resolved(outcome: &tests::Outcome) -> Value {
    let events = outcome.events_of("release_resolved");
    assert_eq!(events.len(), 1, "{}{}", outcome.stdout, outcome.stderr);
    events[0].clone()
}

#[test]
fn the_next_run_rolls_back_what_was_not_decided() {
    let fleet = fleet();
    let world = World::new(&fleet);
    held_at(&world, DECISION, Moment::Before).kill(&world);
    assert_eq!(prepared(&world.server).len(), 3);
    let orchestrator = fleet.orchestrator(&world.server, 4);
    let outcome = orchestrator.expect(&["all", "--output", "json"], 0);
    let resolved = resolved(&outcome);
    assert_eq!(resolved["decision"], "rollback");
    assert_eq!(resolved["coordinator"], "s1");
    assert_eq!(resolved["finished"].as_array().expect("a list").len(), 3);
    assert_eq!(resolved["left"], Value::Array(Vec::new()));
    assert_eq!(world.settled(), Ok(Side::New));
    assert_eq!(
        outcome.events_of("migration_unchanged"),
        Vec::<Value>::new()
    );
}

#[test]
fn the_next_run_finishes_what_was_decided() {
    let fleet = fleet();
    let world = World::new(&fleet);
    held_at(&world, COMMIT, Moment::Before).kill(&world);
    assert!(!prepared(&world.server).is_empty());
    let orchestrator = fleet.orchestrator(&world.server, 4);
    let outcome = orchestrator.expect(&["all", "--output", "json"], 0);
    assert_eq!(resolved(&outcome)["decision"], "commit");
    assert_eq!(outcome.events_of("migration_applied"), Vec::<Value>::new());
    assert_eq!(world.settled(), Ok(Side::New));
}

#[test]
fn a_run_of_one_service_finishes_all_databases_of_the_release() {
    let fleet = fleet();
    let world = World::new(&fleet);
    // Decided, and committed nowhere yet.
    held_at(&world, DECISION, Moment::After).kill(&world);
    assert_eq!(prepared(&world.server).len(), 3);
    let orchestrator = fleet.orchestrator(&world.server, 4);
    let outcome = orchestrator.expect(&["run", "s2", "--with-dependencies"], 0);
    assert_eq!(world.settled(), Ok(Side::New), "{}", outcome.stderr);
}

#[test]
fn a_revert_finishes_it_first() {
    let fleet = fleet();
    let world = World::new(&fleet);
    held_at(&world, COMMIT, Moment::Before).kill(&world);
    let orchestrator = fleet.orchestrator(&world.server, 4);
    // What was decided is applied, and has no revert file.
    let outcome = orchestrator.expect(&["revert", "all", "--output", "json"], 3);
    assert_eq!(resolved(&outcome)["decision"], "commit");
    assert_eq!(world.settled(), Ok(Side::New));
}

#[test]
fn doctor_finds_it_and_finishes_it() {
    let fleet = fleet();
    let world = World::new(&fleet);
    held_at(&world, DECISION, Moment::Before).kill(&world);
    let orchestrator = fleet.orchestrator(&world.server, 4);
    let outcome = orchestrator.expect(&["doctor", "--output", "json"], 4);
    let findings = outcome.json()["findings"].clone();
    let kinds: Vec<&str> = findings
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|finding| finding["kind"].as_str())
        .collect();
    assert_eq!(kinds, ["release_in_doubt"; 3]);
    assert_eq!(findings[0]["fix"], "safe");
    assert_eq!(prepared(&world.server).len(), 3, "doctor writes nothing");
    let outcome = orchestrator.expect(&["doctor", "--fix"], 0);
    assert!(
        outcome.stdout.contains("no findings, 3 fixed"),
        "{}",
        outcome.stdout
    );
    assert_eq!(world.settled(), Ok(Side::Old));
}

#[test]
fn read_only_commands_report_it_and_write_nothing() {
    let fleet = fleet();
    let world = World::new(&fleet);
    held_at(&world, DECISION, Moment::Before).kill(&world);
    let orchestrator = fleet.orchestrator(&world.server, 4);
    for arguments in [["status"].as_slice(), &["plan"], &["all", "--dry-run"]] {
        let outcome = orchestrator.expect(arguments, 0);
        let said = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(
            said.contains("atomic release") && said.contains("doctor --fix"),
            "{arguments:?}: {said}"
        );
    }
    let status = orchestrator
        .expect(&["status", "--output", "json"], 0)
        .json();
    assert_eq!(status["services"][0]["release_in_doubt"], true);
    assert_eq!(prepared(&world.server).len(), 3);
}

#[test]
fn a_release_that_is_alive_is_waited_for() {
    let fleet = fleet();
    let world = World::new(&fleet);
    let held = held_at(&world, DECISION, Moment::Before);
    let impatient = fleet
        .orchestrator(&world.server, 4)
        .env("ORCHESTRATOR_ADVISORY_LOCK_WAIT", "300ms");
    let outcome = impatient.expect(&["all"], 5);
    assert!(
        outcome.stderr.contains("cannot acquire the advisory lock"),
        "{}",
        outcome.stderr
    );
    impatient.run(&["doctor", "--fix", "--yes"]);
    assert_eq!(prepared(&world.server).len(), 3, "it is left alone");
    // One with more patience finds it finished.
    let patient = fleet.orchestrator(&world.server, 4);
    let waiting = patient.watch(&["all"]);
    held.proxy.release();
    let outcome = held.run.end();
    assert_eq!(outcome.code, 0, "{}", outcome.stdout);
    assert_eq!(waiting.end().code, 0);
    assert_eq!(world.settled(), Ok(Side::New));
}

#[test]
fn a_release_that_was_taken_for_dead_cannot_decide_any_more() {
    let fleet = fleet();
    let world = World::new(&fleet);
    let held = held_at(&world, DECISION, Moment::Before);
    world.server.query(
        "postgres",
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name LIKE 'orchestrator %'",
    );
    let orchestrator = fleet.orchestrator(&world.server, 4);
    let outcome = orchestrator.expect(&["doctor", "--fix"], 0);
    assert!(outcome.stdout.contains("3 fixed"), "{}", outcome.stdout);
    held.proxy.release();
    let outcome = held.run.end();
    assert_eq!(outcome.code, 5, "{}", outcome.stdout);
    assert!(
        outcome
            .stdout
            .contains("another run found this release without its locks"),
        "{}",
        outcome.stdout
    );
    assert_eq!(world.settled(), Ok(Side::Old));
    orchestrator.expect(&["all"], 0);
    assert_eq!(world.settled(), Ok(Side::New));
}

#[test]
fn ctrl_c_after_the_decision_finishes_it() {
    let fleet = fleet();
    let world = World::new(&fleet);
    let held = held_at(&world, COMMIT, Moment::Before);
    held.run.signal(Signal::SIGINT);
    held.proxy.release();
    let outcome = held.run.end();
    assert_eq!(outcome.code, 0, "{}", outcome.stdout);
    assert_eq!(world.settled(), Ok(Side::New));
}

#[test]
fn a_database_that_cannot_be_reached_for_its_commit_is_named() {
    let fleet = fleet();
    let world = World::new(&fleet);
    let proxy = Proxy::at_sql(&world.server, COMMIT, Moment::Before);
    // Only this one goes through the proxy, which does not come back.
    let program = fleet
        .orchestrator(&world.server, 1)
        .env("S3_DATABASE_URL", &proxy.url("db_s3"))
        .env("ORCHESTRATOR_CONNECT_TIMEOUT", "1s");
    let mut run = program.watch(&ATOMIC);
    proxy.wait_until_reached(&mut run).expect("the commit");
    proxy.cut_for_good();
    let outcome = run.end();
    assert_eq!(outcome.code, 5, "{}", outcome.stdout);
    let failed = &outcome.events_of("service_failed")[0];
    assert_eq!(failed["service"], "s3");
    let message = failed["message"].as_str().expect("a message");
    assert!(message.contains("committed in s1, s2,"), "{message}");
    assert_eq!(outcome.events_of("release_committed"), Vec::<Value>::new());
    fleet.orchestrator(&world.server, 4).expect(&["all"], 0);
    assert_eq!(world.settled(), Ok(Side::New));
}

#[test]
fn the_reported_locks_are_those_that_were_held() {
    let (server, services) = (Server::start(), Services::new());
    for name in ["one", "two"] {
        services.service(name, &[]).migration(
            1,
            "a",
            "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int); CREATE SEQUENCE s; CREATE VIEW v AS SELECT 1",
        );
    }
    let orchestrator = Program::orchestrator(&server).services(&services);
    orchestrator.expect(&["all"], 0);
    for name in ["one", "two"] {
        services.service(name, &[]).migration(
            2,
            "locks",
            "ALTER TABLE b ADD FOREIGN KEY (id) REFERENCES a; SELECT nextval('s'); DROP VIEW v; CREATE TABLE c (id int);
             INSERT INTO b SELECT id FROM a; CREATE INDEX ON b (id)",
        );
    }
    // Everything is prepared then.
    let proxy = Proxy::at_sql(&server, DECISION, Moment::Before);
    let program = Program::orchestrator(&server)
        .services(&services)
        .arg("--jobs=1")
        .env("ORCHESTRATOR_LOCK_TIMEOUT", "60s")
        .env("ORCHESTRATOR_SERVER_URL", &proxy.url("postgres"));
    let mut run = program.watch(&ATOMIC);
    proxy.wait_until_reached(&mut run).expect("the decision");
    let held = server.query(
        "db_two",
        "SELECT DISTINCT 'public.' || c.relname, l.mode FROM pg_locks l JOIN pg_class c ON c.oid = l.relation \
         WHERE l.pid IS NULL AND l.locktype = 'relation' AND c.relnamespace = 'public'::regnamespace \
           AND l.database = (SELECT oid FROM pg_database WHERE datname = 'db_two') \
           AND c.relkind <> 'i' AND c.relname NOT IN ('c', 'refinery_schema_history') ORDER BY 1, 2",
    );
    assert!(held.len() >= 4, "{held:?}");
    proxy.release();
    let outcome = run.end();
    assert_eq!(outcome.code, 0, "{}", outcome.stdout);
    let committed = outcome.events_of("service_committed");
    let two = committed
        .iter()
        .find(|event| event["service"] == "two")
        .expect("two");
    let reported: Vec<Vec<String>> = two["locks"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|lock| {
            ["relation", "mode"]
                .map(|key| lock[key].as_str().expect("a text").to_owned())
                .to_vec()
        })
        .collect();
    assert_eq!(reported, held);
    assert!(two["held_ms"].as_u64() <= two["open_ms"].as_u64(), "{two}");
}

/// Prepares something in the name of a release, as an interrupted one would have left it.
fn prepare(server: &Server, database: &str, gid: &str, sql: &str) {
    server.query(
        database,
        &format!("BEGIN; {sql}; PREPARE TRANSACTION '{gid}'"),
    );
}

const RELEASE: &str = "01983f2a-0000-7000-8000-000000000001";

#[test]
fn a_service_binary_that_does_not_know_the_coordinator_refuses() {
    let server = Server::start();
    server.create_database("soc_auth");
    let gid = format!("orchestrator:{RELEASE}:2:ai");
    prepare(&server, "soc_auth", &gid, "CREATE TABLE t (id int)");
    let auth = Program::named("auth-migrations").env("DATABASE_URL", &server.url("soc_auth"));
    let outcome = auth.expect(&["run"], 3);
    assert!(
        outcome.stderr.contains("which is not configured here"),
        "{}",
        outcome.stderr
    );
    assert!(
        outcome.stderr.contains("next: orchestrator doctor --fix"),
        "{}",
        outcome.stderr
    );
    assert_eq!(prepared(&server), [gid]);
}

#[test]
fn a_service_binary_that_knows_it_follows_the_decision() {
    let server = Server::start();
    let orchestrator = Program::orchestrator(&server);
    orchestrator.expect(&["run", "auth", "client", "--with-dependencies"], 0);
    server.query(
        "soc_auth",
        &format!(
            "CREATE TABLE orchestrator.releases (run_id uuid PRIMARY KEY, participants jsonb, begun_at timestamptz, \
               decision text, decided_by text, decided_at timestamptz, finished_at timestamptz); \
             INSERT INTO orchestrator.releases VALUES ('{RELEASE}', \
               '[{{\"number\": 1, \"database\": \"a\", \"services\": [\"auth\"]}}, {{\"number\": 2, \"database\": \"c\", \"services\": [\"client\"]}}]', \
               now(), 'commit')"
        ),
    );
    prepare(
        &server,
        "soc_clients",
        &format!("orchestrator:{RELEASE}:2:auth"),
        "CREATE TABLE decided (id int)",
    );
    Program::named("client-migrations")
        .env("ORCHESTRATOR_SERVER_URL", &server.url("postgres"))
        .expect(&["run"], 0);
    assert_eq!(prepared(&server), Vec::<String>::new());
    assert_eq!(
        server.value("soc_clients", "SELECT to_regclass('decided') IS NOT NULL"),
        "t"
    );
}

#[test]
fn without_the_record_of_the_release_nothing_is_guessed() {
    let fleet = fleet();
    let world = World::new(&fleet);
    let server = &world.server;
    let gid = format!("orchestrator:{RELEASE}:2:s1");
    prepare(server, "db_s2", &gid, "CREATE TABLE t (id int)");
    let orchestrator = fleet.orchestrator(server, 4);
    let outcome = orchestrator.expect(&["all"], 3);
    assert!(
        outcome.stderr.contains("has no record of it"),
        "{}",
        outcome.stderr
    );
    orchestrator.expect(&["doctor", "--fix", "--yes"], 4);
    assert_eq!(prepared(server), std::slice::from_ref(&gid));
    server.query("db_s2", &format!("ROLLBACK PREPARED '{gid}'"));
    orchestrator.expect(&["all"], 0);
}

#[test]
fn what_comes_to_be_prepared_behind_a_run_stops_it() {
    let fleet = fleet();
    let world = World::new(&fleet);
    let server = &world.server;
    // A lost server process that goes on alone holds the lock, and prepares after the run was planned.
    let orphan = server.session("db_s1");
    orphan.run(&format!(
        "SELECT pg_advisory_lock({}); BEGIN; CREATE TABLE t (id int)",
        pg_session::ADVISORY_LOCK_KEY
    ));
    let orchestrator = fleet.orchestrator(server, 4);
    let run = orchestrator.watch(&["run", "s1"]);
    run.wait_for_event("lock_waiting");
    let gid = format!("orchestrator:{RELEASE}:1:s1");
    orphan.run(&format!("PREPARE TRANSACTION '{gid}'"));
    drop(orphan);
    let outcome = run.end();
    assert_eq!(outcome.code, 3, "{}", outcome.stdout);
    let failed = &outcome.events_of("service_failed")[0];
    assert_eq!(failed["refusal"]["kind"], "release_in_doubt");
    assert_eq!(server.applied("db_s1"), [1]);
    wait_until("it is prepared", || prepared(server) == [gid.clone()]);
    server.query("db_s1", &format!("ROLLBACK PREPARED '{gid}'"));
}
