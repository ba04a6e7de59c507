//! What is wrong is refused with one clear line that names the place, the right exit code, and nothing written.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use tests::{Outcome, Program, Server, ServiceFolder, Services};

/// What a mistake leads to: the exit code, and words that its one line holds.
#[track_caller]
fn assert_refused(outcome: &Outcome, code: i32, words: &[&str], what: &str) {
    let text = format!("{what}: {}{}", outcome.stdout, outcome.stderr);
    assert_eq!(outcome.code, code, "{text}");
    assert!(outcome.stdout.is_empty(), "{text}");
    let errors: Vec<&str> = outcome
        .stderr
        .lines()
        .filter(|line| line.starts_with("error:"))
        .collect();
    let [error] = errors.as_slice() else {
        panic!("one line says what is wrong: {text}");
    };
    for word in words {
        assert!(error.contains(word), "`{word}` is missing: {text}");
    }
    assert!(!outcome.stderr.contains("panicked"), "{text}");
}

const COMMANDS_WITH_SERVICES: [&[&str]; 10] = [
    &["run"],
    &["status"],
    &["show"],
    &["revert"],
    &["plan"],
    &["history"],
    &["check"],
    &["schema", "dump"],
    &["schema", "diff"],
    &["psql"],
];

#[test]
fn an_unknown_service_is_named_with_those_that_exist() {
    let server = Server::start();
    let orchestrator = Program::orchestrator(&server);
    for command in COMMANDS_WITH_SERVICES {
        let outcome = orchestrator.run(&[command, &["polcy"]].concat());
        assert_refused(&outcome, 2, &["polcy"], &command.join(" "));
        assert!(outcome.stderr.contains("policy"), "{}", outcome.stderr);
    }
    let outcome = orchestrator.run(&["generate", "polcy", "AddTable"]);
    assert_refused(&outcome, 2, &["polcy"], "generate");
    assert_eq!(server.databases(), Vec::<String>::new());
}

#[test]
fn an_unknown_flag_is_a_usage_error_of_every_command() {
    let server = Server::start();
    let orchestrator = Program::orchestrator(&server);
    let commands: [&[&str]; 17] = [
        &["all"],
        &["run", "auth"],
        &["status"],
        &["show"],
        &["revert", "auth"],
        &["plan"],
        &["graph"],
        &["generate", "auth", "AddTable"],
        &["history"],
        &["schema", "dump", "auth"],
        &["schema", "diff", "auth"],
        &["local", "status"],
        &["psql", "auth"],
        &["completions", "bash"],
        &["man"],
        &["migrate"],
        &[],
    ];
    for command in commands {
        let outcome = orchestrator.run(&[command, &["--no-such-flag"]].concat());
        assert_eq!(
            outcome.code, 2,
            "{command:?}: {}{}",
            outcome.stdout, outcome.stderr
        );
        assert!(outcome.stdout.is_empty(), "{command:?}: {}", outcome.stdout);
        assert!(
            outcome.stderr.starts_with("error:"),
            "{command:?}: {}",
            outcome.stderr
        );
    }
    let auth =
        Program::named("auth-migrations").env("ORCHESTRATOR_SERVER_URL", &server.url("postgres"));
    for command in [
        &["--no-such-flag"][..],
        &["show", "--steps", "1"],
        &["revert", "auth"],
    ] {
        assert_eq!(auth.run(command).code, 2, "{command:?}");
    }
    assert_eq!(server.databases(), Vec::<String>::new());
}

