//! Random fleets of 3, 11 and 30 databases with a migration that fails at a random place: every database ends at its old
//! catalog, or is named with where it is, in the reverse order of the graph.
//!
//! The fleets are those of a fixed seed (see `tests::sample`); `TESTS_SEED` repeats the one that a failure names, and `TESTS_ROUNDS`
//! makes more rounds than the suite has time for.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Duration;

use fastrand::Rng;
use nix::sys::signal::Signal;
use serde_json::Value;
use tests::{Outcome, Program, Server, Services, by_depth};

const UNDO: &[&str] = &["all", "--on-failure", "revert"];

/// A fleet on a server of its own; the first migrations are applied, and their tables have rows.
struct Fleet {
    server: Server,
    orchestrator: Program,
    _services: Services,
    names: Vec<String>,
    depends_on: BTreeMap<String, BTreeSet<String>>,
    before: BTreeMap<String, String>,
    /// The service and the version that fails.
    fails: (String, i64),
    /// The last version of each.
    last: BTreeMap<String, i64>,
}

/// What stands in the way of undoing everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Obstacle {
    None,
    /// A migration has no revert.
    Irreversible,
    /// A revert fails.
    Failing,
}

/// Up and down, exactly; `#` is the version.
const KINDS: [(&str, &str, &str); 4] = [
    (
        "",
        "CREATE TABLE t_# (a int PRIMARY KEY); INSERT INTO t_# SELECT generate_series(1, 20)",
        "DROP TABLE t_#",
    ),
    (
        "",
        "ALTER TABLE base ADD COLUMN c_# int DEFAULT 7",
        "ALTER TABLE base DROP COLUMN c_#",
    ),
    (
        "-- migration: no-transaction\n",
        "CREATE INDEX CONCURRENTLY i_# ON base (a);\nCREATE TABLE u_# (a int);",
        "DROP TABLE IF EXISTS u_#;\nDROP INDEX CONCURRENTLY IF EXISTS i_#;",
    ),
    ("", "CREATE TYPE e_# AS ENUM ('x', 'y')", "DROP TYPE e_#"),
];

/// Both kinds of files fail, the second half way.
const FAILING: [(&str, &str, &str); 2] = [
    ("", "CREATE TABLE f (a int); SELECT 1 / 0", "DROP TABLE f"),
    (
        "-- migration: no-transaction\n",
        "CREATE TABLE f (a int);\nCREATE INDEX CONCURRENTLY f_a ON f (a);\nSELECT 1 / 0;",
        "DROP TABLE IF EXISTS f;",
    ),
];

impl Fleet {
    fn new(random: &mut Rng, size: usize, obstacle: Obstacle) -> Self {
        let services = Services::new();
        let names: Vec<String> = (0..size).map(|number| format!("s{number:02}")).collect();
        let mut depends_on: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (number, name) in names.iter().enumerate() {
            let others = names[..number]
                .iter()
                .filter(|_| random.usize(..number + 1) < 2);
            let chosen: BTreeSet<String> = others.cloned().collect();
            services.service(name, &sorted(&chosen)).migration(
                1,
                "first",
                "CREATE TABLE base (a int)",
            );
            depends_on.insert(name.clone(), chosen);
        }
        let server = Server::start();
        let orchestrator = Program::orchestrator(&server).services(&services);
        orchestrator.expect(&["all"], 0);
        let mut fleet = Self {
            server,
            orchestrator,
            names,
            depends_on,
            before: BTreeMap::new(),
            fails: (String::new(), 0),
            last: BTreeMap::new(),
            _services: services,
        };
        fleet.each(|database| {
            let insert = "INSERT INTO base SELECT generate_series(1, 10)";
            fleet.server.query(database, insert)
        });
        fleet.before = fleet.each(|database| fleet.server.contents(database));
        fleet.write_migrations(random, obstacle);
        fleet
    }

