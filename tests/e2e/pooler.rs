//! Behind transaction-mode pooler neither locks nor settings of a session hold: every command is refused there, and nowhere else.

use tests::{Pooler, Program, Server, Services};

const MIGRATION: &str = "CREATE TABLE t (id int);\n";

fn started() -> (Server, Services) {
    let server = Server::start();
    server.create_database("db_one");
    let services = Services::new();
    services.service("one", &[]).migration(1, "only", MIGRATION);
    (server, services)
}

fn through(pooler: &Pooler, services: &Services) -> Program {
    Program::named("orchestrator")
        .services(services)
        .env("ORCHESTRATOR_SERVER_URL", &pooler.url("postgres"))
}

#[test]
fn in_transaction_and_statement_mode_a_run_is_refused_and_writes_nothing() {
    let (server, services) = started();
    let before = server.everything("db_one");
    // The second line: a pool that hands out its processes in turn, with some more than one client needs.
    for (mode, settings) in [
        ("transaction", ""),
        ("transaction", "server_round_robin = 1\nmin_pool_size = 4"),
        ("transaction", "default_pool_size = 1"),
        ("statement", ""),
    ] {
        let pooler = Pooler::start(&server, mode, settings);
        let orchestrator = through(&pooler, &services);
        let refused = orchestrator.expect(&["all"], 3);
        let text = refused.stdout + &refused.stderr;
        assert!(
            text.contains("transaction-mode pooler"),
            "{mode} {settings}: {text}"
        );
        assert!(
            text.contains("with the address of the server itself"),
            "{text}"
        );
        let events = orchestrator.expect(&["all", "--output", "json"], 3);
        let failed = &events.events_of("service_failed")[0];
        assert_eq!(failed["refusal"]["kind"], "pooler", "{failed}");
        assert_eq!(server.everything("db_one"), before);
        assert_eq!(
            server.value(
                "db_one",
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
            ),
            "0",
            "a lock stays in the pool"
        );
    }
}

#[test]
fn what_only_reads_is_refused_too_and_leaves_no_setting_to_the_application() {
    let (server, services) = started();
    let pooler = Pooler::start(&server, "transaction", "default_pool_size = 1");
    let orchestrator = through(&pooler, &services);
    for command in ["status", "plan", "drift", "history"] {
        orchestrator.expect(&[command], 3);
    }
    let settings = "SELECT current_setting('search_path') || current_setting('row_security') || current_setting('lock_timeout')";
    assert_eq!(
        pooler.value("db_one", settings),
        server.value("db_one", settings)
    );
}

#[test]
fn in_session_mode_a_run_works_also_where_the_pool_has_one_process() {
    for settings in ["", "default_pool_size = 1"] {
        let (server, services) = started();
        let pooler = Pooler::start(&server, "session", settings);
        let orchestrator = through(&pooler, &services);
        orchestrator.expect(&["all"], 0);
        assert_eq!(server.applied("db_one"), [1]);
        orchestrator.expect(&["status", "--exit-code"], 0);
    }
}

#[test]
fn doctor_tells() {
    let (server, services) = started();
    let direct = Program::orchestrator(&server).services(&services);
    direct.expect(&["all"], 0);
    direct.expect(&["doctor"], 0);
    let pooler = Pooler::start(&server, "transaction", "");
    let found = through(&pooler, &services).expect(&["doctor", "--output", "json"], 4);
    let found = &found.json()["findings"][0];
    assert_eq!(found["kind"], "pooler", "{found}");
    let pooler = Pooler::start(&server, "session", "");
    through(&pooler, &services).expect(&["doctor"], 0);
}