#[test]
fn arguments_that_do_not_fit_are_usage_errors() {
    let server = Server::start();
    let orchestrator = Program::orchestrator(&server);
    let cases: [(&[&str], &[&str]); 18] = [
        (&["man", "nothing"], &["nothing", "--help"]),
        (&["run", "auth", "--to", "newest"], &["newest"]),
        (&["run", "auth", "--to", "-1"], &["-1"]),
        (
            &["run", "auth", "--to", "99999999999999999999"],
            &["99999999999999999999"],
        ),
        (&["run", "auth", "--to", "42"], &["auth", "42"]),
        (&["run", "all", "--to", "1707500000000"], &["--to"]),
        (&["all", "--to", "1707500000000"], &["--to"]),
        (
            &["run", "auth", "client", "--to", "1707500000000"],
            &["--to"],
        ),
        (&["plan", "--to", "1707500000000"], &["--to"]),
        (&["revert", "all", "--to", "1707500000000"], &["--to"]),
        (&["revert", "auth", "--to", "42"], &["auth", "42"]),
        (&["revert", "auth", "--steps", "0"], &["0"]),
        (
            &["revert", "auth", "--steps", "1", "--all"],
            &["--steps", "--all"],
        ),
        (&["run"], &["SERVICE"]),
        (&["all", "--wait", "10"], &["10"]),
        (&["all", "--jobs", "0"], &["0"]),
        (&["all", "--output", "xml"], &["xml"]),
        (&["all", "--lock-timeout", "soon"], &["soon"]),
    ];
    for (arguments, words) in cases {
        let outcome = orchestrator.run(arguments);
        let text = format!("{arguments:?}: {}{}", outcome.stdout, outcome.stderr);
        assert_eq!(outcome.code, 2, "{text}");
        assert!(outcome.stdout.is_empty(), "{text}");
        for word in words {
            assert!(outcome.stderr.contains(word), "{word}: {text}");
        }
    }
    assert_eq!(server.databases(), Vec::<String>::new());
}

/// Runs every command that reads the services, and expects each to be refused in the same words, before any database
/// is touched: there is no server, which would be another exit code.
#[track_caller]
fn assert_source_is_refused(services: &Path, words: &[&str], what: &str) {
    let orchestrator = Program::named("orchestrator")
        .env("ORCHESTRATOR_SERVER_URL", "postgres://nobody@127.0.0.1:1")
        .arg("--services-dir")
        .arg(&services.display().to_string());
    for command in [
        &["all"][..],
        &["all", "--output", "json"],
        &["status"],
        &["plan"],
        &["graph"],
        &["revert", "all"],
    ] {
        let outcome = orchestrator.run(command);
        assert_refused(&outcome, 2, words, &format!("{what}: {command:?}"));
    }
}

/// A healthy service `one` that a mistake is added to.
fn with_mistake(mistake: impl FnOnce(&Services, &ServiceFolder)) -> Services {
    let services = Services::new();
    let one = services.service("one", &[]);
    one.reversible(1, "a", "CREATE TABLE a (id int);\n", "DROP TABLE a;\n");
    mistake(&services, &one);
    services
}

macro_rules! mistakes {
    ($($name:ident: [$($word:expr),*], $mistake:expr;)*) => {$(
        #[test]
        fn $name() {
            let services = with_mistake($mistake);
            assert_source_is_refused(services.path(), &[$($word),*], stringify!($name));
        }
    )*};
}

