//! Tables that others wrote: whatever is in them, each command ends with an exit code of the contract and says in words
//! what it found.

use std::thread;

use tests::{Outcome, Program, Server, Services};

/// What somebody did to the tables of a database, and what comes of it.
struct Case {
    name: &'static str,
    sql: &'static str,
    /// The exit codes of `status` and `run`.
    codes: (i32, i32),
    /// What `status` says, in its JSON or as an error.
    says: &'static str,
}

const fn case(
    name: &'static str,
    codes: (i32, i32),
    says: &'static str,
    sql: &'static str,
) -> Case {
    Case {
        name,
        sql,
        codes,
        says,
    }
}

/// The commands that only look. `doctor` and `history --verify` may find something.
const LOOKING: &[&[&str]] = &[
    &["status"],
    &["plan"],
    &["history"],
    &["history", "--verify"],
    &["doctor"],
];

fn services() -> Services {
    let services = Services::new();
    services
        .service("shop", &[])
        .reversible(1, "one", "CREATE TABLE one (id int)", "DROP TABLE one")
        .reversible(
            2,
            "two",
            "-- migration: no-transaction\nCREATE TABLE two (id int);\nCREATE INDEX CONCURRENTLY two_id ON two (id);",
            "DROP TABLE two",
        )
        .reversible(3, "three", "CREATE TABLE three (id int)", "DROP TABLE three");
    services
}

/// A server with `base`, a database in which versions 1 and 2 are applied.
fn base(services: &Services) -> Server {
    let server = Server::start();
    on(&server, services, "base").expect(&["run", "shop", "--to", "2"], 0);
    server
}

fn on(server: &Server, services: &Services, database: &str) -> Program {
    Program::named("orchestrator")
        .services(services)
        .env("SHOP_DATABASE_URL", &server.url(database))
        .scratch_beside()
}

/// Runs every command on a copy of a database for each case; `also` on that of the first one only.
fn check(server: &Server, services: &Services, template: &str, also: &[&str], cases: &[Case]) {
    for case in cases {
        let database = database(case);
        server.copy_database(template, database);
    }
    thread::scope(|scope| {
        for (index, case) in cases.iter().enumerate() {
            let also = if index == 0 { also } else { &[] };
            scope.spawn(move || check_one(server, services, also, case));
        }
    });
}

fn database(case: &Case) -> String {
    case.name.replace([' ', ','], "_")
}

fn check_one(server: &Server, services: &Services, also: &[&str], case: &Case) {
    let database = database(case);
    server.query(&database, case.sql);
    let orchestrator = on(server, services, &database);
    for arguments in LOOKING
        .iter()
        .copied()
        .chain([also].into_iter().filter(|it| !it.is_empty()))
    {
        assert_spoken(case, arguments, &orchestrator.run(arguments));
    }
    let status = orchestrator.run(&["status", "--output", "json"]);
    assert_eq!(status.code, case.codes.0, "{}: {status:?}", case.name);
    let said = format!("{}{}", status.stdout, status.stderr);
    assert!(said.contains(case.says), "{}: {status:?}", case.name);
    let run = orchestrator.run(&["run", "shop"]);
    assert_spoken(case, &["run"], &run);
    assert_eq!(run.code, case.codes.1, "{}: {run:?}", case.name);
    let arguments = ["revert", "shop", "--all"];
    assert_spoken(case, &arguments, &orchestrator.run(&arguments));
}

/// A command never dies of what it reads: it ends with a code of the contract, and what is not done is explained.
#[track_caller]
fn assert_spoken(case: &Case, arguments: &[&str], outcome: &Outcome) {
    let name = case.name;
    let Outcome {
        code,
        stdout,
        stderr,
    } = outcome;
    assert!(
        !stderr.contains("panicked at") && !stdout.contains("panicked at"),
        "{name}: {arguments:?}: {stderr}"
    );
    assert!(
        matches!(code, 0 | 1 | 3 | 4 | 5),
        "{name}: {arguments:?} ended with {code}: {stdout}{stderr}"
    );
    if *code != 0 {
        assert!(
            !stdout.trim().is_empty() || !stderr.trim().is_empty(),
            "{name}: {arguments:?} ended with {code} and said nothing"
        );
    }
    let text = format!("{stdout}{stderr}");
    assert!(
        !text.contains('\u{1b}') && !text.contains('\u{7}'),
        "{name}: {arguments:?} passed on what a terminal would obey: {text:?}"
    );
}

