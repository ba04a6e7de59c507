//! Nothing waits forever for a table of ours that another session has locked.

use std::time::Duration;

use tests::{Program, Server, Services};

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
    orchestrator.expect(&["all"], 0);
    assert_eq!(server.applied("db_shop"), [1, 2, 3]);
}