mistakes! {
    a_name_with_a_hyphen: ["one/migrations/V2__add-table.sql", "-"],
        |_, one| { one.file("migrations/V2__add-table.sql", "SELECT 1;"); };
    a_name_without_a_version: ["one/migrations/add_table.sql", "V1753250000000__initial_schema.sql"],
        |_, one| { one.file("migrations/add_table.sql", "SELECT 1;"); };
    one_underscore: ["one/migrations/V2_b.sql"],
        |_, one| { one.file("migrations/V2_b.sql", "SELECT 1;"); };
    a_version_with_a_point: ["one/migrations/V1.5__b.sql", "whole number"],
        |_, one| { one.file("migrations/V1.5__b.sql", "SELECT 1;"); };
    an_unversioned_file: ["one/migrations/U2__b.sql"],
        |_, one| { one.file("migrations/U2__b.sql", "SELECT 1;"); };
    another_ending: ["one/migrations/V2__b.txt", ".sql"],
        |_, one| { one.file("migrations/V2__b.txt", "SELECT 1;"); };
    a_folder_among_the_files: ["one/migrations/2026"],
        |_, one| { one.file("migrations/2026/V2__b.sql", "SELECT 1;"); };
    a_version_of_twenty_digits: ["one/migrations/V20260101120000123456__b.sql"],
        |_, one| { one.file("migrations/V20260101120000123456__b.sql", "SELECT 1;"); };
    a_version_twice: ["one/migrations/V1__a.sql", "one/migrations/V1__b.sql", "version 1"],
        |_, one| { one.file("migrations/V1__b.sql", "SELECT 1;"); };
    a_version_twice_with_a_zero: ["one/migrations/V1__a.sql", "one/migrations/V01__a.sql", "version 1"],
        |_, one| { one.file("migrations/V01__a.sql", "SELECT 1;"); };
    a_revert_without_a_migration: ["one/reverts/V2__b.sql"],
        |_, one| { one.file("reverts/V2__b.sql", "SELECT 1;"); };
    a_revert_of_another_name: ["one/reverts/V1__z.sql", "one/migrations/V1__a.sql"],
        |_, one| {
            std::fs::remove_file(one.path().join("reverts/V1__a.sql")).expect("removed");
            one.file("reverts/V1__z.sql", "SELECT 1;");
        };
    a_misnamed_revert: ["one/reverts/V1__a-b.sql"],
        |_, one| { one.file("reverts/V1__a-b.sql", "SELECT 1;"); };
    a_service_without_migrations_folder: ["two/migrations"],
        |services, _| {
            let two = services.service("two", &[]);
            std::fs::remove_dir(two.path().join("migrations")).expect("removed");
        };
    a_folder_without_service_toml: ["two/service.toml"],
        |services, _| {
            let two = services.service("two", &[]);
            std::fs::remove_file(two.path().join("service.toml")).expect("removed");
        };
    a_service_toml_that_is_none: ["one/service.toml:1"],
        |_, one| { one.file("service.toml", "name: one\n"); };
    an_unknown_key: ["one/service.toml:3", "depend_on"],
        |_, one| { one.file("service.toml", "name = \"one\"\ndatabase = \"x\"\ndepend_on = []\n"); };
    no_database: ["one/service.toml", "database"],
        |_, one| { one.file("service.toml", "name = \"one\"\n"); };
    an_empty_database: ["one/service.toml", "database"],
        |_, one| { one.file("service.toml", "name = \"one\"\ndatabase = \"\"\n"); };
    a_name_other_than_the_folder: ["one/service.toml", "other"],
        |_, one| { one.file("service.toml", "name = \"other\"\ndatabase = \"x\"\n"); };
    a_service_called_all: ["all/service.toml"],
        |services, _| { services.service("all", &[]); };
    an_unknown_dependency: ["two/service.toml", "three"],
        |services, _| { services.service("two", &["three"]); };
    a_service_that_depends_on_itself: ["two → two"],
        |services, _| { services.service("two", &["two"]); };
    a_cycle: ["two → ", "three → ", "four → "],
        |services, _| {
            services.service("two", &["four"]);
            services.service("three", &["two"]).migration(1, "a", "SELECT 1;");
            services.service("four", &["three", "one"]);
        };
    a_cycle_by_requires: ["two", "one", " → "],
        |services, one| {
            services.service("two", &["one"]).migration(1, "a", "SELECT 1;");
            one.migration(2, "b", "-- migration: requires two@1\nSELECT 1;");
        };
    a_migration_that_requires_itself: ["one@1"],
        |_, one| { one.migration(1, "a", "-- migration: requires one@1\nSELECT 1;"); };
    a_required_service_that_is_not_there: ["one/migrations/V2__b.sql", "three@1"],
        |_, one| { one.migration(2, "b", "-- migration: requires three@1\nSELECT 1;"); };
    a_required_version_that_is_not_there: ["one/migrations/V2__b.sql", "two@7"],
        |services, one| {
            services.service("two", &[]);
            one.migration(2, "b", "-- migration: requires two@7\nSELECT 1;");
        };
    two_services_on_one_database: ["two/service.toml", "db_one", "history_table"],
        |services, _| { services.service_with("two", &[], "database = \"db_one\"\n"); };
    an_unknown_directive: ["one/migrations/V2__b.sql:2", "no-transactions"],
        |_, one| { one.migration(2, "b", "-- b\n-- migration: no-transactions\nSELECT 1;"); };
    a_directive_behind_a_statement: ["one/migrations/V2__b.sql:2:3", "`-- migration: no-transaction`"],
        |_, one| { one.migration(2, "b", "SELECT 1;\n  -- migration: no-transaction\nSELECT 2;"); };
    a_misspelled_directive_in_a_revert: ["one/reverts/V1__a.sql:1:1", "`-- migration: lock-timeout 1s`"],
        |_, one| { one.file("reverts/V1__a.sql", "-- Migrations: lock-timeout 1s\nDROP TABLE a;"); };
    a_revert_of_what_is_irreversible: ["one/reverts/V1__a.sql", "irreversible"],
        |_, one| { one.migration(1, "a", "-- migration: irreversible \"gone\"\nSELECT 1;"); };
    a_nul_byte: ["one/migrations/V2__b.sql:2", "NUL"],
        |_, one| { one.file("migrations/V2__b.sql", b"SELECT 1;\nSELECT '\0';\n"); };
    a_file_that_is_no_utf_8: ["one/migrations/V2__b.sql", "UTF-8"],
        |_, one| { one.file("migrations/V2__b.sql", b"SELECT 'caf\xe9';\n"); };
    a_link_to_a_service_that_is_not_there: ["/two: ", "link"],
        |services, _| { symlink("nowhere", services.path().join("two")).expect("a link"); };
    a_pipe_in_the_place_of_a_service: ["/two: ", "FIFO"],
        |services, _| { fifo(&services.path().join("two")); };
    a_pipe_in_the_place_of_migrations: ["two/migrations: ", "FIFO"],
        |services, _| {
            let migrations = services.service("two", &[]).path().join("migrations");
            std::fs::remove_dir(&migrations).expect("removed");
            fifo(&migrations);
        };
    a_service_toml_that_links_to_nothing: ["two/service.toml: ", "link"],
        |services, _| {
            let toml = services.service("two", &[]).path().join("service.toml");
            std::fs::remove_file(&toml).expect("removed");
            symlink("nowhere", &toml).expect("a link");
        };
    reverts_that_link_to_nothing: ["two/reverts: ", "link"],
        |services, _| {
            let two = services.service("two", &[]);
            symlink("nowhere", two.path().join("reverts")).expect("a link");
        };
    a_pipe_as_a_migration: ["one/migrations/V2__b.sql: ", "FIFO"],
        |_, one| { fifo(&one.path().join("migrations/V2__b.sql")); };
    a_device_as_a_revert: ["one/reverts/V1__a.sql: ", "device"],
        |_, one| {
            std::fs::remove_file(one.path().join("reverts/V1__a.sql")).expect("removed");
            symlink("/dev/zero", one.path().join("reverts/V1__a.sql")).expect("a link");
        };
    a_migration_that_links_out_of_its_service: ["one/migrations/V2__b.sql: ", "link"],
        |services, one| {
            let other = services.service("two", &[]);
            other.migration(2, "b", "SELECT 1;");
            let target = other.path().join("migrations/V2__b.sql");
            symlink(target, one.path().join("migrations/V2__b.sql")).expect("a link");
        };
    a_migration_that_is_too_large: ["one/migrations/V2__b.sql: ", "ORCHESTRATOR_MAX_FILE_SIZE"],
        |_, one| {
            let file = one.file("migrations/V2__b.sql", "").path().join("migrations/V2__b.sql");
            let file = std::fs::File::options().write(true).open(file).expect("a file");
            file.set_len((64 << 20) + 1).expect("a hole");
        };
    a_service_toml_that_is_no_utf_8: ["one/service.toml", "UTF-8"],
        |_, one| { one.file("service.toml", b"name = \"on\xe9\"\n"); };
}

