//! Connections are few: a small server is enough, and the bound that is set is kept.

use std::time::Duration;

use tests::{ClientPrograms, Program, Server, Services, wait_until};

const SOON: Duration = Duration::from_secs(60);
const OURS: &str = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE '%orchestrator%' OR application_name LIKE '%migrations%'";

/// Twelve services, four of which depend on another.
fn twelve(sql: &str) -> Services {
    let services = Services::new();
    for n in 0..12 {
        let before = format!("s{}", n - 1);
        let depends_on = [before.as_str()];
        services
            .service(&format!("s{n}"), if n % 3 == 2 { &depends_on } else { &[] })
            .migration(1, "one", "CREATE TABLE one (id int)")
            .migration(2, "two", sql);
    }
    services
}

/// A server with seven connections for a role that is no superuser, and the program as that role.
fn small(services: &Services) -> (Server, Program) {
    let server = Server::with(&[
        ("max_connections", "10"),
        ("superuser_reserved_connections", "3"),
        ("max_wal_senders", "0"),
    ]);
    server.query(
        "postgres",
        "CREATE ROLE runner LOGIN CREATEDB PASSWORD 'secret'",
    );
    let url = format!(
        "postgresql://runner:secret@127.0.0.1:{}/postgres",
        server.cluster().port()
    );
    let program = Program::named("orchestrator")
        .env("ORCHESTRATOR_SERVER_URL", &url)
        .services(services);
    (server, program)
}

#[test]
fn a_server_with_seven_connections_serves_twelve_services() {
    let services = twelve("CREATE TABLE two (id int)");
    let (server, program) = small(&services);
    let outcome = program.watch(&["all"]).end_within(SOON);
    assert!([0, 5].contains(&outcome.code), "{}", outcome.stderr);
    if outcome.code == 5 {
        let text = outcome.stdout + &outcome.stderr;
        assert!(text.contains("connection"), "{text}");
    }
    // A bound that fits the server is all it takes.
    let program = program.env("ORCHESTRATOR_MAX_CONNECTIONS", "5");
    let outcome = program.watch(&["all"]).end_within(SOON);
    assert_eq!(outcome.code, 0, "{}\n{}", outcome.stdout, outcome.stderr);
    for n in 0..12 {
        assert_eq!(server.applied(&format!("db_s{n}")), [1, 2]);
    }
}

#[test]
fn two_runs_on_a_full_server_end() {
    let services = twelve("CREATE TABLE two (id int)");
    let (server, program) = small(&services);
    let runs = [program.watch(&["all"]), program.watch(&["all"])];
    for run in runs {
        let outcome = run.end_within(SOON);
        assert!([0, 5].contains(&outcome.code), "{}", outcome.stderr);
    }
    let program = program.env("ORCHESTRATOR_MAX_CONNECTIONS", "4");
    program.expect(&["all"], 0);
    for n in 0..12 {
        assert_eq!(server.applied(&format!("db_s{n}")), [1, 2]);
    }
}

#[test]
fn the_bound_on_connections_is_kept() {
    let services = twelve("SELECT pg_sleep(0.1)");
    for bound in ["1", "3"] {
        let server = Server::start();
        let program = Program::orchestrator(&server)
            .services(&services)
            .env("ORCHESTRATOR_MAX_CONNECTIONS", bound);
        let run = program.watch(&["all"]);
        let looking = server.session("postgres");
        let most: usize = bound.parse().unwrap();
        let mut seen = 0;
        wait_until("the end of the run", || {
            // A session that has just been closed is there for a moment longer: count what is there twice.
            let first: usize = looking.value(OURS).parse().unwrap();
            std::thread::sleep(Duration::from_millis(20));
            seen = seen.max(first.min(looking.value(OURS).parse().unwrap()));
            run.events()
                .iter()
                .any(|event| event["event"] == "run_finished")
        });
        let outcome = run.end_within(SOON);
        assert_eq!(outcome.code, 0, "{}", outcome.stderr);
        assert!(seen >= 1 && seen <= most, "{seen} of {most}");
    }
}

