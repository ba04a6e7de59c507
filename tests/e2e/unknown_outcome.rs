//! Statements outside of transactions whose program is gone before their end is recorded: what the catalog does not show
//! is never run twice in silence.

use nix::sys::signal::Signal;
use tests::{Program, Proxy};

use crate::shop::{How, Shop};

/// A procedure that commits its first row, waits for the test, and goes on.
const FILL: &str = "CREATE PROCEDURE fill() LANGUAGE plpgsql AS $$
     BEGIN
       INSERT INTO t VALUES (10); COMMIT;
       PERFORM pg_advisory_xact_lock_shared(7);
       INSERT INTO t VALUES (11); COMMIT;
     END $$;";

fn filled(shop: &Shop) -> String {
    shop.value("SELECT array_agg(a ORDER BY a) FROM t WHERE a >= 10")
}

/// Stops `CALL fill()` after it has committed its first row.
fn stop_while_filling(how: How) -> Shop {
    let shop = Shop::new();
    shop.file(
        2,
        &format!("{FILL} CALL fill(); INSERT INTO t VALUES (12);"),
    );
    let other = shop.server.session("db_shop");
    other.run("SELECT pg_advisory_lock(7)");
    let run = shop.orchestrator.watch(&["all"]);
    shop.wait_for("the first row", "EXISTS (SELECT FROM t WHERE a = 10)");
    shop.wait_until_locked("CALL fill");
    shop.stop(run, how);
    shop
}

#[test]
fn a_procedure_whose_outcome_is_unknown_is_not_run_twice_in_silence() {
    for how in [How::Kill, How::Terminate, How::Crash] {
        let shop = stop_while_filling(how);
        assert_eq!(filled(&shop), "{10}", "{how:?}");
        shop.assert_interrupted(2, 1, 3);
        assert_eq!(
            shop.left(2),
            ["`CALL fill()`: it is unknown whether it finished; the next run asks"]
        );
        for _ in 0..2 {
            let outcome = shop.orchestrator.expect(&["all"], 3);
            let text = outcome.stdout + &outcome.stderr;
            assert!(text.contains("--unknown-outcome done"), "{text}");
            assert!(text.contains("--unknown-outcome again"), "{text}");
        }
        assert_eq!(filled(&shop), "{10}", "{how:?}");
    }
}

#[test]
fn the_user_states_the_outcome() {
    let shop = stop_while_filling(How::Terminate);
    shop.orchestrator
        .expect(&["run", "shop", "--unknown-outcome", "done"], 0);
    assert_eq!(filled(&shop), "{10,12}");
    assert_eq!(shop.server.applied("db_shop"), [1, 2]);

    let shop = stop_while_filling(How::Terminate);
    shop.orchestrator
        .expect(&["run", "shop", "--unknown-outcome", "again"], 0);
    assert_eq!(filled(&shop), "{10,10,11,12}");
    assert_eq!(shop.server.applied("db_shop"), [1, 2]);
}