fn fifo(path: &Path) {
    nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).expect("a FIFO");
}

#[test]
fn files_of_editors_and_links_within_a_service_are_fine_and_the_limit_can_be_set() {
    let services = with_mistake(|services, one| {
        one.file("migrations/V2__b.sql~", "x")
            .file("migrations/.V2__b.sql.swp", "x")
            .file("migrations/V2__b.sql.swp", "x")
            .file("migrations/.#V2__b.sql", "x")
            .file("drafts/b.sql", "SELECT 1;");
        symlink("../drafts/b.sql", one.path().join("migrations/V3__c.sql")).expect("a link");
        fifo(&services.path().join(".hidden"));
    });
    let orchestrator = Program::named("orchestrator")
        .env("ORCHESTRATOR_SERVER_URL", "postgres://nobody@127.0.0.1:1")
        .arg("--services-dir")
        .arg(&services.path().display().to_string());
    orchestrator.expect(&["graph"], 0);
    for limit in ["5", "many"] {
        let outcome = Program::named("orchestrator")
            .env("ORCHESTRATOR_MAX_FILE_SIZE", limit)
            .arg("--services-dir")
            .arg(&services.path().display().to_string())
            .run(&["graph"]);
        assert_refused(&outcome, 2, &["ORCHESTRATOR_MAX_FILE_SIZE"], limit);
    }
}