#[test]
fn rows_of_refinery_that_others_wrote() {
    let services = services();
    let server = base(&services);
    check(
        &server,
        &services,
        "base",
        &["drift", "shop"],
        &[
            case(
                "negative versions",
                (0, 3),
                "-9223372036854775808",
                "INSERT INTO refinery_schema_history VALUES (-1, 'x', 'now', '1'), (-9223372036854775808, 'y', '', '')",
            ),
            case(
                "the largest version",
                (0, 3),
                "9223372036854775807",
                "INSERT INTO refinery_schema_history VALUES (9223372036854775807, 'x', NULL, NULL)",
            ),
            case(
                "nothing but a version",
                (0, 3),
                "divergent",
                "UPDATE refinery_schema_history SET name = NULL, applied_on = NULL, checksum = NULL",
            ),
            case(
                "garbage in the checksum",
                (0, 3),
                "divergent",
                "UPDATE refinery_schema_history SET checksum = \
                   CASE version WHEN 1 THEN 'not a number' ELSE '18446744073709551616' END",
            ),
            case(
                "garbage in the time",
                (0, 0),
                "applied",
                "UPDATE refinery_schema_history SET applied_on = 'yesterday, at about ü o''clock'",
            ),
            case(
                "words for a terminal",
                (0, 3),
                "missing",
                "INSERT INTO refinery_schema_history VALUES (9, E'a\\x1b[31m\\nb\\x07', E'\\x1b]0;x\\x07', '1')",
            ),
            case(
                "the longest names",
                (0, 3),
                "missing",
                "INSERT INTO refinery_schema_history SELECT 100 + i, repeat('ü', 255), repeat('9', 255), repeat('1', 255) \
                 FROM generate_series(1, 20) i",
            ),
        ],
    );
}

#[test]
fn history_tables_of_another_form() {
    let services = services();
    let server = base(&services);
    check(
        &server,
        &services,
        "base",
        &["drift", "shop"],
        &[
            case(
                "versions of four bytes",
                (0, 0),
                "applied",
                "ALTER TABLE refinery_schema_history ALTER version TYPE int4",
            ),
            case(
                "versions as text",
                (0, 0),
                "applied",
                "ALTER TABLE refinery_schema_history ALTER version TYPE text",
            ),
            case(
                "a version that is a word",
                (1, 1),
                "cannot read the history",
                "ALTER TABLE refinery_schema_history ALTER version TYPE text; \
                 INSERT INTO refinery_schema_history VALUES ('first', 'x', '', '')",
            ),
            case(
                "a row without a version",
                (0, 0),
                "without a version",
                "ALTER TABLE refinery_schema_history DROP CONSTRAINT refinery_schema_history_pkey; \
                 ALTER TABLE refinery_schema_history ALTER version DROP NOT NULL; \
                 INSERT INTO refinery_schema_history VALUES (NULL, 'x', '', '1')",
            ),
            case(
                "the same row twice",
                (0, 0),
                "applied",
                "ALTER TABLE refinery_schema_history DROP CONSTRAINT refinery_schema_history_pkey; \
                 INSERT INTO refinery_schema_history SELECT * FROM refinery_schema_history",
            ),
            case(
                "two rows that disagree",
                (0, 3),
                "divergent",
                "ALTER TABLE refinery_schema_history DROP CONSTRAINT refinery_schema_history_pkey; \
                 INSERT INTO refinery_schema_history VALUES (1, 'one', '', '1'), (7, 'x', '', '1'), (7, 'x', '', '1')",
            ),
            case(
                "times as times, and one more column",
                (0, 1),
                "applied",
                "ALTER TABLE refinery_schema_history ADD COLUMN who text DEFAULT 'me', ALTER applied_on TYPE timestamptz USING applied_on::timestamptz, \
                   ALTER checksum TYPE numeric USING checksum::numeric",
            ),
            case(
                "a column that must have a value",
                (0, 1),
                "applied",
                "ALTER TABLE refinery_schema_history ADD COLUMN who text NOT NULL DEFAULT 'x'; \
                 ALTER TABLE refinery_schema_history ALTER who DROP DEFAULT",
            ),
            case(
                "no column for the checksum",
                (1, 1),
                "cannot read the history",
                "ALTER TABLE refinery_schema_history DROP COLUMN checksum",
            ),
            case(
                "a view instead of a table",
                (3, 3),
                "it is a view",
                "ALTER TABLE refinery_schema_history RENAME TO history; \
                 CREATE VIEW refinery_schema_history AS SELECT * FROM history UNION ALL SELECT * FROM history WHERE false",
            ),
        ],
    );
}

