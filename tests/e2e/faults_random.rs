//! Random fleets, random jobs, random faults at random points, several in a row; then one more run gives the undisturbed
//! result, and every run told the truth.
//!
//! The fleets are those of a fixed seed (see `tests::sample`); `TESTS_SEED` repeats the one that a failure names, and `TESTS_ROUNDS`
//! makes more rounds than the suite has time for.

use std::collections::BTreeSet;
use std::time::Duration;

use fastrand::Rng;
use tests::Services;

use crate::faults::fault::Fault;
use crate::faults::undisturbed::Undisturbed;
use crate::faults::world::{Direction, World};

/// In the suite.
const ROUNDS: u64 = 1;

/// Up and down this many times in a round, each on new databases.
const CYCLES: usize = 3;

const FAULTS: [Fault; 7] = [
    Fault::Kill,
    Fault::Orphan,
    Fault::Terminate,
    Fault::Cut,
    Fault::Crash,
    Fault::Pause,
    Fault::Stall,
];

#[test]
fn random_faults_in_random_fleets_are_reported_correctly_and_converge() {
    let first = tests::seed();
    for seed in first..first + tests::rounds(ROUNDS) {
        // A round of its own, so that one of many can be repeated.
        println!("TESTS_SEED={seed} TESTS_ROUNDS=1");
        if let Err(failure) = round(&mut Rng::with_seed(seed)) {
            panic!("TESTS_SEED={seed} TESTS_ROUNDS=1: {failure}");
        }
    }
}

/// One fleet.
fn round(random: &mut Rng) -> Result<(), String> {
    let (services, names) = fleet(random);
    let undisturbed = Undisturbed::of(services, &names);
    let world = World::new(&undisturbed.services, &undisturbed.databases);
    for _ in 0..CYCLES {
        for direction in Direction::BOTH {
            for _ in 0..random.usize(1..=3) {
                strike(random, &world, &undisturbed, direction)?;
            }
            world.complete(direction)?;
            world
                .check(&undisturbed.looks[&direction], true)
                .map_err(|failure| format!("{}: {failure}", direction.name()))?;
        }
        world.verify()?;
        world.drop_databases();
    }
    Ok(())
}

/// One run with one fault. The databases may be anywhere between nothing and done: the point may not be reached.
fn strike(
    random: &mut Rng,
    world: &World<'_>,
    undisturbed: &Undisturbed,
    direction: Direction,
) -> Result<(), String> {
    let fault = FAULTS[random.usize(..FAULTS.len())];
    let jobs = random.usize(1..=4);
    let points = &undisturbed.points[&direction];
    let point = &points[random.usize(..points.len())];
    // Half of them in the middle of something.
    let late = Duration::from_millis(random.u64(..20).saturating_sub(10));
    let named = format!(
        "{} {} {late:?} after {}:{} with {jobs} jobs ({:.80})",
        fault.name(),
        direction.name(),
        point.place,
        point.side,
        point.sql
    );
    println!("{named}");
    fault
        .disturb(world, undisturbed, (direction, point), jobs, late)
        .map(drop)
        .map_err(|failure| format!("{named}: {failure}"))
}

/// Three to six services with one to four migrations each, of random kinds, tied to each other at random.
fn fleet(random: &mut Rng) -> (Services, Vec<String>) {
    let services = Services::new();
    let mut known: Vec<(String, i64)> = Vec::new();
    for number in 1..=random.usize(3..=6) {
        let name = format!("s{number}");
        let last = random.i64(1..=4);
        let mut depends_on: BTreeSet<&str> = BTreeSet::new();
        let mut requirements: Vec<Option<String>> = Vec::new();
        for _ in 1..=last {
            let required = known.get(random.usize(..known.len() * 2 + 1));
            requirements.push(required.map(|(service, newest)| {
                depends_on.insert(service);
                let version = random.i64(1..=*newest);
                format!("-- migration: requires {service}@{version}\n")
            }));
        }
        for (service, _) in &known {
            if random.u8(..4) == 0 {
                depends_on.insert(service);
            }
        }
        let depends_on: Vec<&str> = depends_on.into_iter().collect();
        let folder = services.service(&name, &depends_on);
        for (version, required) in (1..=last).zip(requirements) {
            let kind = &KINDS[random.usize(..KINDS.len())];
            let text = |sql: &str| sql.replace('#', &version.to_string());
            let directive = if kind.transactional {
                ""
            } else {
                "-- migration: no-transaction\n"
            };
            let up = format!(
                "{}{directive}{}",
                required.unwrap_or_default(),
                text(kind.up)
            );
            let down = format!("{directive}{}", text(kind.down));
            folder.reversible(version, kind.name, &up, &down);
        }
        known.push((name, last));
    }
    let names = known.into_iter().map(|(name, _)| name).collect();
    (services, names)
}