#[test]
fn configuration_and_other_files_that_cannot_be_read_are_errors() {
    let server = Server::start();
    let services = with_mistake(|_, _| {});
    let project = tempfile::tempdir().expect("a folder");
    let at = |name: &str| project.path().join(name);
    std::fs::create_dir(at("config")).expect("a folder");
    fifo(&at("pipe"));
    symlink("nowhere", at("dangling")).expect("a link");
    std::fs::write(at("outside.toml"), "").expect("a file");
    let orchestrator = || {
        Program::orchestrator(&server)
            .services(&services)
            .current_dir(project.path())
    };
    let pipe = at("pipe").display().to_string();
    let dangling = at("dangling").display().to_string();
    let outside = tempfile::NamedTempFile::new().expect("a file");

    for path in [&pipe, &dangling] {
        for arguments in [
            &["--config", path, "status"][..],
            &["drift", "one", "--accept-drift", path],
            &["adopt", "one", "--accept-drift", path],
            &["restore", "one", "--from", path],
            &["history", "--verify", "--anchor", path],
        ] {
            let outcome = orchestrator().run(arguments);
            assert_refused(&outcome, 2, &[path], &format!("{arguments:?}"));
        }
        let url = format!("postgres://nobody@127.0.0.1:1/x?passfile={path}");
        let outcome = Program::named("orchestrator")
            .services(&services)
            .env("ONE_DATABASE_URL", &url)
            .run(&["status"]);
        let text = format!("{}{}", outcome.stdout, outcome.stderr);
        assert_eq!(outcome.code, 2, "{text}");
        assert!(text.contains(path.as_str()), "{text}");
    }
    for (name, target) in [
        ("default", "../dangling".as_ref()),
        ("default", outside.path()),
        ("production", "../pipe".as_ref()),
    ] {
        let file = at("config").join(format!("{name}.toml"));
        symlink(target, &file).expect("a link");
        let outcome = orchestrator()
            .run(&["--environment", name, "status"][usize::from(name == "default") * 2..]);
        std::fs::remove_file(&file).expect("removed");
        let path = format!("config/{name}.toml");
        assert_refused(&outcome, 2, &[&path], &format!("{target:?}"));
    }
    assert_eq!(server.databases(), Vec::<String>::new());
}

#[test]
fn a_services_folder_that_is_none() {
    let services = Services::new();
    let absent = services.path().join("absent");
    assert_source_is_refused(&absent, &["absent"], "absent");
    let path = services.path().display().to_string();
    assert_source_is_refused(services.path(), &[&path, "no service"], "empty");
}

#[test]
fn a_file_that_the_engine_cannot_run_is_refused_before_anything_is_written() {
    let server = Server::start();
    let cases = [
        ("COMMIT", "CREATE TABLE b (id int);\nCOMMIT;\n", "2:1"),
        (
            "COMMIT AND CHAIN",
            "CREATE TABLE b (id int);\n  COMMIT AND CHAIN;\n",
            "2:3",
        ),
        ("ROLLBACK", "CREATE TABLE b (id int);\nROLLBACK;\n", "2:1"),
        (
            "BEGIN",
            "BEGIN;\nCREATE TABLE b (id int);\nCOMMIT;\n",
            "1:1",
        ),
        (
            "START TRANSACTION",
            "START TRANSACTION;\nSELECT 1;\n",
            "1:1",
        ),
        ("END", "SELECT 1;\nEND;\n", "2:1"),
        ("ABORT", "SELECT 1;\nABORT;\n", "2:1"),
        (
            "PREPARE TRANSACTION",
            "SELECT 1;\nPREPARE TRANSACTION 'x';\n",
            "2:1",
        ),
        ("restrict", "\\restrict abc\nSELECT 1;\n", "1:1"),
        ("connect", "SELECT 1;\n\\connect other\n", "2:1"),
        (
            "COPY",
            "CREATE TABLE b (id int);\nCOPY b FROM stdin;\n1\n\\.\n",
            "2:1",
        ),
        (
            "COPY to the client",
            "SELECT 1;\n  COPY (SELECT 1) TO STDOUT WITH (FORMAT csv);\n",
            "2:3",
        ),
        (
            "other strings",
            "SELECT 1;\nSET standard_conforming_strings = off;\n",
            "2:1",
        ),
        (
            "other strings without a transaction",
            "-- migration: no-transaction\nSELECT set_config('standard_conforming_strings', 'off', false);\n",
            "2:1",
        ),
        ("open quote", "SELECT 1;\nSELECT 'open;\n", "2:8"),
        ("open comment", "SELECT 1;\n/* open\n", "2:1"),
        ("open dollar quote", "DO $$ BEGIN\n", "1:4"),
    ];
    for (what, sql, place) in cases {
        let services = with_mistake(|_, one| {
            one.migration(2, "b", sql);
        });
        let orchestrator = Program::orchestrator(&server).services(&services);
        let words = format!("one/migrations/V2__b.sql:{place}: ");
        for command in [&["all"][..], &["plan"], &["all", "--dry-run"]] {
            assert_refused(&orchestrator.run(command), 2, &[&words], what);
        }
        assert_eq!(server.databases(), Vec::<String>::new(), "{what}");
    }
}

