//! Nothing waits forever for a table of ours that another session has locked.

use std::time::Duration;

use nix::sys::signal::Signal;
use tests::{Program, Server, Services, wait_until};

fn two_services() -> Services {
    let services = Services::new();
    for name in ["base", "shop"] {
        services
            .service(name, &[])
            .reversible(
                1,
                "first",
                "CREATE TABLE first (id int PRIMARY KEY)",
                "DROP TABLE first",
            )
            .reversible(
                2,
                "second",
                "CREATE TABLE second (id int)",
                "DROP TABLE second",
            );
    }
    services
}

/// Runs commands at the same time; each ends within `longest`.
fn at_once<'a>(
    commands: &[&'a [&'a str]],
    longest: Duration,
    program: impl Fn(&[&str]) -> tests::Running + Sync,
) -> Vec<(&'a [&'a str], tests::Outcome)> {
    std::thread::scope(|scope| {
        let running: Vec<_> = commands
            .iter()
            .map(|command| {
                let program = &program;
                scope.spawn(move || (*command, program(command).end_within(longest)))
            })
            .collect();
        running
            .into_iter()
            .map(|it| it.join().expect("a command ends"))
            .collect()
    })
}

#[test]
fn a_lock_on_a_table_of_ours_is_waited_for_briefly_and_its_holder_is_named() {
    let server = Server::start();
    let services = two_services();
    let orchestrator = Program::orchestrator(&server)
        .services(&services)
        .scratch_beside();
    orchestrator.expect(&["all"], 0);
    services
        .service("shop", &[])
        .migration(3, "third", "CREATE TABLE third (id int)");

    let holder = server.session("db_shop");
    let pid = holder.value("SELECT pg_backend_pid()");
    for (table, commands) in [
        (
            "refinery_schema_history",
            &[
                &["status"][..],
                &["doctor"],
                &["drift"],
                &["plan"],
                &["all"],
                &["revert", "shop"],
            ][..],
        ),
        (
            "orchestrator.journal",
            &[
                &["history"][..],
                &["doctor"],
                &["all", "--lock-retries", "1"],
            ],
        ),
    ] {
        holder.run(&format!("BEGIN; LOCK TABLE {table}"));
        let ended = at_once(commands, Duration::from_secs(45), |command| {
            orchestrator.watch(command)
        });
        for (command, outcome) in ended {
            let all = format!("{}{}", outcome.stdout, outcome.stderr);
            assert_eq!(outcome.code, 5, "{table}: {command:?}: {all}");
            // A step names it in an event of its own.
            let named = [format!("held by pid {pid} ("), format!("\"pid\":{pid},")];
            assert!(
                named.iter().any(|name| all.contains(name)),
                "{table}: {command:?}: {all}"
            );
            if command == ["status"] {
                assert!(outcome.stdout.contains("\"base\""), "{all}");
            }
        }
        holder.run("ROLLBACK");
    }
    // pg_dump waits for the tables of the service, too.
    holder.run("BEGIN; LOCK TABLE first");
    let live = orchestrator.expect(&["rehearse", "shop", "--from", "live"], 5);
    let all = format!("{}{}", live.stdout, live.stderr);
    assert!(all.contains(&format!("held by pid {pid} (")), "{all}");
    holder.run("ROLLBACK");
    orchestrator.expect(&["all"], 0);
    assert_eq!(server.applied("db_shop"), [1, 2, 3]);
}

/// The index cannot be dropped while an older transaction may read it: the repair is cancelled, and no other one is begun.
#[test]
fn a_repair_that_waits_is_cancelled() {
    let server = Server::start();
    let services = two_services();
    let orchestrator = Program::orchestrator(&server).services(&services);
    orchestrator.expect(&["all"], 0);
    for index in ["one", "two"] {
        server.query(
            "db_shop",
            &format!(
                "CREATE INDEX {index} ON first (id); UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{index}'::regclass"
            ),
        );
    }
    let reader = server.session("db_shop");
    reader.run("BEGIN; SELECT * FROM first");
    let doctor = orchestrator.watch(&["doctor", "shop", "--fix", "--yes"]);
    wait_until("the repair waits", || {
        server.value(
            "db_shop",
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%INDEX%CONCURRENTLY%' AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()",
        ) == "1"
    });
    doctor.signal(Signal::SIGINT);
    let outcome = doctor.end_within(Duration::from_secs(20));
    assert_eq!(outcome.code, 130, "{}{}", outcome.stdout, outcome.stderr);
    assert_eq!(outcome.json()["fixed"].as_array().map(Vec::len), Some(0));
}