#[test]
fn rows_of_the_journal_that_others_wrote() {
    let services = services();
    let server = base(&services);
    check(
        &server,
        &services,
        "base",
        &["drift", "shop"],
        &[
            case(
                "words that nobody wrote",
                (0, 0),
                "applied",
                "UPDATE orchestrator.journal SET outcome = 'perhaps', direction = 'sideways', checksum = 'x', sqlstate = ''",
            ),
            case(
                "numbers below zero",
                (0, 3),
                "applied",
                "UPDATE orchestrator.journal SET duration_ms = -9223372036854775808, attempts = -2147483648, \
                   statements_done = -1, statements = -2147483648, version = -version",
            ),
            case(
                "times without end",
                (0, 0),
                "applied",
                "UPDATE orchestrator.journal SET started_at = 'infinity' WHERE version = 1; \
                 UPDATE orchestrator.journal SET started_at = '-infinity' WHERE version = 2",
            ),
            case(
                "nothing where something must be",
                (0, 0),
                "applied",
                "DO $$ DECLARE c text; BEGIN FOR c IN SELECT attname FROM pg_attribute WHERE attrelid = \
                   'orchestrator.journal'::regclass AND attnum > 0 AND attnotnull AND attname NOT IN ('id', 'service') \
                   LOOP EXECUTE format('ALTER TABLE orchestrator.journal ALTER %I DROP NOT NULL', c); \
                   EXECUTE format('UPDATE orchestrator.journal SET %I = NULL', c); END LOOP; END $$",
            ),
            case(
                "columns of other types",
                (0, 0),
                "applied",
                "ALTER TABLE orchestrator.journal ALTER version TYPE numeric, ALTER name TYPE varchar(9), \
                   ALTER duration_ms TYPE float8, ALTER attempts TYPE text, ALTER run_id TYPE text, \
                   ALTER outcome TYPE name, ALTER started_at TYPE timestamp",
            ),
            case(
                "ids below zero",
                (0, 0),
                "applied",
                "UPDATE orchestrator.journal SET id = -id, previous_hash = NULL, hash = ''",
            ),
            case(
                "the largest id",
                (0, 1),
                "applied",
                "UPDATE orchestrator.journal SET id = 9223372036854775807 WHERE version = 2",
            ),
            case(
                "no column for the time",
                (0, 1),
                "applied",
                "ALTER TABLE orchestrator.journal DROP COLUMN started_at",
            ),
        ],
    );
}