#[test]
fn a_bad_file_beside_applied_ones_changes_nothing() {
    let server = Server::start();
    let services = with_mistake(|_, _| {});
    let orchestrator = Program::orchestrator(&server).services(&services);
    orchestrator.expect(&["all"], 0);
    let before = (server.schema("db_one"), server.applied("db_one"));
    let attempts = "SELECT count(*) FROM orchestrator.journal";

    let one = services.service("one", &[]);
    one.migration(2, "b", "CREATE TABLE b (id int);\n")
        .migration(3, "c", "COMMIT;\n");
    orchestrator.expect(&["all"], 2);
    one.migration(3, "c", "-- migration: requires nothing@1\n");
    orchestrator.expect(&["all"], 2);
    assert_eq!((server.schema("db_one"), server.applied("db_one")), before);
    assert_eq!(server.value("db_one", attempts), "1");
}

#[test]
fn a_bad_revert_is_refused_before_anything_is_undone() {
    let server = Server::start();
    let services = with_mistake(|_, one| {
        one.reversible(2, "b", "CREATE TABLE b (id int);\n", "DROP TABLE b;\n")
            .file("reverts/V1__a.sql", "DROP TABLE a;\nCOMMIT;\n");
    });
    let orchestrator = Program::orchestrator(&server).services(&services);
    orchestrator.expect(&["all"], 0);
    let outcome = orchestrator.run(&["revert", "one", "--all"]);
    assert_refused(
        &outcome,
        2,
        &["one/reverts/V1__a.sql:2:1"],
        "a COMMIT in a revert",
    );
    assert_eq!(server.applied("db_one"), [1, 2]);
}

#[test]
fn a_migration_without_a_revert_stays() {
    let server = Server::start();
    let services = with_mistake(|_, one| {
        one.migration(2, "b", "CREATE TABLE b (id int);\n");
    });
    let orchestrator = Program::orchestrator(&server).services(&services);
    orchestrator.expect(&["all"], 0);
    let outcome = orchestrator.expect(&["revert", "one"], 3);
    let text = outcome.stdout + &outcome.stderr;
    assert!(
        text.contains("reverts/V2__b.sql") || text.contains("no revert"),
        "{text}"
    );
    orchestrator.expect(&["revert", "one", "--all"], 3);
    assert_eq!(server.applied("db_one"), [1, 2]);
}

#[test]
fn a_revert_without_a_statement_counts_as_absent() {
    let server = Server::start();
    let services = with_mistake(|_, one| {
        one.file("reverts/V1__a.sql", "-- Undoes V1.\n/* later */ ;\n\n");
    });
    let orchestrator = Program::orchestrator(&server).services(&services);
    let plan = orchestrator.expect(&["plan", "--output", "json"], 0).json();
    assert_eq!(plan["steps"][0]["reversible"], false);
    orchestrator.expect(&["all"], 0);
    let status = orchestrator
        .expect(&["status", "--output", "json"], 0)
        .json();
    let migration = &status["services"][0]["migrations"][0];
    assert_eq!(migration["reversible"], false, "{status}");
    for command in [
        &["revert", "one"][..],
        &["revert", "one", "--all", "--dry-run"],
        &["revert", "all"],
    ] {
        orchestrator.expect(command, 3);
    }
    assert_eq!(server.applied("db_one"), [1]);
    // The revert that is written later counts.
    let one = services.service("one", &[]);
    one.file("reverts/V1__a.sql", "-- Undoes V1.\nDROP TABLE a;\n");
    orchestrator.expect(&["revert", "one"], 0);
    assert_eq!(server.applied("db_one"), Vec::<i64>::new());
    assert_eq!(server.value("db_one", "SELECT to_regclass('a')"), "");
}