#[test]
fn a_lost_connection_does_not_need_a_second_one_to_be_looked_up() {
    let server = Server::start();
    let services = Services::new();
    services
        .service("a", &[])
        .migration(1, "one", "SELECT pg_sleep(30)");
    let program = Program::orchestrator(&server)
        .services(&services)
        .env("ORCHESTRATOR_MAX_CONNECTIONS", "1");
    let run = program.watch(&["all"]);
    run.wait_for_event("migration_started");
    wait_until("the sleep", || {
        server.value(
            "postgres",
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'",
        ) == "1"
    });
    server.query(
        "postgres",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'",
    );
    let outcome = run.end_within(Duration::from_secs(20));
    assert_eq!(outcome.code, 5, "{}", outcome.stderr);
    assert_eq!(
        server.query("db_a", "SELECT version, outcome FROM orchestrator.journal"),
        [["1", "failed"]]
    );
}

#[test]
fn a_server_without_a_free_connection_is_exit_5_and_not_a_hang() {
    let services = twelve("SELECT 1");
    let (server, program) = small(&services);
    let others: Vec<_> = (0..9).map(|_| server.session("postgres")).collect();
    let outcome = program.watch(&["all"]).end_within(SOON);
    assert_eq!(outcome.code, 5, "{}", outcome.stderr);
    let text = outcome.stdout + &outcome.stderr;
    assert!(text.contains("connection"), "{text}");
    drop(others);
}

#[test]
fn rehearsals_at_once_on_a_full_server_end() {
    let services = Services::new();
    for name in ["a", "b"] {
        services.service(name, &[]).reversible(
            1,
            "one",
            "CREATE TABLE one (id int)",
            "DROP TABLE one",
        );
    }
    let (server, program) = small(&services);
    let program = program.scratch_beside();
    program.expect(&["all"], 0);
    let runs: Vec<_> = (0..3)
        .map(|_| program.watch(&["rehearse", "all", "--every"]))
        .collect();
    for run in runs {
        let outcome = run.end_within(SOON * 2);
        let said = outcome.stdout + &outcome.stderr;
        assert!([0, 5].contains(&outcome.code), "{}: {said}", outcome.code);
    }
    program.expect(&["rehearse", "all", "--every"], 0);
    assert_eq!(server.databases(), ["db_a", "db_b"]);
}

#[test]
fn a_dump_that_finds_no_free_connection_is_started_again() {
    let services = Services::new();
    services
        .service("a", &[])
        .migration(1, "one", "CREATE TABLE one (id int)");
    let (server, program) = small(&services);
    program.expect(&["all"], 0);
    let programs = ClientPrograms::of(&server).script(
        "pg_dump",
        "echo >> \"$HERE/starts\"; while [ ! -e \"$HERE/go\" ]; do sleep 0.02; done; exec \"$REAL\" \"$@\"",
    );
    let starts = || {
        let starts = std::fs::read_to_string(programs.path().join("starts"));
        starts.unwrap_or_default().lines().count()
    };
    let backup = program.watch(&["backup", "a", "--pg-bin", programs.argument()]);
    wait_until("pg_dump is started", || starts() == 1);
    // Superusers may have the last three, too.
    let mut others = vec![server.session("postgres")];
    while others[0]
        .value("SELECT count(*) < 8 FROM pg_stat_activity WHERE backend_type = 'client backend'")
        == "t"
    {
        others.push(server.session("postgres"));
    }
    std::fs::write(programs.path().join("go"), "").expect("a file");
    wait_until("pg_dump is restarted", || starts() > 1);
    drop(others);
    let outcome = backup.end_within(SOON);
    assert_eq!(outcome.code, 0, "{}{}", outcome.stdout, outcome.stderr);
}
