//! Signals at random moments: what a run says is what became of it, and the next run completes it.
//!
//! The moments are those of a fixed seed (see `tests::sample`).

use std::collections::BTreeMap;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;
use tests::{Outcome, Program, Running, Server, Services};

const ROUNDS: u64 = 2;
const SERVICES: [&str; 4] = ["auth", "client", "policy", "audit"];
const LAST: i64 = 3;

/// Four services, three of which may be at work at a time; a no-transaction file in each, with all forms of statements.
fn fleet() -> Services {
    let services = Services::new();
    for (name, depends_on) in [
        ("auth", &[][..]),
        ("client", &["auth"][..]),
        ("policy", &["auth"][..]),
        ("audit", &[][..]),
    ] {
        services
            .service(name, depends_on)
            .reversible(
                1,
                "tables",
                "CREATE TABLE first (id int); SELECT pg_sleep(0.1); CREATE TABLE second (id int)",
                "DROP TABLE second; SELECT pg_sleep(0.1); DROP TABLE first",
            )
            .reversible(
                2,
                "indexes",
                "-- migration: no-transaction\nCREATE INDEX CONCURRENTLY first_id ON first (id);\nSELECT pg_sleep(0.1);\n\
                 BEGIN;\nALTER TABLE first ADD COLUMN b int;\nSELECT pg_sleep(0.05);\nCOMMIT;\nCREATE INDEX CONCURRENTLY first_b ON first (b);",
                "-- migration: no-transaction\nDROP INDEX CONCURRENTLY first_b;\nSELECT pg_sleep(0.1);\nALTER TABLE first DROP COLUMN b;\n\
                 DROP INDEX CONCURRENTLY first_id;",
            )
            .reversible(
                3,
                "columns",
                "ALTER TABLE second ADD COLUMN c int; SELECT pg_sleep(0.1)",
                "ALTER TABLE second DROP COLUMN c; SELECT pg_sleep(0.1)",
            );
    }
    services
}

struct Scene {
    server: Server,
    orchestrator: Program,
    /// The schema of every service after so many migrations.
    undisturbed: Vec<String>,
}

impl Scene {
    fn new() -> (Self, Services) {
        let server = Server::start();
        let services = fleet();
        let orchestrator = Program::orchestrator(&server)
            .services(&services)
            .arg("--jobs=3");
        let mut undisturbed = Vec::new();
        orchestrator.expect(&["run", "auth", "--to", "1"], 0);
        orchestrator.expect(&["revert", "auth"], 0);
        undisturbed.push(server.schema("db_auth"));
        for version in 1..=LAST {
            orchestrator.expect(&["run", "auth", "--to", &version.to_string()], 0);
            undisturbed.push(server.schema("db_auth"));
        }
        let scene = Self {
            server,
            orchestrator,
            undisturbed,
        };
        (scene, services)
    }

    /// Once, or twice with a pause; as the random numbers have it.
    fn disturb(&self, random: &mut fastrand::Rng, run: &Running) {
        run.wait_for_event("run_started");
        let mut signal = || {
            std::thread::sleep(Duration::from_millis(random.u64(0..900)));
            run.signal(*random.choice(&[Signal::SIGINT, Signal::SIGTERM]).unwrap());
        };
        signal();
        if random.bool() {
            std::thread::sleep(Duration::from_millis(random.u64(0..150)));
            run.signal(Signal::SIGINT);
        }
    }

