//! After SIGKILL, lost connections and server crashes at any moment, one more run gives the undisturbed catalog.
//!
//! The moments are random; the seed is printed by a test that fails, and `TESTS_SEED` repeats its choices.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tests::{Outcome, Program, Running, SERVICES, Server, Services};

/// A fleet of which every kind of migration is a part.
fn fixture() -> Services {
    let services = Services::new();
    services
        .service("base", &[])
        .reversible(
            1,
            "tables",
            "CREATE TABLE t (a int, b text); INSERT INTO t SELECT i, i::text FROM generate_series(1, 300) i; SELECT pg_sleep(0.02)",
            "SELECT pg_sleep(0.02); DROP TABLE t",
        )
        .reversible(
            2,
            "indexes",
            "-- migration: no-transaction
             CREATE INDEX CONCURRENTLY t_a ON t (a);
             CREATE INDEX CONCURRENTLY ON t (b);
             INSERT INTO t VALUES (0, 'once');
             CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS t_ab ON t (a, b);",
            "-- migration: no-transaction
             DROP INDEX CONCURRENTLY t_ab;
             DELETE FROM t WHERE a = 0;
             DROP INDEX CONCURRENTLY t_b_idx;
             DROP INDEX CONCURRENTLY t_a;",
        )
        .reversible(3, "column", "ALTER TABLE t ADD COLUMN c int DEFAULT 7", "ALTER TABLE t DROP COLUMN c");
    services
        .service("enums", &[])
        .reversible(
            1,
            "type",
            "CREATE TYPE mood AS ENUM ('sad')",
            "DROP TYPE mood",
        )
        .reversible(
            2,
            "value",
            "-- migration: no-transaction
             ALTER TYPE mood ADD VALUE 'ok';
             CREATE TABLE moods (m mood DEFAULT 'ok');
             INSERT INTO moods VALUES ('ok'), ('sad');",
            "-- migration: no-transaction
             DROP TABLE moods;
             BEGIN;
             ALTER TYPE mood RENAME TO old_mood;
             CREATE TYPE mood AS ENUM ('sad');
             DROP TYPE old_mood;
             COMMIT;",
        );
    services.service("blocks", &["base"]).reversible(
        1,
        "block",
        "-- migration: no-transaction
             CREATE SCHEMA side;
             SET search_path = side;
             BEGIN;
             CREATE TABLE u (id int);
             INSERT INTO u VALUES (1);
             COMMIT AND CHAIN;
             INSERT INTO u VALUES (2);
             COMMIT;
             VACUUM u;
             CREATE TABLE v AS SELECT count(*) FROM u;
             CREATE INDEX CONCURRENTLY ON u (id);
             REINDEX TABLE CONCURRENTLY u;",
        "DROP SCHEMA side CASCADE",
    );
    services.service("parts", &["base"]).reversible(
        1,
        "partition",
        "-- migration: no-transaction
         -- migration: requires enums@1
         CREATE TABLE p (a int) PARTITION BY LIST (a);
         CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
         INSERT INTO p VALUES (1);
         ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY;",
        "DROP TABLE p, p1",
    );
    services
}

/// Services with their databases, and how they look undisturbed.
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
    /// Where services on disk lie, for as long as they are needed.
    _services: Option<Services>,
}

impl Fleet {
    fn of(
        orchestrator: Program,
        server: Server,
        databases: &[&str],
        services: Option<Services>,
    ) -> Self {
        let seed = std::env::var("TESTS_SEED")
            .ok()
            .and_then(|seed| seed.parse().ok())
            .unwrap_or_else(|| fastrand::u64(..));
        eprintln!("TESTS_SEED={seed}");
        let mut fleet = Self {
            server,
            orchestrator,
            databases: databases.iter().map(|&name| name.to_owned()).collect(),
            undisturbed: BTreeMap::new(),
            reverted: BTreeMap::new(),
            versions: BTreeMap::new(),
            lasting: Duration::ZERO,
            random: fastrand::Rng::with_seed(seed),
            _services: services,
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

    fn fixture() -> Self {
        let server = Server::start();
        let services = fixture();
        let orchestrator = Program::orchestrator(&server).services(&services);
        Self::of(
            orchestrator,
            server,
            &["db_base", "db_enums", "db_blocks", "db_parts"],
            Some(services),
        )
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
            let database = format!("db_{}", event["service"].as_str().expect("a service"));
            let version = event["version"].as_i64().expect("a version");
            assert!(
                self.server.applied(&database).contains(&version),
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
    Fleet::fixture().kill_up_and_down(4, 3);
}

#[test]
fn sigkill_of_the_platform_at_random_moments_converges_up_and_down() {
    let server = Server::start();
    let orchestrator = Program::orchestrator(&server);
    let databases = SERVICES.map(|(_, database)| database);
    Fleet::of(orchestrator, server, &databases, None).kill_up_and_down(2, 3);
}

#[test]
fn terminated_sessions_at_random_moments_are_told_truly_and_converge() {
    let mut fleet = Fleet::fixture();
    for _ in 0..5 {
        for choice in ["true", "random() < 0.3"] {
            let run = fleet.start_for_a_while(&["all"]);
            fleet.server.query(
                "postgres",
                &format!(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                     WHERE datname LIKE 'db\\_%' AND pid <> pg_backend_pid() AND {choice}"
                ),
            );
            let outcome = run.end_within(Duration::from_secs(60));
            fleet.assert_truthful(&outcome);
        }
        fleet.complete(&["all"]);
        fleet.assert_up();
        fleet.drop_databases();
    }
}

#[test]
fn crashes_of_the_server_at_random_moments_are_told_truly_and_converge() {
    let mut fleet = Fleet::fixture();
    for _ in 0..4 {
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
