//! After a fault, one more call of the same command converges; and what is counted, refused and named on the way.

use std::fs;

use nix::sys::signal::Signal;
use tests::{Program, Server, Services, wait_until};

/// A revert that fails in the middle as long as the knob of its database is 0.
fn halting(table: &str) -> String {
    format!(
        "-- migration: no-transaction\nDROP TABLE {table};\nSELECT 1 / (SELECT n FROM public.knob);\n"
    )
}

#[test]
fn a_revert_of_all_finishes_the_revert_that_was_interrupted_and_goes_on() {
    let server = Server::start();
    let services = Services::new();
    for (name, depends_on, head) in [
        ("a", &[][..], ""),
        ("b", &["a"][..], "-- migration: requires a@2\n"),
        ("c", &["b"][..], ""),
    ] {
        services
            .service(name, depends_on)
            .reversible(
                1,
                "one",
                "CREATE TABLE one (id int);\n",
                "DROP TABLE one;\n",
            )
            .reversible(
                2,
                "two",
                &format!("{head}CREATE TABLE two (id int);\n"),
                &halting("two"),
            )
            .reversible(
                3,
                "three",
                "CREATE TABLE three (id int);\n",
                &halting("three"),
            );
    }
    let orchestrator = Program::orchestrator(&server).services(&services);
    let databases = ["db_a", "db_b", "db_c"];
    for halted in databases {
        orchestrator.expect(&["all"], 0);
        for database in databases {
            let n = i32::from(database != halted);
            server.query(
                database,
                &format!("DROP TABLE IF EXISTS knob; CREATE TABLE knob AS SELECT {n} AS n"),
            );
        }
        orchestrator.expect(&["revert", "all", "--all"], 1);
        server.query(halted, "UPDATE knob SET n = 1");
        orchestrator.expect(&["revert", "all", "--all"], 0);
        for database in databases {
            assert_eq!(server.applied(database), Vec::<i64>::new(), "{halted}");
        }
    }
}

#[test]
fn a_history_that_something_else_changes_is_named_and_the_file_is_not_blamed() {
    let server = Server::start();
    let services = Services::new();
    let changes = [
        (
            "a",
            "INSERT INTO refinery_schema_history SELECT 2, 'x', '', '1'",
        ),
        ("b", "DROP TABLE refinery_schema_history"),
    ];
    for (name, change) in changes {
        services
            .service(name, &[])
            .reversible(
                1,
                "one",
                "SELECT 1;\n",
                "DELETE FROM refinery_schema_history;\n",
            )
            .migration(2, "two", &format!("{change};\n"));
    }
    let orchestrator = Program::orchestrator(&server).services(&services);
    for (name, _) in changes {
        orchestrator.expect(&["run", name, "--to", "1"], 0);
        let refused = orchestrator.expect(&["run", name, "--output", "json"], 3);
        let failed = &refused.events_of("migration_failed")[0];
        assert_eq!(failed["version"], 2);
        let next = failed["next"].as_str().unwrap_or_default();
        assert!(next.contains(&format!("doctor {name}")), "{next}");
        assert_eq!(server.applied(&format!("db_{name}")), [1]);
    }
    orchestrator.expect(&["revert", "a"], 3);
    assert_eq!(server.applied("db_a"), [1]);
}