    /// The exit code is that of the last event, and every event agrees with the databases.
    fn assert_reported_correctly(&self, outcome: &Outcome, before: &BTreeMap<&str, usize>) {
        let events = outcome.events();
        let last = events.last().cloned().unwrap_or_default();
        assert_eq!(last["event"], "run_finished", "{}", outcome.stderr);
        assert_eq!(last["exit_code"], outcome.code);
        assert!([0, 130].contains(&outcome.code), "{last}");
        let verdict = if outcome.code == 0 {
            "done"
        } else {
            "cancelled"
        };
        assert_eq!(last["verdict"], verdict);
        let asked = events
            .iter()
            .any(|event| event["event"] == "cancel_requested");
        assert!(asked || outcome.code == 0, "cancelled by nobody");
        let status = self.status();
        for name in SERVICES {
            let count = |kind: &str| {
                let of_it = |event: &&Value| event["event"] == kind && event["service"] == name;
                events.iter().filter(of_it).count()
            };
            let expected = before[name] + count("migration_applied") - count("migration_reverted");
            let service = status["services"]
                .as_array()
                .and_then(|all| all.iter().find(|one| one["name"] == name));
            let migrations = service.unwrap()["migrations"].as_array().unwrap();
            let states = |state: &str| {
                let with = |migration: &&Value| migration["state"] == state;
                migrations.iter().filter(with).count()
            };
            let interrupted = states("interrupted");
            let failed = events
                .iter()
                .find(|event| event["event"] == "migration_failed" && event["service"] == name);
            if interrupted > 0 {
                // What was interrupted was said to be: how much of it is done stands there.
                let failed = failed.unwrap_or_else(|| panic!("{name}: unsaid\n{}", outcome.stdout));
                assert_eq!(failed["rolled_back"], false, "{failed}");
                assert_eq!(failed["version"], 2, "{failed}");
                continue;
            }
            assert_eq!(states("applied"), expected, "{name}\n{}", outcome.stdout);
            let exists = self.server.databases().contains(&format!("db_{name}"));
            if exists {
                assert_eq!(
                    self.server.schema(&format!("db_{name}")),
                    self.undisturbed[expected],
                    "{name}: something half-done is left\n{}",
                    outcome.stdout
                );
            }
            if let Some(failed) = failed {
                assert_eq!(failed["exit_code"], 130, "{failed}");
                assert_eq!(failed["rolled_back"], true, "{failed}");
            }
        }
    }

    fn status(&self) -> Value {
        self.orchestrator
            .expect(&["status", "--output", "json"], 0)
            .json()
    }

    fn assert_complete(&self, applied: usize) {
        for name in SERVICES {
            let database = format!("db_{name}");
            assert_eq!(self.server.applied(&database).len(), applied, "{name}");
            assert_eq!(
                self.server.schema(&database),
                self.undisturbed[applied],
                "{name}"
            );
        }
    }

    fn applied(&self) -> BTreeMap<&'static str, usize> {
        let existing = self.server.databases();
        SERVICES
            .into_iter()
            .map(|name| {
                let database = format!("db_{name}");
                let known = existing.contains(&database)
                    && !self
                        .server
                        .value(&database, "SELECT to_regclass('refinery_schema_history')")
                        .is_empty();
                let applied = if known {
                    self.server.applied(&database).len()
                } else {
                    0
                };
                (name, applied)
            })
            .collect()
    }
}

#[test]
fn a_run() {
    let (scene, _services) = Scene::new();
    let mut random = tests::random();
    for _ in 0..tests::rounds(ROUNDS) {
        for database in scene.server.databases() {
            scene.server.query(
                "postgres",
                &format!("DROP DATABASE {database} WITH (FORCE)"),
            );
        }
        let run = scene.orchestrator.watch(&["all"]);
        scene.disturb(&mut random, &run);
        let outcome = run.end_within(Duration::from_secs(25));
        scene.assert_reported_correctly(&outcome, &SERVICES.map(|name| (name, 0)).into());
        scene.orchestrator.expect(&["all"], 0);
        scene.assert_complete(usize::try_from(LAST).unwrap());
    }
}

#[test]
fn a_revert() {
    let (scene, _services) = Scene::new();
    let mut random = tests::random();
    for _ in 0..tests::rounds(ROUNDS) {
        scene.orchestrator.expect(&["all"], 0);
        let before = scene.applied();
        let run = scene.orchestrator.watch(&["revert", "all", "--all"]);
        scene.disturb(&mut random, &run);
        let outcome = run.end_within(Duration::from_secs(25));
        scene.assert_reported_correctly(&outcome, &before);
        scene.orchestrator.expect(&["revert", "all", "--all"], 0);
        scene.assert_complete(0);
    }
}