/// A kind of migration. `#` is its version: it needs nothing of others. The reverts leave a table `gone_#`, with a row for
/// each time that they were run.
struct Kind {
    name: &'static str,
    transactional: bool,
    up: &'static str,
    down: &'static str,
}

const KINDS: [Kind; 8] = [
    Kind {
        name: "table",
        transactional: true,
        up: "CREATE TABLE t_# (a int PRIMARY KEY, b text);
             INSERT INTO t_# SELECT i, 'x' FROM generate_series(1, 50) i;
             SELECT pg_sleep(0.01);
             UPDATE t_# SET b = b || 'y';",
        down: "CREATE TABLE gone_# AS SELECT b, count(*) FROM t_# GROUP BY b; DROP TABLE t_#",
    },
    Kind {
        name: "nothing",
        transactional: true,
        up: "-- nothing\n",
        down: "SELECT",
    },
    Kind {
        name: "indexes",
        transactional: false,
        up: "CREATE TABLE i_# AS SELECT i AS a, i % 7 AS b FROM generate_series(1, 100) i;
             CREATE INDEX CONCURRENTLY i_#_a ON i_# (a);
             CREATE INDEX CONCURRENTLY ON i_# (b);
             INSERT INTO i_# VALUES (0, 0);
             CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i_#_ab ON i_# (a, b);",
        down: "DROP INDEX CONCURRENTLY i_#_ab;
             CREATE TABLE gone_# AS SELECT a FROM i_# WHERE a = 0;
             DROP INDEX CONCURRENTLY i_#_b_idx;
             INSERT INTO gone_# VALUES (-1);
             DROP TABLE i_#;",
    },
    Kind {
        name: "value",
        transactional: false,
        up: "CREATE TYPE e_# AS ENUM ('sad');
             ALTER TYPE e_# ADD VALUE 'ok';
             CREATE TABLE m_# (m e_# DEFAULT 'ok');
             INSERT INTO m_# DEFAULT VALUES;",
        down: "CREATE TABLE gone_# AS SELECT m::text FROM m_#;
             DROP TABLE m_#;
             BEGIN;
             INSERT INTO gone_# VALUES ('type');
             DROP TYPE e_#;
             COMMIT;",
    },
    Kind {
        name: "blocks",
        transactional: false,
        up: "CREATE TABLE b_# (id int);
             BEGIN;
             INSERT INTO b_# VALUES (1);
             COMMIT AND CHAIN;
             INSERT INTO b_# VALUES (2);
             SELECT pg_sleep(0.01);
             COMMIT;
             SET search_path = public, pg_temp;
             ALTER TABLE b_# ADD CONSTRAINT positive CHECK (id > 0) NOT VALID;
             ALTER TABLE b_# VALIDATE CONSTRAINT positive;
             VACUUM b_#;",
        down: "CREATE TABLE gone_# AS SELECT id FROM b_#;
             BEGIN;
             INSERT INTO gone_# VALUES (3);
             DROP TABLE b_#;
             COMMIT;",
    },
    Kind {
        name: "partition",
        transactional: false,
        up: "CREATE TABLE p_# (a int) PARTITION BY LIST (a);
             CREATE TABLE p_#_1 PARTITION OF p_# FOR VALUES IN (1);
             INSERT INTO p_# VALUES (1);
             ALTER TABLE p_# DETACH PARTITION p_#_1 CONCURRENTLY;
             INSERT INTO p_#_1 VALUES (1);",
        down: "ALTER TABLE p_# ATTACH PARTITION p_#_1 FOR VALUES IN (1);
             ALTER TABLE p_# DETACH PARTITION p_#_1 CONCURRENTLY;
             CREATE TABLE gone_# AS SELECT a FROM p_#_1;
             DROP TABLE p_#, p_#_1;",
    },
    Kind {
        name: "rebuild",
        transactional: false,
        up: "CREATE TABLE r_# (id int PRIMARY KEY, a text UNIQUE);
             INSERT INTO r_# SELECT i, i::text FROM generate_series(1, 100) i;
             REINDEX INDEX CONCURRENTLY r_#_pkey;
             UPDATE r_# SET a = a || '!';
             REINDEX TABLE CONCURRENTLY r_#;",
        down: "REINDEX TABLE CONCURRENTLY r_#;
             CREATE TABLE gone_# AS SELECT a FROM r_# WHERE id < 3;
             DROP TABLE r_#;",
    },
    Kind {
        name: "rights",
        transactional: true,
        up: "CREATE VIEW v_# AS SELECT 1 AS one;
             SET search_path = pg_catalog;
             CREATE TABLE public.w_# AS SELECT current_setting('search_path') AS path;",
        down: "DROP VIEW v_#; CREATE TABLE gone_# AS SELECT path FROM w_#; DROP TABLE w_#",
    },
];
