//! What is printed: nothing of a file, a server, a name or the environment steers a terminal or a CI, and no secret is shown.

use std::fs;

use tests::{ClientPrograms, Outcome, Program, Server, Services};

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
