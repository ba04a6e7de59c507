//! What is printed: nothing of a file, a server, a name or the environment steers a terminal or a CI, and no secret is shown.

use std::fs;

use std::process::Command;

use tests::{ClientPrograms, Outcome, Program, Server, ServiceFolder, Services};

const SECRET: &str = "S3CRETvalue";
/// Colors, the title of the window, a single-character CSI, the order of reading, a command of a workflow.
const HOSTILE: &str = "\u{1b}[31m\u{1b}]0;owned\u{7}\u{9b}2J\u{202e}\u{2066}\u{200f}\n::error::owned\n ##vso[task.x]owned\r";

#[track_caller]
fn assert_harmless(what: &str, outcome: &Outcome) {
    for text in [&outcome.stdout, &outcome.stderr] {
        assert!(!text.contains(SECRET), "{what} shows a secret: {text}");
        let steers = |c: char| {
            (c.is_control() && !matches!(c, '\n' | '\t'))
                || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        assert!(!text.contains(steers), "{what}: {text:?}");
        assert!(!text.contains("##vso["), "{what}: {text:?}");
        for line in text.lines() {
            let ours = what.contains("github") && line.starts_with("::") && line.contains("file=");
            assert!(
                !line.trim_start().starts_with("::error") || ours,
                "{what}: {line:?}"
            );
        }
    }
}

fn hostile_services() -> Services {
    let services = Services::new();
    let literal = HOSTILE.replace('\n', "\\n");
    services
        .service("shop", &[])
        .reversible(
            1_700_000_000_000,
            "first",
            &format!(
                "/* {HOSTILE} */\nCREATE TABLE first (id int);\nDO $$ BEGIN RAISE NOTICE E'{literal}'; END $$;\n\
                 COMMENT ON TABLE first IS 'connection password={SECRET} of it';\n\
                 SELECT set_config('app.token', '{SECRET}', true);"
            ),
            &format!("/* {HOSTILE} */ DROP TABLE first;"),
        )
        .migration(
            1_700_000_000_001,
            "second",
            &format!(
                "CREATE ROLE made_by_output PASSWORD\n '{SECRET}' BOGUS;\n-- {HOSTILE}"
            ),
        );
    services.service("words", &[]).migration(
        1_700_000_000_000,
        "first",
        &format!(
            "DO $$ BEGIN RAISE EXCEPTION E'{literal}' USING DETAIL = E'{literal} password=''{SECRET}''', HINT = E'{literal}'; END $$;"
        ),
    );
    services
}

#[test]
fn nothing_steers_the_terminal_and_no_secret_is_shown() {
    let server = Server::start();
    let services = hostile_services();
    let program = Program::orchestrator(&server)
        .services(&services)
        .scratch_beside();
    program.expect(&["run", "shop", "--to", "1700000000000"], 0);
    server.query(
        "db_shop",
        &format!(
            "CREATE TABLE \"{HOSTILE}\" (id int); ALTER TABLE first ADD COLUMN \"x{HOSTILE}\" int"
        ),
    );
    for arguments in [
        "run all --dry-run",
        "run all --dry-run --output json",
        "run all -v --on-failure continue",
        "run all -vv --on-failure continue --output json",
        "run words -vvv --log-format json",
        "status",
        "status shop",
        "plan",
        "history shop",
        "history shop --output json",
        "drift shop",
        "drift shop --output json",
        "check --no-rehearsal",
        "check --no-rehearsal --format github",
        "check --no-rehearsal --format sarif",
        "revert shop --dry-run",
        "doctor",
        "doctor --output json",
        "graph --format dot",
    ] {
        let words: Vec<&str> = arguments.split(' ').collect();
        assert_harmless(arguments, &program.run(&words));
    }
    for arguments in [
        vec!["run", HOSTILE],
        vec!["status", "--config", HOSTILE],
        vec!["status", "--jobs", HOSTILE],
        vec!["status", "--environment", HOSTILE],
        vec!["backup", "shop", "--folder", HOSTILE],
        vec![HOSTILE],
        vec!["status", "--server-url", HOSTILE],
        vec!["status", "--databse-url", "postgres://u:S3CRETvalue@h"],
        vec!["status", "postgres://u:S3CRETvalue@h"],
    ] {
        let outcome = program.run(&arguments);
        assert_ne!(outcome.code, 0, "{arguments:?}: {}", outcome.stdout);
        assert_harmless(&format!("{arguments:?}"), &outcome);
    }
    let journal = server.value(
        "db_shop",
        "SELECT string_agg(j::text, ' ') FROM orchestrator.journal j",
    );
    assert!(!journal.contains(SECRET), "{journal}");
}

#[test]
fn a_wrong_address_or_configuration_never_shows_its_password() {
    let folder = tempfile::tempdir().expect("a folder");
    let services = Services::new();
    services
        .service("shop", &[])
        .migration(1, "first", "SELECT 1");
    let program = Program::named("orchestrator").services(&services);
    for url in [
        format!("mig:{SECRET}://x"),
        SECRET.to_owned(),
        format!("postgres://u:123/{SECRET}@127.0.0.1:1/d"),
        format!("postgres://u:/{SECRET}@127.0.0.1:1/d"),
        format!("postgres://u:a@{SECRET}@127.0.0.1:1/d"),
        format!("postgres://u:a:{SECRET}/@127.0.0.1:1/d"),
        format!("postgres://u:1?{SECRET}=1/@127.0.0.1:1/d"),
        format!("postgres://u:1?sslmode={SECRET}/@127.0.0.1:1/d"),
        format!("postgres://u:%{SECRET}@127.0.0.1:1/d"),
        format!("postgres://u:{SECRET}@127.0.0.1:1/d?sslmode=disable"),
        format!("host=127.0.0.1 port=1 pasword={SECRET}"),
        format!("host=127.0.0.1 port=1 password=x {SECRET}=x"),
        format!("host=127.0.0.1 port={SECRET}"),
        format!("host=127.0.0.1 password='{SECRET}"),
    ] {
        let by_flag = program.run(&["status", "-vv", "--server-url", &url]);
        let config = folder.path().join("config.toml");
        fs::write(&config, format!("[server]\nurl = \"{url}\"\n")).expect("a file");
        let config = config.display().to_string();
        let by_file = program.run(&["status", "--config", &config]);
        for outcome in [by_flag, by_file] {
            assert!(matches!(outcome.code, 2 | 5), "{url}: {}", outcome.stderr);
            assert_harmless(&url, &outcome);
        }
    }
}

#[test]
fn client_programs_are_given_no_secret_but_their_own() {
    let server = Server::start();
    let services = Services::new();
    services
        .service("shop", &[])
        .migration(1, "first", "CREATE TABLE first (id int)");
    let program = Program::orchestrator(&server)
        .services(&services)
        .env("OTHER_DATABASE_URL", "postgres://u:S3CRETvalue@h/d")
        .env("DB_PASSWORD", SECRET)
        .env("SOME_API_TOKEN", SECRET);
    program.expect(&["run", "shop"], 0);
    let folder = tempfile::tempdir().expect("a folder");
    let seen = folder.path().join("seen");
    let script = format!("env >> {}\nexec \"$REAL\" \"$@\"", seen.display());
    let programs = ClientPrograms::of(&server)
        .script("pg_dump", &script)
        .script("pg_restore", &script);
    program.expect(&["backup", "shop", "--pg-bin", programs.argument()], 0);
    let seen = fs::read_to_string(seen).expect("the programs ran");
    assert!(!seen.contains(SECRET), "{seen}");
    assert!(!seen.contains("ORCHESTRATOR_"), "{seen}");
}

/// The one command that a `next:` line suggests.
#[track_caller]
fn suggested(outcome: &Outcome) -> String {
    let text = format!("{}\n{}", outcome.stdout, outcome.stderr);
    let commands: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("next: "))
        .filter_map(|line| line.find("orchestrator ").map(|at| &line[at..]))
        .map(|command| command.split("   (").next().unwrap_or(command))
        .collect();
    assert!(!commands.is_empty(), "no command in {text}");
    commands[0].to_owned()
}

