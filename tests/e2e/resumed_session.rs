//! A no-transaction file that is resumed finds the session that it had, or is refused.

use std::time::Duration;

use nix::sys::signal::Signal;
use tests::Program;

use crate::shop::Shop;

/// Fails until a row of `t` is gone.
const FAILS: &str = "SELECT 1 / (SELECT count(*) - 2 FROM public.t);";

fn resume(shop: &Shop) {
    shop.all(1);
    shop.server.query("db_shop", "DELETE FROM t WHERE a = 1");
    shop.all(0);
}

#[test]
fn what_blocks_functions_and_procedures_set_is_there_after_the_resume() {
    let shop = Shop::new();
    shop.file(
        2,
        &format!(
            "CREATE SCHEMA other;
             CREATE ROLE app;
             GRANT ALL ON SCHEMA other TO app;
             GRANT SELECT ON t TO app;
             CREATE FUNCTION tune() RETURNS text LANGUAGE sql AS $$ SELECT set_config('statement_timeout', '540s', false) $$;
             CREATE PROCEDURE name() LANGUAGE plpgsql AS $$
               BEGIN PERFORM set_config('app.tenant', '42', false); COMMIT; END $$;
             SET lock_timeout = '7s';
             BEGIN;
             SET search_path = other, public;
             SET LOCAL work_mem = '7MB';
             COMMIT;
             SELECT tune();
             CALL name();
             DO $$ BEGIN SET deadlock_timeout = '3s'; SET LOCAL maintenance_work_mem = '8MB'; END $$;
             RESET lock_timeout;
             BEGIN;
             SET ROLE app;
             COMMIT;
             BEGIN;
             SET LOCAL search_path = public;
             SELECT set_config('work_mem', '9MB', true);
             ROLLBACK;
             {FAILS}
             CREATE TABLE there AS SELECT current_setting('search_path') || ' ' || current_setting('work_mem') || ' '
               || current_setting('statement_timeout') || ' ' || current_setting('app.tenant') || ' '
               || current_setting('deadlock_timeout') || ' ' || current_setting('maintenance_work_mem') || ' '
               || current_setting('lock_timeout') || ' ' || current_user AS session;"
        ),
    );
    resume(&shop);
    assert_eq!(
        shop.value("SELECT session FROM other.there"),
        "other, public 4MB 9min 42 3s 64MB 0 app"
    );
    assert_eq!(shop.server.applied("db_shop"), [1, 2]);
}

#[test]
fn what_a_trigger_sets_is_there_after_the_resume() {
    let shop = Shop::new();
    shop.file(
        2,
        &format!(
            "CREATE TABLE log (a int, session text);
             INSERT INTO log VALUES (1, current_setting('work_mem'));
             CREATE FUNCTION tune() RETURNS trigger LANGUAGE plpgsql AS $$
               BEGIN PERFORM set_config('work_mem', '7MB', false); RETURN NEW; END $$;
             CREATE TRIGGER tune BEFORE INSERT ON log FOR EACH ROW EXECUTE FUNCTION tune();
             INSERT INTO log VALUES (2);
             {FAILS}
             INSERT INTO log VALUES (3, current_setting('work_mem'));"
        ),
    );
    resume(&shop);
    assert_eq!(
        shop.value("SELECT string_agg(session, ' ' ORDER BY a) FROM log"),
        "4MB 7MB"
    );
}

#[test]
fn what_ended_with_the_session_is_refused_where_the_rest_needs_it() {
    for (made, used) in [
        (
            "CREATE TEMP TABLE work AS SELECT 7 AS a;",
            "INSERT INTO t SELECT a FROM work;",
        ),
        ("PREPARE work AS INSERT INTO t VALUES (7);", "EXECUTE work;"),
        (
            "BEGIN; CREATE TEMP TABLE gone (id int) ON COMMIT DROP; COMMIT;",
            "INSERT INTO t SELECT 7 /* not gone */;",
        ),
        (
            "CREATE TEMP TABLE work (id int);",
            "INSERT INTO t VALUES (7);",
        ),
    ] {
        let shop = Shop::new();
        shop.reversible(
            2,
            &format!("{made}\n{FAILS}\n{used}"),
            "DELETE FROM t WHERE a = 7;",
        );
        shop.all(1);
        shop.server.query("db_shop", "DELETE FROM t WHERE a = 1");
        if used.contains("work") {
            let events = shop.all(3);
            let failed = events
                .iter()
                .find(|event| event["event"] == "migration_failed")
                .unwrap();
            assert_eq!((&failed["line"], &failed["column"]), (&3.into(), &1.into()));
            // The way out that the message names.
            shop.orchestrator.expect(&["revert", "shop"], 0);
            assert_eq!(shop.status(2)["state"], "pending");
        }
        shop.all(0);
        assert_eq!(shop.value("SELECT max(a) FROM t"), "7", "{made}");
    }
}

#[test]
fn a_role_that_was_dropped_meanwhile_refuses_the_resume_until_it_is_back() {
    let shop = Shop::new();
    shop.server
        .query("db_shop", "CREATE ROLE app; GRANT SELECT ON t TO app");
    shop.file(2, &format!("SET ROLE app;\n{FAILS}\nSELECT 1;"));
    shop.all(1);
    shop.server.query(
        "db_shop",
        "DELETE FROM t WHERE a = 1; REVOKE ALL ON t FROM app; DROP ROLE app",
    );
    let events = shop.all(3);
    let failed = events
        .iter()
        .find(|event| event["event"] == "migration_failed")
        .unwrap();
    let message = failed["message"].as_str().unwrap();
    assert!(message.contains("role = app"), "{message}");
    shop.server
        .query("db_shop", "CREATE ROLE app; GRANT SELECT ON t TO app");
    shop.all(0);
}

#[test]
fn a_retry_for_a_lock_and_a_kill_between_two_commits_lose_nothing() {
    let shop = Shop::new();
    let orchestrator = Program::orchestrator(&shop.server)
        .services(&shop.services)
        .env("ORCHESTRATOR_LOCK_TIMEOUT", "200ms");
    shop.file(
        2,
        "CREATE TEMP TABLE work AS SELECT 7 AS a;
         ALTER TABLE t ADD COLUMN b int;
         INSERT INTO t SELECT a FROM work;",
    );
    let holder = shop.server.session("db_shop");
    holder.run("BEGIN; SELECT FROM t");
    let run = orchestrator.watch(&["all"]);
    run.wait_for_event("migration_retrying");
    holder.run("COMMIT");
    let outcome = run.end_within(Duration::from_secs(20));
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert_eq!(shop.value("SELECT max(a) FROM t"), "7");

    // Killed after a block is committed and before the server is asked what of it outlives the commit: the text tells.
    shop.server.query(
        "db_shop",
        "CREATE SCHEMA other; CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ \
           BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN NEW; END $$; \
         CREATE TRIGGER hold BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION hold()",
    );
    shop.file(
        3,
        "BEGIN; SET search_path = other; SET LOCAL work_mem = '7MB'; COMMIT;
         INSERT INTO public.t VALUES (8);
         CREATE TABLE there AS SELECT current_setting('work_mem') AS memory;",
    );
    holder.run("SELECT pg_advisory_lock(7)");
    let run = orchestrator.watch(&["all"]);
    shop.wait_until_locked("INSERT INTO public.t");
    run.signal(Signal::SIGKILL);
    run.end();
    holder.run("SELECT pg_advisory_unlock(7)");
    shop.all(0);
    assert_eq!(shop.value("SELECT memory FROM other.there"), "4MB");
}
