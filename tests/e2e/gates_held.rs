//! What a migration requires of another service stays until it is committed, also between processes that know nothing of each other.

use tests::{Program, Running, Server, Services, Session};

/// `<n>base` and `<n>top`, whose second migration requires the second of `<n>base`. The second of either, in either direction, waits for
/// readers of `held`.
fn pair(services: &Services, number: usize) -> (String, String) {
    let (base, top) = (format!("base{number}"), format!("top{number}"));
    let alter = "ALTER TABLE held ADD COLUMN two int;\n";
    let back = "ALTER TABLE held DROP COLUMN two;\n";
    for (name, head) in [
        (&base, String::new()),
        (&top, format!("-- migration: requires {base}@2\n")),
    ] {
        services
            .service(name, &[])
            .reversible(
                1,
                "one",
                "CREATE TABLE held (id int);\n",
                "DROP TABLE held;\n",
            )
            .reversible(2, "two", &format!("{head}{alter}"), back);
    }
    (base, top)
}

struct World {
    server: Server,
    /// Where the databases are of services with a number from [`ELSEWHERE`] on that require something.
    other: Server,
    program: Program,
}

/// From this number on a pair is on two servers.
const ELSEWHERE: usize = 5;

impl World {
    /// A command that is under way and cannot go on, and what holds it up.
    fn held(&self, service: &str, arguments: &[&str]) -> (Running, Session) {
        let reader = self.server_of(service).session(&format!("db_{service}"));
        reader.run("BEGIN; SELECT FROM held");
        let running = self.program.watch(arguments);
        running.wait_for("the second migration is under way", |event| {
            event["event"] == "migration_started" && event["version"] == 2
        });
        (running, reader)
    }

    fn applied(&self, service: &str) -> Vec<i64> {
        self.server_of(service).applied(&format!("db_{service}"))
    }

    fn server_of(&self, service: &str) -> &Server {
        let number = service.strip_prefix("top").and_then(|it| it.parse().ok());
        match number {
            Some(ELSEWHERE..) => &self.other,
            _ => &self.server,
        }
    }
}

fn refusal(outcome: &tests::Outcome) -> String {
    assert_eq!(outcome.code, 3, "{}", outcome.stdout);
    let failed = &outcome.events_of("service_failed")[0];
    failed["refusal"]["kind"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn whichever_of_a_run_and_a_revert_comes_first_the_other_sees_it() {
    let services = Services::new();
    let pairs: Vec<_> = (0..8).map(|number| pair(&services, number)).collect();
    let server = Server::with(&[("max_prepared_transactions", "10")]);
    let other = Server::with(&[("max_prepared_transactions", "10")]);
    let mut program = Program::orchestrator(&server)
        // The bound must not make them wait for each other.
        .env("ORCHESTRATOR_MAX_CONNECTIONS", "1")
        .services(&services);
    for number in ELSEWHERE..pairs.len() {
        let url = other.url(&format!("db_top{number}"));
        program = program.env(&format!("TOP{number}_DATABASE_URL"), &url);
    }
    let world = World {
        server,
        other,
        program,
    };
    for (base, top) in &pairs {
        world.program.expect(&["run", base], 0);
        world.program.expect(&["run", top, "--to", "1"], 0);
    }

    // A migration is under way that requires what is to be reverted.
    let run_first = [0, 1, 5, 6].map(|number| &pairs[number]);
    let atomic = &["--atomic"][..];
    for ((base, top), arguments) in run_first.into_iter().zip([&[], atomic, &[], atomic]) {
        let (run, reader) = world.held(top, &[&["run", top.as_str()], arguments].concat());
        let revert = world.program.watch(&["revert", base]);
        let waiting = revert.wait_for_event("lock_waiting");
        assert!(waiting["holder"]["pid"].is_number(), "{waiting}");
        reader.run("COMMIT");
        let run = run.end();
        assert_eq!(run.code, 0, "{}", run.stdout);
        assert_eq!(refusal(&revert.end()), "required");
        assert_eq!(world.applied(base), [1, 2]);
        assert_eq!(world.applied(top), [1, 2]);
        world
            .program
            .expect(&["revert", base, "--with-dependents"], 0);
        assert_eq!(world.applied(base), [1]);
    }

    // What a migration requires is being reverted.
    for (base, top) in [&pairs[2], &pairs[7]] {
        let (revert, reader) = world.held(base, &["revert", base]);
        let run = world.program.watch(&["run", top]);
        run.wait_for_event("lock_waiting");
        reader.run("COMMIT");
        assert_eq!(revert.end().code, 0);
        assert_eq!(refusal(&run.end()), "gate");
        assert_eq!(world.applied(base), [1]);
        assert_eq!(world.applied(top), [1]);
    }

    // The session that holds the gate is lost while the migration that needs it is under way.
    for ((base, top), arguments) in [&pairs[3], &pairs[4]].into_iter().zip([&[], atomic]) {
        let (run, reader) = world.held(top, &[&["run", top.as_str()], arguments].concat());
        world.server.query(
        &format!("db_{base}"),
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock' \
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    );
        reader.run("COMMIT");
        let run = run.end();
        assert_eq!(run.code, 5, "{}", run.stdout);
        assert_eq!(world.applied(top), [1], "rolled back");
        world.program.expect(&["run", top], 0);
    }
}
