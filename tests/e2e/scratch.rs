//! Scratch databases are where one says, and are dropped whatever happens.

use std::time::Duration;

use nix::sys::signal::Signal;
use tests::{Program, Server, Services, wait_until};

const SOON: Duration = Duration::from_secs(30);

/// A service with one migration, which the live database has.
fn one(sql: &str) -> Services {
    let services = Services::new();
    services.service("one", &[]).migration(1, "only", sql);
    services
}

fn orchestrator(server: &Server, services: &Services) -> Program {
    Program::orchestrator(server)
        .scratch_beside()
        .services(services)
}

/// A live database, quickly migrated, whose migration takes its time when it is replayed: it sleeps only where
/// another database does not tell it not to.
fn slow() -> (Server, Services, Program) {
    let server = Server::start();
    let services = one(
        "DO $$ BEGIN IF current_database() LIKE 'orchestrator\\_scratch\\_%' THEN PERFORM pg_sleep(30); END IF; END $$;\n",
    );
    let orchestrator = orchestrator(&server, &services);
    orchestrator.expect(&["all"], 0);
    (server, services, orchestrator)
}

fn scratch_databases(server: &Server) -> Vec<String> {
    let mut databases = server.databases();
    databases.retain(|name| name.starts_with("orchestrator_scratch_"));
    databases
}

#[track_caller]
fn wait_for_replay(server: &Server, number: usize) {
    wait_until("the replay sleeps", || {
        server.value(
            "postgres",
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'",
        ) == number.to_string()
    });
}

#[test]
fn nothing_stays_after_success_and_after_a_migration_that_fails_there() {
    let server = Server::start();
    let services = one(
        "DO $$ BEGIN IF current_database() LIKE 'orchestrator\\_scratch\\_%' THEN RAISE 'not here'; END IF; END $$;\n",
    );
    let orchestrator = orchestrator(&server, &services);
    orchestrator.expect(&["all"], 0);
    let failed = orchestrator.expect(&["drift"], 1);
    let text = failed.stdout + &failed.stderr;
    assert!(
        text.contains("V1__only.sql:1") && text.contains("not here"),
        "{text}"
    );
    assert_eq!(server.databases(), ["db_one"]);
    let document = orchestrator
        .expect(&["drift", "--output", "json"], 1)
        .json();
    assert_eq!(document["services"][0]["exit_code"], 1, "{document}");
    assert_eq!(server.databases(), ["db_one"]);
}

#[test]
fn nothing_stays_after_a_cancellation() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let (server, _services, orchestrator) = slow();
        let run = orchestrator.watch(&["drift"]);
        wait_for_replay(&server, 1);
        assert_eq!(scratch_databases(&server).len(), 1);
        run.signal(signal);
        assert_eq!(run.end_within(SOON).code, 130);
        assert_eq!(server.databases(), ["db_one"]);
    }
}

#[test]
fn what_a_killed_command_left_the_next_one_drops_and_never_that_of_a_living_one() {
    let (server, _services, orchestrator) = slow();
    let killed = orchestrator.watch(&["drift"]);
    wait_for_replay(&server, 1);
    let left = scratch_databases(&server);
    killed.signal(Signal::SIGKILL);
    killed.end();
    wait_until("the server notices", || {
        server.value(
            "postgres",
            "SELECT count(*) FROM pg_stat_activity WHERE application_name <> '' AND pid <> pg_backend_pid()",
        ) == "0"
    });
    assert_eq!(scratch_databases(&server), left);

    let living = orchestrator.watch(&["drift"]);
    wait_for_replay(&server, 1);
    let own = scratch_databases(&server);
    assert_eq!(own.len(), 1);
    assert_ne!(own, left);

    let second = orchestrator.watch(&["drift"]);
    wait_for_replay(&server, 2);
    let both = scratch_databases(&server);
    assert_eq!(both.len(), 2);
    assert!(both.contains(&own[0]), "{both:?}");
    for run in [living, second] {
        run.signal(Signal::SIGINT);
        assert_eq!(run.end_within(SOON).code, 130);
    }
    assert_eq!(server.databases(), ["db_one"]);
}

#[test]
fn databases_with_similar_names_are_nobodys_to_drop() {
    let server = Server::start();
    let services = one("CREATE TABLE t (id int);\n");
    let orchestrator = orchestrator(&server, &services);
    orchestrator.expect(&["all"], 0);
    let similar = [
        "orchestrator_scratch_mine",
        "orchestrator_scratch_0123_1",
        "scratch",
    ];
    for name in similar {
        server.create_database(name);
    }
    orchestrator.expect(&["drift"], 0);
    for name in similar {
        assert!(
            server.databases().iter().any(|database| database == name),
            "{name}"
        );
    }
}