/// Runs a command as it was pasted into a shell, in an environment that gives no address.
fn paste(program: &Program, command: &str) -> Outcome {
    let like = program.command::<&str>(&[]);
    let folder = std::path::Path::new(like.get_program())
        .parent()
        .expect("the folder of the program");
    let mut shell = Command::new("bash");
    shell
        .arg("-c")
        .arg(command)
        .current_dir(program.folder())
        .env_clear()
        .env("HOME", "/nonexistent")
        .env("PGPASSWORD", "p w")
        .env("PATH", format!("{}:/usr/bin:/bin", folder.display()))
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    Outcome::of(shell.spawn().expect("a shell"))
}

#[test]
fn a_suggested_command_leads_to_its_place() {
    let server = Server::start();
    server.query(
        "postgres",
        "CREATE ROLE migrator LOGIN SUPERUSER PASSWORD 'p w'",
    );
    let url = server.url_as("migrator", "p%20w", "postgres");
    let services = Services::new();
    let folder = services.path().join("it's here; false");
    fs::create_dir(&folder).expect("a folder");
    let service = |name: &str, lines: &str| -> ServiceFolder {
        let path = services.service_with(name, &[], &format!("database = \"db_{name}\"\n{lines}"));
        fs::rename(path.path(), folder.join(name)).expect("moved");
        services.at(&format!("it's here; false/{name}"))
    };
    service("first", "").reversible(1, "one", "CREATE TABLE one (id int)", "DROP TABLE one");
    let second = service("second", "");
    second
        .file(
            "service.toml",
            "name = \"second\"\ndatabase = \"db_second\"\ndepends_on = [\"first\"]\n",
        )
        .reversible(
            1,
            "one",
            "-- migration: requires first@1\nCREATE TABLE one (id int)",
            "DROP TABLE one",
        );
    let bad = service("bad", "");
    bad.migration(1, "one", "CREATE TABLE one (id int, id int)");
    let program = Program::named("orchestrator")
        .arg("--services-dir")
        .arg(folder.to_str().expect("a path"))
        .arg("--server-url")
        .arg(&url);

    // A gate that is not met.
    let refused = program.expect(&["run", "second"], 3);
    assert_harmless("gate", &refused);
    let command = suggested(&refused);
    assert!(!command.contains("p%20w"), "{command}");
    let met = paste(&program, &command);
    assert_eq!(met.code, 0, "{command}\n{}", met.stderr);
    assert_eq!(server.applied("db_first"), [1]);

    // What is pending.
    let status = program.expect(&["status", "second"], 0);
    let run = paste(&program, &suggested(&status));
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(server.applied("db_second"), [1]);

    // A revert that another service stands on.
    let refused = program.expect(&["revert", "first"], 3);
    let reverted = paste(&program, &suggested(&refused));
    assert_eq!(reverted.code, 0, "{}", reverted.stderr);
    assert!(server.applied("db_first").is_empty());
    assert!(server.applied("db_second").is_empty());

    // A file that fails, once it is fixed.
    let failed = program.expect(&["run", "bad"], 1);
    bad.migration(1, "one", "CREATE TABLE one (id int)");
    let run = paste(&program, &suggested(&failed));
    assert_eq!(run.code, 0, "{}", run.stderr);

    // One that was edited since.
    bad.migration(1, "one", "CREATE TABLE one (id bigint)");
    let status = program.expect(&["status", "bad"], 0);
    let planned = paste(&program, &suggested(&status));
    assert_eq!(planned.code, 3, "{}", planned.stderr);
}

