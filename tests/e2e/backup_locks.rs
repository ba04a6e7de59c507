//! A backup is taken under the locks of its databases: nothing slips in between, and whoever is in the way is named.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::Signal;
use tests::{ClientPrograms, Program, Running, Server, Services, wait_until};

use crate::backup::{backups, entry, last, only_backup, shop};

/// The key of the advisory lock: "SOC migr" in ASCII.
const KEY: &str = "x'534F43206D696772'::bigint";

/// A `pg_dump` that waits for the test before it begins.
struct Gate(ClientPrograms);

impl Gate {
    fn closed(server: &Server) -> Self {
        let script = "touch \"$HERE/there\"; while [ ! -e \"$HERE/go\" ]; do sleep 0.02; done; exec \"$REAL\" \"$@\"";
        Self(ClientPrograms::of(server).script("pg_dump", script))
    }

    fn wait(&self) {
        let there = self.0.path().join("there");
        wait_until("pg_dump is started", || there.exists());
    }

    fn open(&self) {
        fs::write(self.0.path().join("go"), "").expect("a file");
    }

    fn argument(&self) -> [&str; 2] {
        ["--pg-bin", self.0.argument()]
    }
}

fn with_pending() -> (Server, Services, Program) {
    let (server, services) = (Server::start(), shop());
    let orchestrator = Program::orchestrator(&server).services(&services);
    orchestrator.expect(&["all"], 0);
    services
        .service("two", &["one"])
        .migration(2, "c", "CREATE TABLE c (id int);\n");
    (server, services, orchestrator)
}

fn watch(program: &Program, arguments: &[&str], gate: &Gate) -> Running {
    program.watch(&[arguments, &gate.argument()].concat())
}

#[test]
fn no_other_run_slips_in_between_dump_and_first_step() {
    let (server, services, orchestrator) = with_pending();
    let gate = Gate::closed(&server);
    let first = watch(&orchestrator, &["all", "--backup"], &gate);
    gate.wait();
    let second = Program::orchestrator(&server).services(&services);
    let second = second.watch(&["all"]);
    let waiting = second.wait_for_event("lock_waiting");
    assert_eq!(waiting["service"], "two");
    assert_eq!(server.applied("db_two"), [1], "nothing is done meanwhile");
    gate.open();
    let (first, second) = (first.end(), second.end());
    assert_eq!(
        (first.code, second.code),
        (0, 0),
        "{} {}",
        first.stderr,
        second.stderr
    );
    assert_eq!(
        (
            last(&first)["applied"].as_u64(),
            last(&second)["applied"].as_u64()
        ),
        (Some(1), Some(0))
    );
    let (_, manifest) = only_backup(&orchestrator);
    assert_eq!(entry(&manifest, "two")["head"]["version"], 1);
}

#[test]
fn a_backup_waits_for_a_run_and_names_it() {
    let (server, _services, orchestrator) = with_pending();
    let holder = server.session("db_two");
    holder.run(&format!("SELECT pg_advisory_lock({KEY})"));
    let waiting = orchestrator.watch(&["backup", "all"]);
    let event = waiting.wait_for_event("lock_waiting");
    assert_eq!(event["holder"]["pid"], holder.pid(), "{event}");
    let given_up = orchestrator.expect(
        &[
            "backup",
            "two",
            "--advisory-lock-wait",
            "200ms",
            "--output",
            "json",
        ],
        5,
    );
    assert_eq!(last(&given_up)["verdict"], "unavailable");
    assert!(backups(&orchestrator).is_empty());
    drop(holder);
    let outcome = waiting.end();
    assert_eq!(outcome.code, 0, "{}", outcome.stdout);
    only_backup(&orchestrator);
}

#[test]
fn what_another_run_did_meanwhile_is_not_dumped() {
    let (server, services, orchestrator) = with_pending();
    let table = server.session("db_two");
    table.run("BEGIN; CREATE TABLE c (id int)");
    // It holds the advisory lock, and waits for the name of its table.
    let quick = Program::orchestrator(&server)
        .services(&services)
        .env("ORCHESTRATOR_LOCK_TIMEOUT", "30s");
    let quick = quick.watch(&["all"]);
    quick.wait_for_event("migration_blocked");
    let late = orchestrator.watch(&["all", "--backup"]);
    late.wait_for_event("lock_waiting");
    table.run("ROLLBACK");
    assert_eq!(quick.end().code, 0);
    let outcome = late.end();
    assert_eq!(outcome.code, 0, "{}", outcome.stdout);
    let skipped = &outcome.events_of("backup_skipped")[0];
    assert!(
        skipped["because"]
            .as_str()
            .expect("why")
            .contains("another run"),
        "{skipped}"
    );
    assert!(backups(&orchestrator).is_empty());
}