    fn write_migrations(&mut self, random: &mut Rng, obstacle: Obstacle) {
        let culprit = random.usize(..self.names.len());
        // Something that comes before it, so that it is applied when that fails.
        let ahead = self.depends_on[&self.names[culprit]].iter().next().cloned();
        for (number, name) in self.names.clone().iter().enumerate() {
            let folder = self
                ._services
                .service(name, &sorted(&self.depends_on[name]));
            let last = random.i64(2..=4);
            for version in 2..=last {
                let failing = number == culprit && version == last;
                let (directive, up, down) = if failing {
                    self.fails = (name.clone(), version);
                    FAILING[random.usize(..FAILING.len())]
                } else {
                    KINDS[random.usize(..KINDS.len())]
                };
                let mut head = String::new();
                // Requirements on what others have at any version.
                if let Some(other) = self.depends_on[name]
                    .iter()
                    .next()
                    .filter(|_| random.bool())
                {
                    let required = random.i64(1..=self.last[other]);
                    writeln!(head, "-- migration: requires {other}@{required}").expect("a string");
                }
                let text = |sql: &str| sql.replace('#', &version.to_string());
                let up = format!("{head}{directive}{}", text(up));
                let down = format!("{directive}{}", text(down));
                let stands_in_the_way = Some(name) == ahead.as_ref() && version == last;
                match obstacle {
                    Obstacle::Irreversible if stands_in_the_way => {
                        folder.migration(version, "file", &up);
                    }
                    Obstacle::Failing if stands_in_the_way => {
                        folder.reversible(version, "file", &up, "SELECT 1 / 0");
                    }
                    _ => {
                        folder.reversible(version, "file", &up, &down);
                    }
                }
            }
            self.last.insert(name.clone(), last);
        }
    }

    /// Asks every database, some at a time.
    fn each<T: Send>(&self, look: impl Fn(&str) -> T + Sync) -> BTreeMap<String, T> {
        let look = &look;
        let mut found = BTreeMap::new();
        for some in self.names.chunks(4) {
            std::thread::scope(|scope| {
                let threads: Vec<_> = some
                    .iter()
                    .map(|name| (name, scope.spawn(move || look(&format!("db_{name}")))))
                    .collect();
                for (name, thread) in threads {
                    found.insert(name.clone(), thread.join().expect("looked at"));
                }
            });
        }
        found
    }

    fn run(&self, arguments: &[&str], code: i32) -> Outcome {
        let outcome = self
            .orchestrator
            .watch(arguments)
            .end_within(Duration::from_secs(120));
        assert_eq!(outcome.code, code, "{}\n{}", outcome.stdout, outcome.stderr);
        outcome
    }

    #[track_caller]
    fn assert_old(&self) {
        for (name, applied) in self.each(|database| self.server.applied(database)) {
            assert_eq!(applied, [1], "{name}");
        }
        assert_eq!(
            self.each(|database| self.server.contents(database)),
            self.before
        );
        let owed = "SELECT CASE WHEN to_regclass('orchestrator.compensation') IS NULL THEN 0 ELSE \
             (xpath('/row/c/text()', query_to_xml('SELECT count(*) AS c FROM orchestrator.compensation', false, true, '')))[1]::text::int END";
        for (name, owed) in self.each(|database| self.server.value(database, owed)) {
            assert_eq!(owed, "0", "{name}");
        }
    }

    /// A service is not undone before all are that depend on it.
    #[track_caller]
    fn assert_order(&self, outcome: &Outcome) {
        let events = outcome.events();
        let of = |event: &Value, name: &str| event["service"] == *name;
        for (name, depends_on) in &self.depends_on {
            let last = events
                .iter()
                .rposition(|event| event["event"] == "migration_reverted" && of(event, name));
            for other in depends_on {
                let first = events.iter().position(|event| {
                    event["event"] == "migration_started"
                        && event["direction"] == "down"
                        && of(event, other)
                });
                if let (Some(last), Some(first)) = (last, first) {
                    assert!(last < first, "{other} before {name}: {}", outcome.stdout);
                }
            }
        }
    }

