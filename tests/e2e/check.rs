//! `check` holds migrations and reverts to the rules: what leads to exit code 4, what a migration allows, what the configuration says.

use std::fs;

use lint::rules::RULES;
use serde_json::{Value, json};
use tests::{Outcome, Program, Services};

fn orchestrator(services: &Services) -> Program {
    Program::named("orchestrator").services(services)
}

/// A service with one table and no fault.
fn shop(services: &Services) -> tests::ServiceFolder {
    let service = services.service("shop", &[]);
    service.reversible(
        1,
        "orders",
        "CREATE TABLE orders (id uuid PRIMARY KEY, customer text);\n",
        "DROP TABLE orders;\n",
    );
    service
}

/// The rules that are broken, of those which are named; what is allowed left out.
fn broken(outcome: &Outcome, wanted: &[&str]) -> Vec<String> {
    let findings = outcome.json()["findings"]
        .as_array()
        .expect("a list")
        .clone();
    findings
        .iter()
        .filter(|finding| finding["allowed"].is_null())
        .filter_map(|finding| finding["rule"].as_str())
        .filter(|rule| wanted.contains(rule))
        .map(str::to_owned)
        .collect()
}

/// The rules on load and on running programs that are broken; those of the guide have tests of their own.
fn of_load(outcome: &Outcome) -> Vec<String> {
    let rules: Vec<&str> = RULES[2].iter().map(|rule| rule.slug).collect();
    broken(outcome, &rules)
}

fn check(services: &Services, code: i32) -> Outcome {
    orchestrator(services).expect(&["check", "--no-rehearsal", "--output", "json"], code)
}

#[test]
fn without_a_fault_the_exit_code_is_0() {
    let services = Services::new();
    shop(&services);
    let outcome = orchestrator(&services).expect(&["check", "--no-rehearsal"], 0);
    assert_eq!(
        outcome.stdout,
        "1 migration of 1 service checked: nothing found\n"
    );
    let report = check(&services, 0).json();
    assert_eq!(
        report,
        json!({"schema": 1, "findings": [], "rehearsed": [], "left_out": [], "failed": [],
               "summary": {"services": 1, "migrations": 1, "errors": 0, "warnings": 0, "allowed": 0,
                           "rehearsed": 0, "proven": 0}})
    );
}

#[test]
fn an_error_is_exit_code_4_and_a_warning_is_not() {
    let services = Services::new();
    let service = shop(&services);
    service.reversible(
        2,
        "moment",
        "ALTER TABLE orders ADD COLUMN placed timestamp;\n",
        "ALTER TABLE orders DROP COLUMN placed;\n",
    );
    let outcome = check(&services, 0);
    assert_eq!(broken(&outcome, &["timestamp-without-zone"]).len(), 1);
    service.reversible(
        3,
        "gone",
        "ALTER TABLE orders DROP COLUMN customer;\n",
        "ALTER TABLE orders ADD COLUMN customer text;\n",
    );
    let outcome = check(&services, 4);
    assert_eq!(broken(&outcome, &["drop-column"]).len(), 1);
}

#[test]
fn a_reason_in_the_migration_or_in_its_revert_allows_a_finding() {
    for in_revert in [false, true] {
        let services = Services::new();
        let directive = "-- migration: allow drop-column \"not used since 4.2\"\n";
        let (up, down) = if in_revert {
            ("", directive)
        } else {
            (directive, "")
        };
        shop(&services).reversible(
            2,
            "gone",
            &format!("{up}ALTER TABLE orders DROP COLUMN customer;\n"),
            &format!("{down}ALTER TABLE orders ADD COLUMN customer text;\n"),
        );
        let report = check(&services, 0).json();
        assert_eq!(report["summary"]["allowed"], 1, "{report}");
        assert_eq!(report["findings"][0]["allowed"], "not used since 4.2");
        let said = orchestrator(&services)
            .expect(&["check", "--no-rehearsal"], 0)
            .stdout;
        assert_eq!(
            said,
            "2 migrations of 1 service checked: nothing found, 1 allowed\n"
        );
        let said = orchestrator(&services)
            .expect(&["check", "--no-rehearsal", "-v"], 0)
            .stdout;
        assert!(said.contains("allowed: not used since 4.2"), "{said}");
    }
}