#[test]
fn a_locked_table_is_waited_for_and_the_holder_is_named() {
    let (server, _services, orchestrator) = with_pending();
    let holder = server.session("db_two");
    holder.run("BEGIN; LOCK TABLE b");
    let running = orchestrator.watch(&["all", "--backup"]);
    let blocked = running.wait_for_event("backup_blocked");
    assert_eq!(blocked["blockers"][0]["pid"], holder.pid(), "{blocked}");
    holder.run("ROLLBACK");
    let outcome = running.end();
    assert_eq!(outcome.code, 0, "{}", outcome.stdout);
    assert_eq!(server.applied("db_two"), [1, 2]);
}

#[test]
fn a_table_that_is_locked_for_too_long_keeps_the_run_from_starting() {
    let (server, _services, orchestrator) = with_pending();
    let holder = server.session("db_two");
    holder.run("BEGIN; LOCK TABLE b");
    let arguments = [
        "--lock-timeout",
        "500ms",
        "--lock-retries",
        "1",
        "--output",
        "json",
    ];
    for command in [["all", "--backup"].as_slice(), &["backup", "two"]] {
        let outcome = orchestrator.expect(&[command, arguments.as_slice()].concat(), 5);
        let failure = &outcome.events_of("service_failed")[0];
        let message = failure["message"].as_str().expect("words");
        let pid = format!("pid {}", holder.pid());
        assert!(message.contains(&pid), "{message}");
        assert!(outcome.events_of("migration_started").is_empty());
        assert_eq!(last(&outcome)["verdict"], "unavailable");
        assert!(backups(&orchestrator).is_empty());
    }
    assert_eq!(server.applied("db_two"), [1]);
    let dumps =
        "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'orchestrator backup%'";
    wait_until("its pg_dump is gone", || {
        server.value("postgres", dumps) == "0"
    });
}

#[test]
fn ctrl_c_ends_the_dump_and_leaves_nothing() {
    let (server, _services, orchestrator) = with_pending();
    for command in [["all", "--backup"].as_slice(), &["backup", "all"]] {
        let gate = Gate::closed(&server);
        let running = watch(&orchestrator, command, &gate);
        gate.wait();
        running.signal(Signal::SIGINT);
        let outcome = running.end_within(Duration::from_secs(10));
        assert_eq!(outcome.code, 130, "{}", outcome.stdout);
        assert_eq!(last(&outcome)["verdict"], "cancelled");
        assert_eq!(
            outcome.events_of("cancel_requested").len(),
            1,
            "{}",
            outcome.stdout
        );
        assert!(
            outcome.events_of("service_failed").is_empty(),
            "{}",
            outcome.stdout
        );
        assert_eq!(backups(&orchestrator), Vec::<PathBuf>::new());
        assert_eq!(server.applied("db_two"), [1]);
        let sessions =
            "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'orchestrator%'";
        wait_until("no session is left", || {
            server.value("postgres", sessions) == "0"
        });
    }
}

#[test]
fn the_password_is_on_no_command_line() {
    let (server, _services, orchestrator) = with_pending();
    server.query(
        "postgres",
        "CREATE ROLE dumper SUPERUSER LOGIN PASSWORD 'Tr0ub4dor-and-3'",
    );
    let url = server.url_as("dumper", "Tr0ub4dor-and-3", "db_two");
    let gate = Gate::closed(&server);
    let arguments = ["backup", "two"];
    let program = Program::orchestrator(&server)
        .services(&_services)
        .current_dir(orchestrator.folder())
        .env("DATABASE_URL", &url);
    let running = watch(&program, &arguments, &gate);
    gate.wait();
    let run_id = running.wait_for_event("run_started")["run_id"]
        .as_str()
        .expect("an id")
        .replace('-', "");
    let mut dumps = 0;
    for process in fs::read_dir("/proc").expect("/proc").flatten() {
        let read = |name: &str| {
            let bytes = fs::read(process.path().join(name)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let command = read("cmdline");
        assert!(!command.contains("Tr0ub4dor"), "{command}");
        let environment = read("environ");
        if environment.contains(&run_id) && command.contains("--snapshot=") {
            assert!(environment.contains("PGPASSWORD=Tr0ub4dor-and-3"));
            dumps += 1;
        }
    }
    assert_ne!(dumps, 0, "pg_dump was looked at");
    gate.open();
    let outcome = running.end();
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    let (backup, _) = only_backup(&orchestrator);
    let text = fs::read_to_string(backup.join("manifest.json")).expect("a manifest");
    assert!(!text.contains("Tr0ub4dor") && !outcome.stdout.contains("Tr0ub4dor"));
}

#[test]
fn a_lock_that_is_lost_during_the_dump_keeps_the_run_from_beginning() {
    let (server, _services, orchestrator) = with_pending();
    let gate = Gate::closed(&server);
    let running = watch(&orchestrator, &["all", "--backup"], &gate);
    gate.wait();
    let ended = server.query(
        "db_two",
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted \
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    );
    assert_eq!(ended.len(), 1);
    gate.open();
    let outcome = running.end();
    assert_eq!(outcome.code, 5, "{}", outcome.stdout);
    assert_eq!(server.applied("db_two"), [1]);
    assert_eq!(last(&outcome)["applied"], 0);
    orchestrator.expect(&["all"], 0);
}