#[test]
fn one_database_url_cannot_serve_many_services() {
    let server = Server::start();
    let url = server.url("postgres");
    let orchestrator = Program::named("orchestrator").env("DATABASE_URL", &url);
    for command in [
        &["all"][..],
        &["run", "auth", "client"],
        &["run", "client", "--with-dependencies"],
        &["status"],
        &["plan"],
        &["revert", "all"],
    ] {
        assert_refused(
            &orchestrator.run(command),
            2,
            &["DATABASE_URL"],
            &format!("{command:?}"),
        );
    }
    let flag = Program::named("orchestrator").run(&["all", "--database-url", &url]);
    assert_refused(&flag, 2, &["--database-url"], "flag");
    assert_eq!(server.databases(), Vec::<String>::new());
    let tables = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace";
    assert_eq!(server.value("postgres", tables), "0");
}

#[test]
fn a_url_that_is_none_is_named_without_its_password() {
    for url in [
        "mysql://u:secret@localhost/db",
        "postgres://u:secret@localhost:port/db",
        "postgres://u:secret@localhost/db?sslmode=perhaps",
        "localhost",
    ] {
        for variable in [
            "ORCHESTRATOR_SERVER_URL",
            "AUTH_DATABASE_URL",
            "DATABASE_URL",
        ] {
            let outcome = Program::named("orchestrator")
                .env(variable, url)
                .run(&["run", "auth"]);
            assert_refused(&outcome, 2, &[variable], url);
            assert!(!outcome.stderr.contains("secret"), "{}", outcome.stderr);
        }
    }
}

#[test]
fn production_assumes_no_server() {
    for variable in ["APP_ENV", "NODE_ENV"] {
        let orchestrator = Program::named("orchestrator").env(variable, "production");
        for command in [&["all"][..], &["status"], &["plan"], &["all", "--yes"]] {
            let outcome = orchestrator.run(command);
            assert_refused(&outcome, 2, &["production"], &format!("{command:?}"));
        }
        assert!(!orchestrator.folder().join(".local").exists());
    }
    let flag = Program::named("orchestrator").run(&["all", "--environment", "production"]);
    assert_refused(&flag, 2, &["production"], "--environment");
}

/// A misspelled production must never pass for development.
#[test]
fn an_environment_without_a_file_is_refused() {
    let orchestrator = Program::named("orchestrator");
    let config = orchestrator.folder().join("config");
    fs::create_dir(&config).expect("a folder");
    for name in ["default", "staging"] {
        fs::write(config.join(format!("{name}.toml")), "").expect("a file");
    }
    let service = |variable: &str, name: &str| {
        Program::named("policy-migrations")
            .current_dir(orchestrator.folder())
            .env(variable, name)
    };
    for name in ["prod", "Production", "Staging", "../x", " "] {
        let flag = orchestrator.run(&["status", "--environment", name]);
        assert_refused(&flag, 2, &["--environment"], name);
        assert_refused(
            &service("APP_ENV", name).run(&[] as &[&str]),
            2,
            &["APP_ENV"],
            name,
        );
    }
    for command in [&["all"][..], &["graph"], &["local", "status"]] {
        let outcome = orchestrator.run(&[command, &["--environment", "live"]].concat());
        assert_refused(&outcome, 2, &["production"], &format!("{command:?}"));
    }
    // Without a file for it in a folder of files, not even production is what it says.
    assert_refused(
        &service("APP_ENV", "production").run(&["status"]),
        2,
        &["production.toml"],
        "production",
    );
    for name in ["staging", "development", ""] {
        let outcome = Program::named("orchestrator")
            .current_dir(orchestrator.folder())
            .env("APP_ENV", name)
            .run(&["graph"]);
        assert_eq!(outcome.code, 0, "{name}: {}", outcome.stderr);
    }
}

