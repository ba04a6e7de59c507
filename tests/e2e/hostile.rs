//! A database in which somebody else has planted code under the names that our statements use: none of it is called.

use std::collections::BTreeSet;
use std::path::Path;

use tests::{Program, Server, Services};

/// What the server writes into its log when planted code is called: that outlives a rollback, and can be done in a read-only
/// transaction.
const CALLED: &str = "PLANTED CODE WAS CALLED";

/// Every command that speaks to a database, in an order in which each has something to do. The files use no operator, and no function.
const COMMANDS: &[&[&str]] = &[
    &["status"],
    &["plan"],
    &["run", "one", "--to", "2"],
    &["run", "all"],
    &["status"],
    &["history"],
    &["history", "--verify"],
    &["doctor"],
    &["drift"],
    &["check"],
    &["schema", "diff", "one"],
    &["generate", "one", "Next", "--dry-run"],
    &["rehearse", "one"],
    &["revert", "two"],
    &["revert", "one"],
    &["all", "--atomic"],
    &["adopt", "one"],
    &["adopt", "one", "--undo"],
    &["backup", "all", "--backup-folder", "BACKUPS"],
    &[
        "restore",
        "one",
        "--from",
        "latest",
        "--backup-folder",
        "BACKUPS",
    ],
    &["revert", "all", "--all"],
    &["run", "all", "--backup", "--backup-folder", "BACKUPS"],
    &["doctor"],
    &["status", "--exit-code"],
];

fn services() -> Services {
    let services = Services::new();
    services
        .service("one", &[])
        .reversible(1, "one", "CREATE TABLE first (id int)", "DROP TABLE first")
        .reversible(
            2,
            "two",
            "-- migration: no-transaction\nCREATE INDEX CONCURRENTLY first_id ON first (id);",
            "-- migration: no-transaction\nDROP INDEX CONCURRENTLY first_id;",
        )
        .reversible(
            3,
            "three",
            "CREATE TABLE third (id int)",
            "DROP TABLE third",
        )
        .file("schema.sql", "CREATE TABLE first (id int);\nCREATE INDEX first_id ON first (id);\nCREATE TABLE third (id bigint, note text);\n");
    services.service("two", &["one"]).reversible(
        1,
        "one",
        "-- migration: requires one@3\nCREATE TABLE other (id int)",
        "DROP TABLE other",
    );
    services
}

/// Runs every command. Gives the exit codes.
fn run_all(server: &Server, services: &Services, backups: &Path) -> Vec<(String, i32, String)> {
    let backups = backups.to_str().expect("a path");
    COMMANDS
        .iter()
        .map(|command| {
            let arguments: Vec<&str> = command
                .iter()
                .map(|argument| {
                    if *argument == "BACKUPS" {
                        backups
                    } else {
                        argument
                    }
                })
                .collect();
            let outcome = Program::orchestrator(server)
                .services(services)
                .scratch_beside()
                .run(&arguments);
            (
                command.join(" "),
                outcome.code,
                outcome.stdout + &outcome.stderr,
            )
        })
        .collect()
}

/// The functions and the operators in what a server was asked, as its log has it.
fn used(log: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut functions, mut operators) = (BTreeSet::new(), BTreeSet::new());
    let mut asked = false;
    for line in log.lines() {
        // A statement goes on in lines that begin with a tabulator.
        if !line.starts_with('\t') {
            asked = line.contains("LOG:  statement: ") || line.contains("LOG:  execute ");
        }
        if !asked {
            continue;
        }
        let mut word = String::new();
        let mut symbol = String::new();
        for character in line.chars().chain([' ']) {
            if character.is_ascii_alphanumeric() || character == '_' {
                word.push(character);
            } else {
                if character == '(' && !word.is_empty() {
                    functions.insert(word.to_lowercase());
                }
                word.clear();
            }
            if "+-*/<>=~!@#%^&|`?".contains(character) {
                symbol.push(character);
            } else if !symbol.is_empty() {
                operators.insert(std::mem::take(&mut symbol));
            }
        }
    }
    (functions, operators)
}