#[test]
fn on_another_server_the_live_one_gets_no_database() {
    let server = Server::start();
    let scratch = Server::start();
    let services = one("DO $$ BEGIN PERFORM pg_sleep(0); END $$; CREATE TABLE t (id int);\n");
    let orchestrator = Program::orchestrator(&server).services(&services);
    orchestrator.expect(&["all"], 0);
    let count = "SELECT count(*) FROM pg_database";
    let before = server.value("postgres", count);
    let url = scratch.url("postgres");
    orchestrator.expect(&["drift", "--scratch-server", &url], 0);
    assert_eq!(server.value("postgres", count), before);
    let log = server.cluster().log().expect("a log");
    assert!(!log.contains("orchestrator_scratch_"), "{log}");
    assert_eq!(scratch.databases(), Vec::<String>::new());

    let nowhere = "postgresql://postgres@127.0.0.1:1/postgres";
    let unreachable = orchestrator.expect(&["drift", "--scratch-server", nowhere], 5);
    let text = unreachable.stdout + &unreachable.stderr;
    assert!(
        text.contains("scratch server") && text.contains("--scratch-server"),
        "{text}"
    );
    orchestrator.expect(&["drift", "--scratch-server", "mysql://x"], 2);
}

#[test]
fn without_the_privilege_to_create_databases_the_alternatives_are_listed() {
    let server = Server::start();
    server.query("postgres", "CREATE ROLE app LOGIN PASSWORD 'app'");
    server.query("postgres", "CREATE DATABASE db_one OWNER app");
    let services = one("CREATE TABLE t (id int);\n");
    let app = Program::named("orchestrator")
        .services(&services)
        .scratch_beside()
        .env(
            "ORCHESTRATOR_SERVER_URL",
            &server.url_as("app", "app", "db_one"),
        );
    app.expect(&["all"], 0);
    let refused = app.expect(&["drift"], 3);
    let text = refused.stdout + &refused.stderr;
    assert!(
        text.contains("permission denied to create database"),
        "{text}"
    );
    assert!(
        text.contains("ALTER ROLE app CREATEDB") && text.contains("--scratch-server"),
        "{text}"
    );
    // It has a history of ours: there is nothing to adopt, and nothing to prove in a scratch database.
    app.expect(&["adopt", "one"], 0);
}

#[test]
fn what_reaches_beyond_its_database_is_not_replayed_beside_the_live_one() {
    let server = Server::start();
    let scratch = Server::start();
    let services = one("CREATE TABLE t (id int);\nCREATE ROLE auditor;\n");
    let orchestrator = orchestrator(&server, &services);
    orchestrator.expect(&["all"], 0);
    let refused = orchestrator.expect(&["drift"], 3);
    let text = refused.stdout + &refused.stderr;
    assert!(text.contains("V1__only.sql:2: CREATE ROLE"), "{text}");
    assert!(text.contains("--scratch-server local"), "{text}");
    // Again and again: nothing of it stays there either.
    for _ in 0..2 {
        orchestrator.expect(&["drift", "--scratch-server", &scratch.url("postgres")], 0);
    }
    assert_eq!(server.databases(), ["db_one"]);
}

/// A project folder whose local server is removed at the end, also after a failed assertion.
struct Project(Program);

impl Drop for Project {
    fn drop(&mut self) {
        self.0.run(&["local", "reset"]);
    }
}

#[test]
fn by_default_they_are_on_a_local_server_of_the_project() {
    let server = Server::start();
    let services = one("CREATE TABLE t (id int);\n");
    let project = Project(Program::orchestrator(&server).services(&services));
    let orchestrator = &project.0;
    std::fs::create_dir(orchestrator.folder().join("config")).expect("a project");
    orchestrator.expect(&["all"], 0);
    assert!(!orchestrator.folder().join(".local").exists());
    orchestrator.expect(&["drift"], 0);
    assert!(orchestrator.folder().join(".local").exists());
    let log = server.cluster().log().expect("a log");
    assert!(!log.contains("orchestrator_scratch_"), "{log}");
    server.query("db_one", "ALTER TABLE t ADD COLUMN note text");
    orchestrator.expect(&["drift", "one"], 4);
    let state = orchestrator
        .expect(&["local", "status", "--output", "json"], 0)
        .json();
    assert_eq!(state["state"], "running", "{state}");
}

#[test]
fn a_leftover_that_may_not_be_dropped_yet_is_reported_until_the_next_command_drops_it() {
    const LEFT: &str = "orchestrator_scratch_0192b0c0a0b07000800000000000abcd_1";
    let server = Server::start();
    server.query("postgres", "CREATE ROLE app LOGIN CREATEDB PASSWORD 'app'");
    for database in ["db_one", LEFT] {
        server.query("postgres", &format!("CREATE DATABASE {database} OWNER app"));
    }
    let services = one("CREATE TABLE t (id int);\n");
    let app = Program::named("orchestrator")
        .services(&services)
        .scratch_beside()
        .env(
            "ORCHESTRATOR_SERVER_URL",
            &server.url_as("app", "app", "db_one"),
        );
    app.expect(&["all"], 0);
    // As little as a worker of autovacuum, a superuser's session may be ended by this role.
    let session = server.session(LEFT);
    let drift = app.expect(&["drift"], 0);
    assert!(drift.stderr.contains(LEFT), "{}", drift.stderr);
    assert_eq!(scratch_databases(&server), [LEFT]);
    let doctor = app
        .expect(&["doctor", "--fix", "--output", "json"], 4)
        .json();
    assert_eq!(
        doctor["findings"][0]["kind"], "scratch_database",
        "{doctor}"
    );
    drop(session);
    app.expect(&["drift"], 0);
    assert_eq!(server.databases(), ["db_one"]);
}