    /// Every database that the run changes is named with its state, and that is so.
    #[track_caller]
    fn assert_named(&self, outcome: &Outcome) {
        let stopped = outcome.events_of("compensation_stopped");
        assert_eq!(stopped.len(), 1, "{}", outcome.stdout);
        let named = stopped[0]["databases"].as_array().expect("databases");
        let applied = self.each(|database| self.server.applied(database));
        let contents = self.each(|database| self.server.contents(database));
        let names: Vec<&str> = named
            .iter()
            .map(|it| it["service"].as_str().expect("a name"))
            .collect();
        assert_eq!(
            names,
            self.names.iter().map(String::as_str).collect::<Vec<_>>()
        );
        for it in named {
            let name = it["service"].as_str().expect("a name");
            let newest = applied[name].last().copied();
            assert_eq!(it["version"].as_i64(), newest, "{it}");
            let is_old = contents[name] == self.before[name];
            let expected = match newest {
                Some(1) if is_old => "old",
                Some(newest) if newest == self.last[name] => "new",
                _ => "between",
            };
            assert_eq!(it["state"], expected, "{it}");
        }
        let next = outcome.events().pop().unwrap_or_default()["next"].to_string();
        assert!(
            next.contains("revert all --run") && next.contains("orchestrator restore"),
            "{next}"
        );
    }
}

fn sorted(names: &BTreeSet<String>) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

/// Rounds with a seed of their own each, so that one of many can be repeated.
fn rounds(rounds: u64, round: impl Fn(&mut Rng)) {
    let first = tests::seed();
    for seed in first..first + tests::rounds(rounds) {
        println!("TESTS_SEED={seed} TESTS_ROUNDS=1");
        round(&mut Rng::with_seed(seed));
    }
}

fn everything_is_undone(random: &mut Rng, size: usize) {
    let fleet = Fleet::new(random, size, Obstacle::None);
    let jobs = random.usize(1..=16).to_string();
    let outcome = fleet.run(&[UNDO, &["--jobs", &jobs]].concat(), 1);
    let end = outcome.events().pop().expect("an event");
    let (service, version) = &fleet.fails;
    let failed = &outcome.events_of("migration_failed")[0];
    assert_eq!(
        (failed["service"].as_str(), failed["version"].as_i64()),
        (Some(service.as_str()), Some(*version))
    );
    let begun = !outcome.events_of("compensation_started").is_empty();
    assert_eq!(
        end["verdict"],
        if begun { "reverted" } else { "failed" },
        "{end}"
    );
    fleet.assert_order(&outcome);
    fleet.assert_old();
}

#[test]
fn fleets_of_3() {
    rounds(1, |random| everything_is_undone(random, 3));
}

#[test]
fn fleets_of_11_or_30() {
    rounds(1, |random| {
        everything_is_undone(random, by_depth(11, 30));
    });
}

#[test]
fn with_something_in_the_way_every_database_is_named() {
    rounds(1, |random| {
        let obstacle = *random
            .choice(&[Obstacle::Irreversible, Obstacle::Failing])
            .expect("one of two");
        let fleet = Fleet::new(random, 6, obstacle);
        let outcome = fleet.run(UNDO, 1);
        fleet.assert_order(&outcome);
        if outcome.events_of("compensation_stopped").is_empty() {
            // Nothing that has no way back comes before what failed.
            fleet.assert_old();
        } else {
            fleet.assert_named(&outcome);
        }
    });
}

#[test]
fn killed_at_random_moments_again_and_again_everything_is_undone() {
    rounds(1, |random| {
        let fleet = Fleet::new(random, 8, Obstacle::None);
        let run = fleet.orchestrator.watch(UNDO);
        let first = run.wait_for_event("run_started");
        let id = first["run_id"].as_str().expect("a run").to_owned();
        if random.bool() {
            // Where nothing was applied yet, there is none.
            run.wait_for("the compensation, or the end", |event| {
                event["event"] == "compensation_started" || event["event"] == "run_finished"
            });
        }
        std::thread::sleep(Duration::from_millis(random.u64(..150)));
        run.signal(Signal::SIGKILL);
        run.end();
        for _ in 0..2 {
            let run = fleet.orchestrator.watch(&["revert", "all", "--run", &id]);
            std::thread::sleep(Duration::from_millis(random.u64(20..200)));
            run.signal(Signal::SIGKILL);
            run.end();
        }
        let outcome = fleet
            .orchestrator
            .watch(&["revert", "all", "--run", &id])
            .end_within(Duration::from_secs(120));
        // Where nothing had come so far, nobody knows the run.
        assert!(
            [0, 2].contains(&outcome.code),
            "{}\n{}",
            outcome.stdout,
            outcome.stderr
        );
        fleet.assert_old();
        fleet.run(&["history", "--verify"], 0);
    });
}