#[test]
fn rows_of_progress_that_others_wrote() {
    const ROW: &str = "INSERT INTO orchestrator.progress (service, version, direction, statement, statements, checksum, \
        state, note, run_id)";
    let services = services();
    let server = base(&services);
    let rows = |rows: &str| -> &'static str { format!("{ROW} {rows}").leak() };
    check(
        &server,
        &services,
        "base",
        &["drift", "shop"],
        &[
            case(
                "statements that there are not",
                (0, 3),
                "interrupted",
                rows(
                    "VALUES ('shop', 3, 'up', -7, -2147483648, 'x', 'done', NULL, gen_random_uuid()), \
                      ('shop', 3, 'up', 2147483647, 1, 'x', 'intent', 'a,b,,', gen_random_uuid())",
                ),
            ),
            case(
                "a version that there is not",
                (0, 3),
                "applied",
                rows("VALUES ('shop', -5, 'up', 1, 2, '1', 'done', NULL, gen_random_uuid())"),
            ),
            case(
                "both directions at once",
                (0, 3),
                "interrupted",
                rows(
                    "VALUES ('shop', 2, 'down', 1, 2, '1', 'done', NULL, gen_random_uuid()), \
                      ('shop', 2, 'up', 1, 2, '1', 'done', NULL, gen_random_uuid())",
                ),
            ),
            case(
                "words that nobody wrote there",
                (0, 3),
                "interrupted",
                "INSERT INTO orchestrator.progress VALUES ('shop', 3, 'sideways', 1, 1, '', 'perhaps', NULL, gen_random_uuid())",
            ),
            case(
                "nothing but a service",
                (0, 3),
                "applied",
                "DO $$ DECLARE c text; BEGIN ALTER TABLE orchestrator.progress DROP CONSTRAINT progress_pkey; \
                   FOR c IN SELECT attname FROM pg_attribute WHERE attrelid = 'orchestrator.progress'::regclass \
                     AND attnum > 0 AND attnotnull AND attname <> 'service' \
                   LOOP EXECUTE format('ALTER TABLE orchestrator.progress ALTER %I DROP NOT NULL', c); END LOOP; END $$; \
                 INSERT INTO orchestrator.progress (service) VALUES ('shop')",
            ),
            case(
                "another table of that name",
                (1, 1),
                "cannot read the history",
                "DROP TABLE orchestrator.progress; CREATE TABLE orchestrator.progress (percent numeric)",
            ),
        ],
    );
}

#[test]
fn rows_of_the_former_tool() {
    let services = services();
    let server = Server::start();
    server.create_database("legacy");
    server.query(
        "legacy",
        "CREATE TABLE migrations (id serial PRIMARY KEY, \"timestamp\" bigint, name varchar)",
    );
    check(
        &server,
        &services,
        "legacy",
        &["adopt", "shop", "--dry-run"],
        &[
            case(
                "rows of nothing",
                (0, 0),
                "pending",
                "INSERT INTO migrations (\"timestamp\", name) VALUES (NULL, NULL), (-1, ''), (9223372036854775807, E'\\x1b[0m')",
            ),
            case(
                "rows of ours and of nothing",
                (0, 3),
                "pending",
                "INSERT INTO migrations (\"timestamp\", name) VALUES (1, 'One1'), (1, 'One1'), (2, NULL), (NULL, 'Two2')",
            ),
            case(
                "ids that are not there",
                (0, 3),
                "pending",
                "ALTER TABLE migrations DROP CONSTRAINT migrations_pkey; ALTER TABLE migrations ALTER id DROP NOT NULL; \
                 INSERT INTO migrations VALUES (NULL, 1, 'One1'), (-5, 2, repeat('Two2', 100))",
            ),
            case(
                "a table of the application",
                (0, 0),
                "pending",
                "DROP TABLE migrations; CREATE TABLE migrations (id text, \"timestamp\" timestamptz, name jsonb); \
                 INSERT INTO migrations VALUES ('x', now(), '{}')",
            ),
        ],
    );
}

#[test]
fn text_that_is_no_utf_8() {
    let services = services();
    let server = Server::start();
    server.query(
        "postgres",
        "CREATE DATABASE bytes ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0",
    );
    on(&server, &services, "bytes").expect(&["run", "shop", "--to", "2"], 0);
    check(
        &server,
        &services,
        "bytes",
        &["drift", "shop"],
        &[
            case(
                "latin 1 in the history",
                (1, 1),
                "cannot read the history",
                "UPDATE refinery_schema_history SET name = E'gr\\xf6\\xdfe' WHERE version = 1",
            ),
            case(
                "latin 1 in the journal",
                (0, 0),
                "applied",
                "UPDATE orchestrator.journal SET message = E'gr\\xf6\\xdfe', name = E'\\xff'",
            ),
            case(
                "latin 1 of the previous tool",
                (1, 1),
                "cannot read the previous tool's history",
                "DROP TABLE refinery_schema_history; DROP SCHEMA orchestrator CASCADE; \
                 CREATE TABLE migrations (id serial, \"timestamp\" bigint, name varchar); \
                 INSERT INTO migrations (\"timestamp\", name) VALUES (1, E'\\xff')",
            ),
        ],
    );
}