#[test]
fn production_requires_a_confirmation() {
    let server = Server::start();
    let services = with_mistake(|_, _| {});
    let production = Program::orchestrator(&server)
        .env("APP_ENV", "production")
        .services(&services);
    server.create_database("db_one");
    let before = server.schema("db_one");
    assert_refused(&production.run(&["all"]), 3, &["production"], "all");
    assert_eq!(server.schema("db_one"), before);
    assert_eq!(
        server.value("db_one", "SELECT to_regnamespace('orchestrator')"),
        ""
    );
    for command in [&["status"][..], &["plan"], &["all", "--dry-run"]] {
        production.expect(command, 0);
    }
    production.expect(&["all", "--yes"], 0);
    assert_refused(
        &production.run(&["revert", "one"]),
        3,
        &["production"],
        "revert",
    );
    assert_eq!(server.applied("db_one"), [1]);
    production.expect(&["revert", "one", "--yes"], 0);
    assert_eq!(server.applied("db_one"), Vec::<i64>::new());
}

/// 127.1 is an address of this machine to the system, and the name of another one to us.
#[test]
fn production_is_spoken_to_over_tls() {
    let server = Server::start();
    let services = with_mistake(|_, _| {});
    server.create_database("db_one");
    let url = server.url("postgres").replace("127.0.0.1", "127.1");
    let production = |url: &str| {
        Program::named("orchestrator")
            .env("ORCHESTRATOR_SERVER_URL", url)
            .env("APP_ENV", "production")
            .services(&services)
    };
    let remote = production(&url);
    for arguments in [&["status"][..], &["all", "--yes"]] {
        let refused = remote.expect(arguments, 2);
        let refused = refused.stdout + &refused.stderr;
        assert!(refused.contains("require_tls"), "{arguments:?}: {refused}");
    }
    let plaintext = production(&format!("{url}?sslmode=disable"));
    assert_refused(
        &plaintext.run(&["plan"]),
        2,
        &["sslmode=disable", "require_tls"],
        "disable",
    );
    production(&server.url("postgres")).expect(&["status"], 0);

    let config = remote.folder().join("config");
    fs::create_dir(&config).expect("a folder");
    fs::write(
        config.join("production.toml"),
        "[production]\nrequire_tls = false\n",
    )
    .expect("a file");
    remote.expect(&["status"], 0);
    let unconfirmed = remote.expect(&["all"], 3);
    assert!(
        unconfirmed.stderr.contains("verify-full"),
        "{}",
        unconfirmed.stderr
    );
}

#[test]
fn production_creates_no_database() {
    let server = Server::start();
    let services = with_mistake(|_, _| {});
    let production = Program::orchestrator(&server)
        .env("APP_ENV", "production")
        .services(&services);
    for flags in [
        &["all", "--yes"][..],
        &["all", "--yes", "--create-databases"],
    ] {
        let outcome = production.run(flags);
        assert_ne!(outcome.code, 0, "{}", outcome.stdout);
        let text = outcome.stdout + &outcome.stderr;
        assert!(text.contains("db_one"), "{text}");
    }
    assert_eq!(server.databases(), Vec::<String>::new());
}

/// Whatever parses a file must neither crash on one that nests deeply, nor pass it in silence.
#[test]
fn a_file_that_nests_too_deeply_is_a_finding_and_no_crash() {
    let server = Server::start();
    let services = Services::new();
    let deep = |n: usize| format!("SELECT {}1{};\n", "(".repeat(n), ")".repeat(n));
    services
        .service("deep", &[])
        .reversible(1, "up", &deep(20_000), "SELECT 1;\n")
        .reversible(2, "down", "SELECT 1;\n", &deep(20_000));
    // As deep as it may be, in the way that takes the most stack.
    services
        .service("near", &[])
        .reversible(1, "up", &deep(2_400), "SELECT 1;\n");
    let program = Program::orchestrator(&server)
        .scratch_beside()
        .services(&services);
    let outcome = program.expect(&["check", "--no-rehearsal", "--output", "json"], 4);
    let found = outcome.json()["findings"].clone();
    let rules: Vec<_> = found
        .as_array()
        .expect("a list")
        .iter()
        .map(|it| &it["rule"])
        .collect();
    assert_eq!(rules, ["too-deep", "too-deep"]);
    assert_eq!(found[0]["line"], 1);
    // The server's own limit ends the rehearsal of the first.
    program.expect(&["rehearse", "deep"], 4);
    let program = Program::orchestrator(&server).services(&services);
    program.expect(&["plan"], 0);
    program.expect(&["run", "deep", "--dry-run"], 0);
    // The server has a limit of its own.
    program.expect(&["run", "deep"], 1);
}