#[test]
fn what_is_half_done_is_pending_and_stays_in_sight_when_its_file_is_gone() {
    let server = Server::start();
    let services = Services::new();
    let folder = services.service("a", &[]);
    folder
        .reversible(
            1,
            "one",
            "CREATE TABLE one (id int);\n",
            "DROP TABLE one;\n",
        )
        .migration(
            2,
            "halves",
            "-- migration: no-transaction\nCREATE TABLE two (id int);\nSELECT 1 / 0;\n",
        );
    let orchestrator = Program::orchestrator(&server).services(&services);
    orchestrator.expect(&["revert", "a", "--steps", "9"], 0);
    orchestrator.expect(&["run", "a"], 1);
    let look = ["status", "--exit-code", "--output", "json"];
    let status = orchestrator.expect(&look, 4).json();
    let service = &status["services"][0];
    assert_eq!(
        (&service["applied"], &service["pending"]),
        (&1.into(), &1.into())
    );

    fs::remove_file(folder.path().join("migrations/V2__halves.sql")).expect("removed");
    let status = orchestrator.expect(&look, 4).json();
    let half = &status["services"][0]["migrations"][1];
    assert_eq!(half["state"], "interrupted", "{half}");
    assert_eq!(half["file_missing"], true, "{half}");
    let run = orchestrator.expect(&["run", "a", "--output", "json"], 3);
    let next = run.events().last().expect("an event")["next"][0].clone();
    assert!(
        next.as_str()
            .is_some_and(|it| it.starts_with("orchestrator run a ")),
        "{next}"
    );
    let doctor = orchestrator.expect(&["doctor", "a", "--output", "json"], 4);
    assert_eq!(doctor.json()["findings"][0]["next"], next);
    let overview = orchestrator.expect(&["status"], 0);
    assert!(
        overview.stdout.contains("next: orchestrator plan a "),
        "{}",
        overview.stdout
    );
    orchestrator.expect(&["revert", "a"], 3);
    assert_eq!(server.applied("db_a"), [1]);

    folder.migration(
        2,
        "halves",
        "-- migration: no-transaction\nCREATE TABLE two (id int);\nSELECT 1 / 0;\n",
    );
    folder.file("reverts/V2__halves.sql", "DROP TABLE two;\n");
    orchestrator.expect(&["revert", "a"], 0);
    let more = orchestrator.expect(&["revert", "a", "--steps", "2"], 3);
    assert!(more.stderr.contains("only 1 migration"), "{}", more.stderr);
    assert_eq!(server.applied("db_a"), [1]);
}

#[test]
fn after_a_kill_in_a_no_transaction_file_the_same_command_goes_through_all() {
    const SLEEPS: &str =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = 'db_b' AND wait_event = 'PgSleep'";
    const DROPS: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'db_b' AND wait_event_type = 'Lock' \
        AND query ILIKE 'DROP INDEX%'";
    let pause = "SELECT pg_sleep((SELECT n FROM public.knob));\n";
    let head = "-- migration: no-transaction\n";
    let server = Server::start();
    let services = Services::new();
    let databases = ["db_a", "db_b", "db_c"];
    for (name, depends_on) in [("a", &[][..]), ("b", &["a"][..]), ("c", &["b"][..])] {
        services
            .service(name, depends_on)
            .reversible(1, "one", "CREATE TABLE one (id int);\n", "DROP TABLE one;\n")
            .reversible(
                2,
                "two",
                &format!("{head}CREATE TABLE two (id int);\n{pause}CREATE INDEX CONCURRENTLY two_id ON two (id);\n"),
                &format!("{head}DROP INDEX CONCURRENTLY two_id;\n{pause}DROP TABLE two;\n"),
            );
    }
    for database in databases {
        server.create_database(database);
        server.query(database, "CREATE TABLE knob AS SELECT 0 AS n");
    }
    let orchestrator = Program::orchestrator(&server).services(&services);
    let kill_at = |command: &[&str], what: &str| {
        let killed = orchestrator.watch(command);
        wait_until("the statement to be killed at", || {
            server.value("postgres", what) == "1"
        });
        killed.signal(Signal::SIGKILL);
        killed.end();
    };
    let converges = |command: &[&str], versions: &[i64]| {
        orchestrator.expect(command, 0);
        for database in databases {
            assert_eq!(server.applied(database), versions, "{command:?}");
        }
    };
    let commands: [(&[&str], &[i64]); 2] = [
        (&["run", "all"], &[1, 2]),
        (&["revert", "all", "--all"], &[]),
    ];
    for (command, versions) in commands {
        server.query("db_b", "UPDATE knob SET n = 60");
        kill_at(command, SLEEPS);
        server.query("db_b", "UPDATE knob SET n = 0");
        converges(command, versions);
    }
    converges(&["run", "all"], &[1, 2]);
    let reader = server.session("db_b");
    reader.run("BEGIN; SELECT FROM two");
    kill_at(&["revert", "all", "--all"], DROPS);
    reader.run("ROLLBACK");
    converges(&["revert", "all", "--all"], &[]);
}