#[test]
fn one_answer_is_for_one_service() {
    let shop = Shop::new();
    shop.services
        .service("other", &[])
        .migration(1, "step", "SELECT 1");
    let outcome = shop
        .orchestrator
        .expect(&["all", "--unknown-outcome", "again"], 2);
    assert!(
        outcome.stderr.contains("requires exactly one service"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn a_procedure_that_waited_too_long_for_a_lock_is_not_tried_again_by_itself() {
    let shop = Shop::new();
    shop.file(2, &format!("{FILL} CALL fill();"));
    let other = shop.server.session("db_shop");
    other.run("SELECT pg_advisory_lock(7)");
    let outcome = shop.orchestrator.expect(&["all", "--output", "json"], 5);
    assert!(outcome.events_of("migration_retrying").is_empty());
    let failed = &outcome.events_of("migration_failed")[0];
    assert_eq!(failed["sqlstate"], "55P03", "{failed}");
    assert_eq!(filled(&shop), "{10}");
    shop.assert_interrupted(2, 1, 2);
    drop(other);
    shop.all(0);
    assert_eq!(filled(&shop), "{10,10,11}");
}

#[test]
fn an_interrupted_procedure_can_be_undone_instead() {
    let shop = stop_while_filling(How::Terminate);
    shop.reversible(
        2,
        &format!("{FILL} CALL fill(); INSERT INTO t VALUES (12);"),
        "DELETE FROM t WHERE a >= 10; DROP PROCEDURE fill;",
    );
    shop.orchestrator.expect(&["revert", "shop"], 0);
    assert_eq!(shop.status(2)["state"], "pending");
    shop.all(0);
    assert_eq!(filled(&shop), "{10,11,12}");
}

#[test]
fn a_procedure_that_failed_after_it_committed_is_half_done_and_runs_again() {
    let shop = Shop::new();
    shop.file(
        2,
        "DO $$ BEGIN INSERT INTO t VALUES (10); COMMIT; PERFORM 1 / (SELECT count(*) - 3 FROM t); END $$",
    );
    let events = shop.all(1);
    let failed = events
        .iter()
        .find(|event| event["event"] == "migration_failed")
        .unwrap();
    assert_eq!(failed["rolled_back"], false, "{failed}");
    assert!(
        failed["left"][0].as_str().unwrap().contains("DO $$ BEGIN"),
        "{failed}"
    );
    shop.assert_interrupted(2, 0, 1);
    // The server said that it failed: to run again is what the user was told to do.
    shop.all(0);
    assert_eq!(filled(&shop), "{10,10}");
}

/// SIGKILLs a run between the last statement of its file and the record of it.
fn kill_before_the_record(shop: &Shop, file: &str) {
    let statement = file.rsplit("; ").next().unwrap();
    let proxy = Proxy::at_sql_after(&shop.server, statement, "INSERT INTO orchestrator.progress");
    let through = Program::named("orchestrator")
        .env("ORCHESTRATOR_SERVER_URL", &proxy.url("postgres"))
        .services(&shop.services);
    let mut run = through.watch(&["all"]);
    assert!(proxy.wait_until_reached(&mut run).is_some(), "{statement}");
    run.signal(Signal::SIGKILL);
    run.end();
    drop(proxy);
    shop.wait_for(
        "the server process is gone",
        "NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name LIKE 'orchestrator%')",
    );
}

#[test]
fn what_was_done_and_not_recorded_is_seen_in_the_catalog() {
    let shop = Shop::new();
    shop.server.query("db_shop", "CREATE TABLE p (a int) PARTITION BY LIST (a); CREATE TABLE p1 PARTITION OF p DEFAULT; CREATE TABLE q (a int) PARTITION BY LIST (a); CREATE TABLE q1 PARTITION OF q FOR VALUES IN (1)");
    shop.file(2, "SET allow_in_place_tablespaces = on; CREATE TABLESPACE gone LOCATION ''; CREATE DATABASE db_gone");
    shop.all(0);
    shop.server.query(
        "db_shop",
        "CREATE SUBSCRIPTION gone CONNECTION 'dbname=x' PUBLICATION p WITH (connect = false, slot_name = NONE)",
    );
    let statements = [
        "CREATE DATABASE \"Db new\"",
        "DROP DATABASE db_gone",
        "SET allow_in_place_tablespaces = on; CREATE TABLESPACE new LOCATION ''",
        "DROP TABLESPACE gone",
        "DROP SUBSCRIPTION gone",
        "CREATE INDEX CONCURRENTLY ON t (a)",
        "DROP INDEX CONCURRENTLY t_a_idx",
        "ALTER TABLE q DETACH PARTITION q1 CONCURRENTLY",
    ];
    for (version, statement) in (3..).zip(statements) {
        shop.file(version, statement);
        kill_before_the_record(&shop, statement);
        let events = shop.all(0);
        assert!(
            events.iter().any(|event| event["recovered"]
                .as_str()
                .is_some_and(|what| what.contains("after the run was interrupted"))),
            "{statement}: {events:#?}"
        );
    }
    assert_eq!(shop.server.databases(), ["Db new", "db_shop"]);
    assert_eq!(
        shop.server.query(
            "db_shop",
            "SELECT spcname FROM pg_tablespace WHERE spcname !~ '^pg_'"
        ),
        [["new"]]
    );
    assert!(shop.indexes().is_empty());
}

#[test]
fn what_may_run_twice_runs_twice() {
    let shop = Shop::new();
    shop.server
        .query("db_shop", "CREATE INDEX t_a ON t (a); CLUSTER t USING t_a");
    shop.file(2, "VACUUM");
    shop.all(0);
    let statements = [
        "VACUUM (FULL) t",
        "VACUUM ANALYZE t",
        "CLUSTER",
        "ALTER SYSTEM SET work_mem = '5MB'",
        "REINDEX SCHEMA public",
        "REINDEX TABLE CONCURRENTLY t",
    ];
    for (version, statement) in (3..).zip(statements) {
        shop.file(version, statement);
        kill_before_the_record(&shop, statement);
        shop.all(0);
        assert!(
            shop.server.applied("db_shop").contains(&version),
            "{statement}"
        );
    }
    assert_eq!(shop.indexes(), [["t_a", "t"]]);
}

#[test]
fn what_runs_in_a_transaction_is_there_once_or_not_at_all() {
    let shop = Shop::new();
    shop.server.query(
        "db_shop",
        "CREATE TYPE mood AS ENUM ('sad'); CREATE MATERIALIZED VIEW m AS SELECT a FROM t; CREATE UNIQUE INDEX ON m (a);
         ALTER TABLE t ADD CONSTRAINT positive CHECK (a > 0) NOT VALID",
    );
    shop.file(2, "VACUUM");
    shop.all(0);
    let statements = [
        "ALTER TYPE mood ADD VALUE 'ok' BEFORE 'sad'",
        "ALTER TYPE mood ADD VALUE IF NOT EXISTS 'glad' AFTER 'ok'",
        "ALTER TABLE t VALIDATE CONSTRAINT positive",
        "REFRESH MATERIALIZED VIEW CONCURRENTLY m",
        "ANALYZE t",
        "WITH new AS (SELECT 20) INSERT INTO t SELECT * FROM new",
    ];
    for (version, statement) in (3..).zip(statements) {
        shop.file(version, statement);
        kill_before_the_record(&shop, statement);
        shop.all(0);
    }
    assert_eq!(shop.value("SELECT enum_range(NULL::mood)"), "{ok,glad,sad}");
    // One message with its record: the server may complete it although its client is gone.
    shop.file(9, "INSERT INTO t VALUES (21); INSERT INTO t VALUES (22)");
    let holder = shop.server.session("db_shop");
    holder.run("BEGIN; LOCK t IN SHARE MODE");
    let run = shop.orchestrator.watch(&["all"]);
    shop.wait_until_locked("INSERT INTO t VALUES (21)");
    run.signal(Signal::SIGKILL);
    run.end();
    holder.run("COMMIT");
    shop.all(0);
    assert_eq!(
        shop.value("SELECT string_agg(a::text, ' ' ORDER BY a) FROM t WHERE a >= 20"),
        "20 21 22"
    );
}

#[test]
fn a_database_that_the_orphaned_server_process_made_counts_as_done() {
    let shop = Shop::new();
    shop.server.create_database("db_model");
    shop.file(2, "CREATE DATABASE db_copy TEMPLATE db_model");
    // While somebody is in the model, the server waits for up to five seconds.
    let guest = shop.server.session("db_model");
    let run = shop.orchestrator.watch(&["all"]);
    shop.wait_for(
        "the database is being made",
        "EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE 'CREATE DATABASE db_copy%' AND state = 'active' AND pid <> pg_backend_pid())",
    );
    run.signal(Signal::SIGKILL);
    run.end();
    drop(guest);
    shop.wait_for(
        "the database",
        "EXISTS (SELECT FROM pg_database WHERE datname = 'db_copy')",
    );
    shop.all(0);
    assert_eq!(shop.server.applied("db_shop"), [1, 2]);
}

#[test]
fn a_lock_is_not_waited_for_longer_outside_a_transaction() {
    let shop = Shop::new();
    shop.file(2, "VACUUM (FULL) t");
    let reader = shop.server.session("db_shop");
    reader.run("BEGIN; SELECT FROM t");
    let shortened = Program::orchestrator(&shop.server)
        .services(&shop.services)
        .env("ORCHESTRATOR_LOCK_TIMEOUT", "200ms")
        .env("ORCHESTRATOR_LOCK_RETRIES", "1");
    shortened.expect(&["all"], 5);
    assert_eq!(shop.status(2)["state"], "pending");
    reader.run("COMMIT");
    shop.all(0);
}