#[test]
fn the_spot_is_underlined_with_the_reason_and_the_safe_form() {
    let services = Services::new();
    shop(&services).reversible(
        2,
        "index",
        "-- Customers are looked up by name.\n\nCREATE INDEX \"IDX_orders_customer\"\n    ON orders (customer);\n",
        "DROP INDEX \"IDX_orders_customer\";\n",
    );
    let outcome = orchestrator(&services).expect(&["check", "--no-rehearsal", "-q"], 4);
    let said = outcome
        .stdout
        .replace(&services.path().display().to_string(), "services");
    insta::assert_snapshot!(said);
}

#[test]
fn the_severity_of_a_rule_is_configured_per_environment() {
    let services = Services::new();
    shop(&services).reversible(
        2,
        "gone",
        "ALTER TABLE orders DROP COLUMN customer;\n",
        "ALTER TABLE orders ADD COLUMN customer text;\n",
    );
    let program = orchestrator(&services);
    let config = program.folder().join("config");
    fs::create_dir_all(&config).expect("a folder");
    let write = |name: &str, text: &str| fs::write(config.join(name), text).expect("a file");
    write("default.toml", "[check.rules]\ndrop-column = \"warning\"\n");
    write("strict.toml", "[check.rules]\ndrop-column = \"error\"\n");
    write("off.toml", "[check.rules]\ndrop-column = \"off\"\n");
    let severity = |environment: Option<&str>, code| -> Value {
        let mut arguments = vec!["check", "--no-rehearsal", "--output", "json"];
        arguments.extend(environment.iter().flat_map(|name| ["--environment", name]));
        let report = program.expect(&arguments, code).json();
        let findings = report["findings"].as_array().expect("a list").clone();
        findings
            .iter()
            .find(|finding| finding["rule"] == "drop-column")
            .map_or(Value::Null, |finding| finding["severity"].clone())
    };
    assert_eq!(severity(None, 0), "warning");
    assert_eq!(severity(Some("strict"), 4), "error");
    assert_eq!(severity(Some("off"), 0), Value::Null);
}

#[test]
fn a_configuration_that_makes_no_sense_is_refused_with_file_and_key() {
    let services = Services::new();
    shop(&services);
    let program = orchestrator(&services);
    let config = program.folder().join("config");
    fs::create_dir_all(&config).expect("a folder");
    for (text, words) in [
        (
            "[check.rules]\ndrop-colum = \"off\"\n",
            ["check.rules.drop-colum", "did you mean drop-column?"],
        ),
        (
            "[check.rules]\ndrop-column = \"fatal\"\n",
            ["check.rules.drop-column", "off, warning or error"],
        ),
        ("[check]\npostgres = 13\n", ["check.postgres", "from 14"]),
        ("[check]\npostgres = \"x\"\n", ["check.postgres", "from 14"]),
        ("[check]\nrule = 1\n", ["check.rule", "postgres, rules"]),
    ] {
        fs::write(config.join("default.toml"), text).expect("a file");
        let outcome = program.expect(&["check", "--no-rehearsal"], 2);
        assert!(outcome.stdout.is_empty(), "{}", outcome.stdout);
        for word in words.into_iter().chain(["config/default.toml"]) {
            assert!(outcome.stderr.contains(word), "{word}: {}", outcome.stderr);
        }
    }
}