/// Plants, in a schema, whatever of these names the system has, with the same types, and further ones that fit better.
fn plant(
    server: &Server,
    database: &str,
    schema: &str,
    used: &(BTreeSet<String>, BTreeSet<String>),
) -> usize {
    let list = |names: &BTreeSet<String>| {
        let quoted: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
        format!("ARRAY[{}]::text[]", quoted.join(", "))
    };
    let (functions, operators) = (list(&used.0), list(&used.1));
    let sql = format!(
        r#"
CREATE TEMP TABLE planted (what text);
DO $plant$
DECLARE
    f record;
    body text := $body$BEGIN RAISE LOG '{CALLED}: %', TG_ARGV_NAME; RETURN NULL; END$body$;
BEGIN
    FOR f IN
        SELECT p.proname AS name, pg_get_function_identity_arguments(p.oid) AS arguments,
            CASE WHEN p.proretset THEN 'SETOF ' ELSE '' END || format_type(p.prorettype, NULL) AS result
        FROM pg_proc p WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f' AND p.proname = ANY ({functions})
    LOOP
        BEGIN
            EXECUTE format('CREATE FUNCTION {schema}.%I(%s) RETURNS %s LANGUAGE plpgsql AS %L', f.name, f.arguments, f.result,
                replace(replace(body, 'TG_ARGV_NAME', quote_literal(f.name)), 'RETURN NULL', CASE WHEN f.result LIKE 'SETOF%' THEN 'RETURN' ELSE 'RETURN NULL' END));
            INSERT INTO planted VALUES (f.name);
        EXCEPTION WHEN OTHERS THEN NULL;
        END;
    END LOOP;
    FOR f IN
        WITH operators AS (
            SELECT * FROM pg_operator
            WHERE oprnamespace = 'pg_catalog'::regnamespace AND oprname = ANY ({operators}) AND oprkind = 'b'
        ), types AS (
            SELECT oid FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace
                AND typname IN ('oid', 'regclass', 'regtype', 'regnamespace', 'name', 'text', 'char', 'varchar')
        ), fitting AS (
            SELECT oprname, oprleft AS l, oprright AS r, oprresult FROM operators
            UNION SELECT oprname, l.oid, r.oid, oprresult FROM operators, types l, types r WHERE oprresult = 'bool'::regtype
        )
        SELECT oprname AS name, format_type(l, NULL) AS l, format_type(r, NULL) AS r, format_type(oprresult, NULL) AS result FROM fitting
    LOOP
        BEGIN
            EXECUTE format('CREATE FUNCTION {schema}.%I(a %s, b %s) RETURNS %s LANGUAGE plpgsql AS %L', 'planted_' || md5(f.name || f.result), f.l, f.r, f.result,
                replace(body, 'TG_ARGV_NAME', quote_literal(f.l || ' ' || f.name || ' ' || f.r)));
            EXECUTE format('CREATE OPERATOR {schema}.%s (FUNCTION = {schema}.%I, LEFTARG = %s, RIGHTARG = %s)', f.name, 'planted_' || md5(f.name || f.result), f.l, f.r);
            INSERT INTO planted VALUES (f.name);
        EXCEPTION WHEN OTHERS THEN NULL;
        END;
    END LOOP;
END $plant$;
SELECT count(*) FROM planted"#
    );
    server.value(database, &sql).parse().expect("a number")
}

#[test]
fn planted_operators_and_functions_are_not_called() {
    let clean = Server::with(&[
        ("log_statement", "all"),
        ("max_prepared_transactions", "10"),
    ]);
    let services = services();
    let backups = tempfile::tempdir().expect("a folder");
    for service in ["one", "two"] {
        clean.query("postgres", &format!("CREATE DATABASE db_{service}"));
    }
    let expected = run_all(&clean, &services, backups.path());
    let log = clean.cluster().log().expect("the log");
    let used = used(&log);
    assert!(
        used.0.len() > 40 && used.1.len() > 10,
        "the list is not that of our statements: {used:?}"
    );

    let server = Server::with(&[
        ("log_min_messages", "log"),
        ("max_prepared_transactions", "10"),
    ]);
    // In the schema that the database puts first, and in the one that most search paths have.
    for (service, schema) in [("one", "evil"), ("two", "public")] {
        let database = format!("db_{service}");
        server.create_database(&database);
        server.query(&database, "CREATE SCHEMA evil");
        let planted = plant(&server, &database, schema, &used);
        assert!(planted > 250, "{planted} were planted");
        server.query(
            &database,
            &format!("ALTER DATABASE {database} SET search_path = evil, public, pg_catalog"),
        );
    }
    // Whoever looks names up as the database says calls it.
    server.query("db_one", "SELECT 'a'::name = 'b'::name");
    let log = server.cluster().log().expect("the log");
    assert!(log.contains(CALLED), "what is planted is not found");
    let before = server.cluster().log().expect("the log").len();
    let backups = tempfile::tempdir().expect("a folder");
    let found = run_all(&server, &services, backups.path());
    let log = server.cluster().log().expect("the log");
    let called: Vec<&str> = log[before..]
        .lines()
        .filter(|line| line.contains(CALLED))
        .take(20)
        .collect();
    assert!(called.is_empty(), "{called:#?}");
    for ((command, code, _), (_, found, said)) in expected.iter().zip(&found) {
        // What is planted is drift, and may be a finding.
        assert!(
            found == code || matches!(found, 3 | 4),
            "{command}: {found} instead of {code}: {said}"
        );
    }
}