#[test]
fn what_only_a_change_of_settings_or_rights_resolves_is_not_exit_code_5() {
    let server = Server::start();
    for sql in [
        "CREATE ROLE limited LOGIN PASSWORD 'x'",
        "CREATE ROLE locked_out NOLOGIN PASSWORD 'x'",
        "CREATE DATABASE closed",
        "REVOKE CONNECT ON DATABASE closed FROM PUBLIC",
        "CREATE DATABASE db_shop",
        "REVOKE CREATE ON DATABASE db_shop FROM PUBLIC",
    ] {
        server.query("postgres", sql);
    }
    let services = Services::new();
    services
        .service("shop", &[])
        .migration(1, "first", "-- migration: no-transaction\nSELECT 1");
    services
        .service_with("closed", &[], "database = \"closed\"\n")
        .migration(1, "first", "SELECT 1");
    services
        .service("absent", &[])
        .migration(1, "first", "SELECT 1");
    let as_role = |role: &str, password: &str| {
        Program::named("orchestrator").services(&services).env(
            "ORCHESTRATOR_SERVER_URL",
            &server.url_as(role, password, "postgres"),
        )
    };
    as_role("limited", "wrong").expect(&["status", "shop"], 2);
    as_role("locked_out", "x").expect(&["status", "shop"], 2);
    as_role("nobody_here", "x").expect(&["status", "shop"], 2);
    let connect = as_role("limited", "x").expect(&["status", "closed"], 3);
    assert!(
        connect
            .stdout
            .contains("GRANT CONNECT ON DATABASE closed TO limited"),
        "{}",
        connect.stdout
    );
    let create = as_role("limited", "x").expect(&["run", "absent"], 3);
    assert!(
        create.stderr.contains("ALTER ROLE limited CREATEDB"),
        "{}",
        create.stderr
    );

    // The rights that are missing are named as SQL, which is enough.
    let limited = as_role("limited", "x");
    let missing = limited.expect(&["run", "shop"], 3);
    let line = missing
        .stderr
        .lines()
        .find_map(|line| {
            line.trim_start()
                .strip_prefix("next: ")?
                .split(";   -- ")
                .next()
        })
        .expect("the SQL that gives the rights");
    assert!(line.contains("CREATE SCHEMA orchestrator"), "{line}");
    for statement in line.split("; ") {
        server.query("db_shop", statement);
    }
    limited.expect(&["run", "shop"], 0);

    let down = Program::named("orchestrator").services(&services).env(
        "ORCHESTRATOR_SERVER_URL",
        "postgres://u@127.0.0.1:1/postgres",
    );
    let status = down.expect(&["status"], 5);
    assert_eq!(
        status.stdout.matches("cannot reach").count(),
        1,
        "{}",
        status.stdout
    );
    let run = down.expect(&["all"], 5);
    assert_eq!(
        run.stderr.matches("cannot reach").count(),
        1,
        "{}",
        run.stderr
    );
}