#[test]
fn an_unknown_service_is_named_with_those_that_exist() {
    let services = Services::new();
    shop(&services);
    let outcome = orchestrator(&services).expect(&["check", "shpo"], 2);
    assert!(
        outcome.stderr.contains("shpo") && outcome.stderr.contains("shop"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn comments_for_squawk_allow_nothing() {
    let services = Services::new();
    shop(&services).reversible(
        2,
        "gone",
        "-- squawk-ignore-file ban-drop-column\n-- squawk-ignore ban-drop-column\nALTER TABLE orders DROP COLUMN customer;\n",
        "ALTER TABLE orders ADD COLUMN customer text;\n",
    );
    assert_eq!(broken(&check(&services, 4), &["drop-column"]).len(), 1);
}

#[test]
fn a_table_that_the_migration_makes_is_nobodys_yet() {
    let services = Services::new();
    let made = [
        "CREATE TABLE fresh (id uuid, total int);",
        "CREATE TABLE IF NOT EXISTS fresh (id uuid, total int);",
        "CREATE TABLE public.fresh AS SELECT gen_random_uuid() AS id, 1 AS total;",
        "SELECT gen_random_uuid() AS id, 1 AS total INTO fresh;",
        "CREATE TABLE \"fresh\" (LIKE orders); ALTER TABLE fresh ADD COLUMN total int;",
        "CREATE TABLE staging (id uuid, total int); ALTER TABLE staging RENAME TO fresh;",
    ];
    let service = shop(&services);
    for (number, sql) in (2_i64..).zip(made) {
        service.reversible(
            number,
            "made",
            &format!(
                "{sql}\nCREATE INDEX \"IDX_fresh\" ON fresh (total);\n\
                 ALTER TABLE fresh ADD CONSTRAINT positive CHECK (total > 0), ALTER COLUMN total TYPE bigint;\n\
                 DROP INDEX \"IDX_fresh\";\nALTER TABLE fresh DROP COLUMN total;\nDROP TABLE fresh;\n"
            ),
            "SELECT 1;\n",
        );
    }
    let outcome = orchestrator(&services).run(&["check", "--no-rehearsal", "--output", "json"]);
    assert_eq!(of_load(&outcome), Vec::<String>::new());
}

#[test]
fn a_table_that_stood_is_somebodys_however_it_is_called() {
    let services = Services::new();
    let service = shop(&services);
    let found = [
        "CREATE TABLE IF NOT EXISTS orders (id uuid);",
        "ALTER TABLE orders RENAME TO fresh; CREATE TABLE orders_new (id uuid);",
        "DROP TABLE orders; CREATE TABLE orders (id uuid);",
        "TRUNCATE orders;",
    ];
    for (number, sql) in (2_i64..).zip(found) {
        service.reversible(number, "stood", sql, "SELECT 1;\n");
    }
    service.reversible(
        9,
        "index",
        "CREATE TABLE IF NOT EXISTS orders (id uuid);\nCREATE INDEX i ON public.\"orders\" (id);\n",
        "DROP TABLE orders;\n",
    );
    let outcome = check(&services, 4);
    assert_eq!(
        broken(
            &outcome,
            &["index-not-concurrent", "drop-table", "table-rename"]
        ),
        [
            "table-rename",
            "drop-table",
            "index-not-concurrent",
            "drop-table"
        ]
    );
}

#[test]
fn a_revert_takes_back_what_its_migration_made() {
    let services = Services::new();
    shop(&services).reversible(
        2,
        "more",
        "CREATE TABLE lines (id uuid);\nALTER TABLE orders ADD COLUMN buyer text;\n\
         CREATE VIEW buyers AS SELECT buyer FROM orders;\nCREATE TYPE state AS ENUM ('new');\n",
        "DROP TYPE state;\nDROP VIEW buyers;\nALTER TABLE orders DROP COLUMN buyer;\nDROP TABLE lines;\n",
    );
    let outcome = orchestrator(&services).run(&["check", "--no-rehearsal", "--output", "json"]);
    assert_eq!(of_load(&outcome), Vec::<String>::new());
}

#[test]
fn of_many_warnings_alike_the_first_is_shown_and_the_others_are_counted() {
    let services = Services::new();
    shop(&services).reversible(
        2,
        "moments",
        "ALTER TABLE orders ADD COLUMN placed timestamp, ADD COLUMN paid timestamp, ADD COLUMN sent timestamp;\n",
        "ALTER TABLE orders DROP COLUMN sent, DROP COLUMN paid, DROP COLUMN placed;\n",
    );
    let program = orchestrator(&services);
    let shown = |arguments: &[&str]| {
        let base = ["check", "--no-rehearsal"];
        let said = program.expect(&[&base, arguments].concat(), 0).stdout;
        (said.matches("  timestamp-without-zone\n").count(), said)
    };
    let (number, said) = shown(&[]);
    assert_eq!(number, 1, "{said}");
    assert!(
        said.contains("  and 2 more like this in the file (shown with -v)\n"),
        "{said}"
    );
    assert!(said.ends_with("checked: 3 warnings\n"), "{said}");
    assert_eq!(shown(&["-v"]).0, 3);
    assert_eq!(shown(&["-q"]).0, 0);
}
