//! Nothing waits forever: a table of ours that another session has locked, a connection on which no answer comes any more.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tests::{Program, Proxy, Server, Services, Side};

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

#[test]
fn a_connection_that_falls_silent_ends_every_command() {
    let server = Server::start();
    let services = two_services();
    let folder = tempfile::tempdir().expect("a folder");
    let backups = folder.path().display().to_string();
    Program::orchestrator(&server)
        .services(&services)
        .expect(&["all"], 0);
    let through = |proxy: &Proxy| {
        Program::named("orchestrator")
            .env("ORCHESTRATOR_SERVER_URL", &proxy.url("postgres"))
            .services(&services)
            .scratch_beside()
            .env("ORCHESTRATOR_STALL_TIMEOUT", "1s")
            .arg("--jobs=1")
    };
    let commands: [&[&str]; 7] = [
        &["status"],
        &["history"],
        &["doctor", "--fix", "--yes"],
        &["drift", "shop"],
        &["rehearse", "shop", "--every"],
        &["backup", "shop", "--backup-folder", &backups],
        &["adopt", "shop", "--dry-run"],
    ];
    for command in commands {
        let proxy = Proxy::start(&server);
        through(&proxy).run(command);
        let requests = proxy.requests();
        assert!(!requests.is_empty(), "{command:?}");
        // One in each part of the command, on either side.
        let points: Vec<_> = (1..4)
            .map(|part| &requests[requests.len() * part / 4])
            .zip([Side::Before, Side::After, Side::Before])
            .collect();
        std::thread::scope(|scope| {
            for (request, side) in points {
                let (through, server) = (&through, &server);
                scope.spawn(move || {
                    let proxy = Proxy::at(server, &request.place, side);
                    let mut program = through(&proxy).watch(command);
                    let place = format!("{command:?} {side} {} {}", request.place, request.sql);
                    let Some(_) = proxy.wait_until_reached(&mut program) else {
                        return;
                    };
                    let began = Instant::now();
                    let outcome = program.end_within(Duration::from_secs(60));
                    // What only reads may have looked again.
                    assert!(
                        [0, 4, 5].contains(&outcome.code),
                        "{place}: {} after {:?}\n{}{}",
                        outcome.code,
                        began.elapsed(),
                        outcome.stdout,
                        outcome.stderr
                    );
                });
            }
        });
    }
}

/// The connection on which the databases change their names is silent, and the network with it: signals end that.
#[test]
fn signals_end_a_restore_that_waits_for_a_silent_server() {
    let server = Server::start();
    let services = two_services();
    let folder = tempfile::tempdir().expect("a folder");
    let backups = folder.path().display().to_string();
    let proxy = Proxy::at_sql(&server, "RENAME TO", Side::Before);
    let orchestrator = Program::named("orchestrator")
        .env("ORCHESTRATOR_SERVER_URL", &proxy.url("postgres"))
        .services(&services);
    orchestrator.expect(&["all"], 0);
    orchestrator.expect(&["backup", "shop", "--backup-folder", &backups], 0);
    let mut restore = orchestrator.watch(&[
        "restore",
        "shop",
        "--from",
        "latest",
        "--backup-folder",
        &backups,
        "--yes",
    ]);
    assert!(proxy.wait_until_reached(&mut restore).is_some());
    proxy.hold_all();
    restore.signal(Signal::SIGINT);
    restore.signal(Signal::SIGTERM);
    let outcome = restore.end_within(Duration::from_secs(45));
    assert!(
        [5, 130].contains(&outcome.code),
        "{}: {}{}",
        outcome.code,
        outcome.stdout,
        outcome.stderr
    );
}