#[test]
fn a_service_binary_takes_global_flags_on_both_sides() {
    let server = Server::start();
    let program =
        Program::named("auth-migrations").env("ORCHESTRATOR_SERVER_URL", &server.url("postgres"));
    program.expect(&["--output", "json", "status"], 0).json();
    program.expect(&["status", "--output", "json"], 0).json();
    program.expect(&["--dry-run", "status"], 2);
    let orchestrator = Program::orchestrator(&server);
    for arguments in [
        vec!["graph", "--format", "dot"],
        vec!["schema", "dump", "auth", "--stdout"],
        vec!["man"],
        vec!["completions", "bash"],
        vec!["check", "auth", "--format", "sarif"],
    ] {
        let json = [arguments.as_slice(), &["--output", "json"]].concat();
        orchestrator.expect(&json, 2);
    }
}

#[test]
fn a_long_step_is_reported_in_logs_and_in_events() {
    let server = Server::start();
    let services = Services::new();
    for name in ["logged", "parsed"] {
        let slow = "DO $$ BEGIN PERFORM pg_sleep(11.5); END $$;\n";
        services.service(name, &[]).migration(1, "slow", slow);
    }
    let orchestrator = Program::orchestrator(&server).services(&services);
    let (logged, parsed) = std::thread::scope(|scope| {
        let logged = scope.spawn(|| orchestrator.run(&["run", "logged"]));
        let parsed = orchestrator.run(&["run", "parsed", "--output", "json"]);
        (logged.join().expect("a run"), parsed)
    });
    let progress = &parsed.events_of("migration_progress")[0];
    assert!(progress["running_ms"].as_u64() >= Some(9_000), "{progress}");
    assert_eq!(progress["statement"], "DO");
    let line = logged
        .stdout
        .lines()
        .find(|line| line.starts_with("applying"));
    assert!(
        line.is_some_and(|line| line.contains("1 slow")),
        "{}",
        logged.stdout
    );
}
