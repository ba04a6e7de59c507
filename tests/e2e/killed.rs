//! After SIGKILL and server crashes at any moment, with all services of the platform at work at once, one more run gives the
//! undisturbed catalog.
//!
//! `faults` and `faults_random` strike at chosen points of small fleets; here the moments are those of a fixed
//! seed (see `tests::sample`).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tests::{Outcome, Program, Running, SERVICES, Server, by_depth, database_of};

/// The platform's databases, and how they look undisturbed.
struct Fleet {
    server: Server,
    orchestrator: Program,
    databases: Vec<String>,
    /// Catalog and data of each database.
    undisturbed: BTreeMap<String, String>,
    reverted: BTreeMap<String, String>,
    versions: BTreeMap<String, Vec<i64>>,
    lasting: Duration,
    random: fastrand::Rng,
}

impl Fleet {
    fn new() -> Self {
        let server = Server::start();
        let orchestrator = Program::orchestrator(&server);
        let mut fleet = Self {
            server,
            orchestrator,
            databases: SERVICES
                .iter()
                .map(|(_, name)| (*name).to_owned())
                .collect(),
            undisturbed: BTreeMap::new(),
            reverted: BTreeMap::new(),
            versions: BTreeMap::new(),
            lasting: Duration::ZERO,
            random: tests::random(),
        };
        fleet.orchestrator.expect(&["all"], 0);
        fleet.undisturbed = fleet.contents();
        fleet.versions = fleet.histories();
        fleet.orchestrator.expect(&["revert", "all", "--all"], 0);
        fleet.reverted = fleet.contents();
        let started = Instant::now();
        fleet.orchestrator.expect(&["all"], 0);
        fleet.lasting = started.elapsed();
        fleet.drop_databases();
        fleet
    }

    fn contents(&self) -> BTreeMap<String, String> {
        self.each(|database| self.server.contents(database))
    }

    fn histories(&self) -> BTreeMap<String, Vec<i64>> {
        self.each(|database| self.server.applied(database))
    }

    fn each<T: Send>(&self, look: impl Fn(&str) -> T + Sync) -> BTreeMap<String, T> {
        std::thread::scope(|scope| {
            let look = &look;
            let threads: Vec<_> = self
                .databases
                .iter()
                .map(|database| (database.clone(), scope.spawn(move || look(database))))
                .collect();
            threads
                .into_iter()
                .map(|(database, thread)| (database, thread.join().expect("looked at")))
                .collect()
        })
    }

    fn drop_databases(&self) {
        for database in &self.databases {
            self.server.query(
                "postgres",
                &format!("DROP DATABASE {database} WITH (FORCE)"),
            );
        }
    }

    /// Starts a command and lets it run for a random while.
    fn start_for_a_while(&mut self, arguments: &[&str]) -> Running {
        let run = self.orchestrator.watch(arguments);
        std::thread::sleep(self.lasting.mul_f64(self.random.f64() * 1.1));
        run
    }

    /// Runs a command to its end, which must be good.
    #[track_caller]
    fn complete(&self, arguments: &[&str]) {
        let outcome = self
            .orchestrator
            .watch(arguments)
            .end_within(Duration::from_secs(60));
        assert_eq!(outcome.code, 0, "{}\n{}", outcome.stdout, outcome.stderr);
    }

    #[track_caller]
    fn assert_up(&self) {
        assert_eq!(self.histories(), self.versions);
        self.assert_contents(&self.undisturbed);
    }

    #[track_caller]
    fn assert_reverted(&self) {
        for (database, versions) in self.histories() {
            assert!(versions.is_empty(), "{database}: {versions:?}");
        }
        self.assert_contents(&self.reverted);
    }

    #[track_caller]
    fn assert_contents(&self, expected: &BTreeMap<String, String>) {
        for (database, contents) in self.contents() {
            assert_eq!(contents, expected[&database], "{database}");
        }
        // pg_dump passes over these.
        let half_done = "SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid \
             UNION ALL SELECT inhrelid::regclass FROM pg_inherits WHERE inhdetachpending";
        for (database, left) in self.each(|database| self.server.query(database, half_done)) {
            assert!(left.is_empty(), "{database}: {left:?}");
        }
    }

    /// SIGKILLs `all` again and again, completes it, and the same with `revert`.
    fn kill_up_and_down(&mut self, rounds: usize, kills: usize) {
        for _ in 0..rounds {
            for _ in 0..kills {
                let run = self.start_for_a_while(&["all"]);
                run.signal(Signal::SIGKILL);
                run.end();
            }
            self.complete(&["all"]);
            self.assert_up();
            for _ in 0..kills {
                let run = self.start_for_a_while(&["revert", "all", "--all"]);
                run.signal(Signal::SIGKILL);
                run.end();
            }
            self.complete(&["revert", "all", "--all"]);
            self.assert_reverted();
            self.drop_databases();
        }
    }

    /// What a run said it has done is done, and its exit code is one that fits.
    #[track_caller]
    fn assert_truthful(&self, outcome: &Outcome) {
        assert!(
            [0, 1, 5].contains(&outcome.code),
            "{}\n{}\n{}",
            outcome.code,
            outcome.stdout,
            outcome.stderr
        );
        for event in outcome.events_of("migration_applied") {
            let database = database_of(event["service"].as_str().expect("a service"));
            let version = event["version"].as_i64().expect("a version");
            assert!(
                self.server.applied(database).contains(&version),
                "{database}: {version}: {}",
                outcome.stdout
            );
        }
        if outcome.code == 0 {
            assert_eq!(self.histories(), self.versions);
        } else {
            let finished = outcome.events().pop().unwrap_or_default();
            let said = finished["exit_code"].as_i64();
            // Before there is a plan there are no events, only the error.
            assert!(
                said == Some(outcome.code.into()) || !outcome.stderr.is_empty(),
                "{}",
                outcome.stdout
            );
        }
    }
}

#[test]
fn sigkill_at_random_moments_converges_up_and_down() {
    Fleet::new().kill_up_and_down(by_depth(1, 2), 3);
}

#[test]
fn crashes_of_the_server_at_random_moments_are_reported_correctly_and_converge() {
    let mut fleet = Fleet::new();
    for _ in 0..by_depth(1, 2) {
        for _ in 0..2 {
            let run = fleet.start_for_a_while(&["all"]);
            fleet.server.cluster().stop_immediate().unwrap();
            fleet.server.cluster().start().unwrap();
            let outcome = run.end_within(Duration::from_secs(60));
            fleet.assert_truthful(&outcome);
        }
        fleet.complete(&["all"]);
        fleet.assert_up();
        fleet.drop_databases();
    }
}
