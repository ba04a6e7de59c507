//! One vocabulary of hazards: `check`, `plan`, a dry run, and the confirmation name the same rules, in both programs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tests::{Program, Server, ServiceFolder, Services};

/// The first migration creates what the others change.
const FIRST: &str = "CREATE TABLE a (id bigint PRIMARY KEY);
CREATE TABLE b (id bigint PRIMARY KEY, x text, y text);
CREATE MATERIALIZED VIEW m AS SELECT 1 AS one;\n";

/// Migrations with the rule that each violates, from version 2 on.
const CASES: [(&str, &str); 9] = [
    ("drop-table", "DROP TABLE a"),
    ("drop-column", "ALTER TABLE b DROP COLUMN y"),
    ("data-change-without-where", "UPDATE b SET x = ''"),
    ("truncate", "TRUNCATE b"),
    ("index-not-concurrent", "CREATE INDEX \"IDX_b_x\" ON b (x)"),
    (
        "column-type-change",
        "ALTER TABLE b ALTER x TYPE int USING 1",
    ),
    ("not-null-steps", "ALTER TABLE b ALTER x SET NOT NULL"),
    ("refresh-not-concurrent", "REFRESH MATERIALIZED VIEW m"),
    ("needs-no-transaction", "VACUUM b"),
];

/// `severity rule`, by version.
type Shown = BTreeMap<i64, BTreeSet<String>>;

fn write(policy: &ServiceFolder, directive: impl Fn(&str) -> String) {
    policy.reversible(
        1,
        "first",
        FIRST,
        "DROP TABLE a, b;\nDROP MATERIALIZED VIEW m;\n",
    );
    for (version, (rule, sql)) in (2..).zip(CASES) {
        let sql = format!("{}{sql};\n", directive(rule));
        policy.reversible(version, "next", &sql, "SELECT 1;\n");
    }
}

fn checked(findings: &Value) -> Shown {
    let mut shown = Shown::new();
    for finding in findings.as_array().expect("a list") {
        let is_up = finding["file"]
            .as_str()
            .is_some_and(|file| file.contains("/migrations/"));
        if is_up && finding["allowed"].is_null() {
            let text = format!("{} {}", words(finding, "severity"), words(finding, "rule"));
            let version = finding["version"].as_i64().expect("a version");
            shown.entry(version).or_default().insert(text);
        }
    }
    shown
}

fn planned(plan: &Value) -> Shown {
    let mut shown = Shown::new();
    for step in plan["steps"].as_array().expect("a list") {
        for hazard in step["hazards"].as_array().expect("a list") {
            let text = format!("{} {}", words(hazard, "severity"), words(hazard, "hazard"));
            let version = step["version"].as_i64().expect("a version");
            shown.entry(version).or_default().insert(text);
        }
    }
    shown
}

fn words<'v>(value: &'v Value, field: &str) -> &'v str {
    value[field].as_str().expect("a text")
}

/// The hazards in a text for humans: each after the path of its file.
fn written(text: &str) -> Shown {
    let mut shown = Shown::new();
    let mut version = 0;
    for line in text.lines() {
        if let Some((_, rest)) = line.split_once("/migrations/V") {
            let digits = rest.split("__").next().unwrap_or_default();
            version = digits.parse().expect("a version");
        }
        let words: Vec<&str> = line.trim_start_matches("--").split_whitespace().collect();
        if let ["error" | "warning", rule, ..] = words.as_slice() {
            let rule = rule.trim_end_matches([',', ':']);
            let text = format!("{} {rule}", words[0]);
            shown.entry(version).or_default().insert(text);
        }
    }
    shown
}

#[test]
fn every_command_names_the_same_rules_and_one_directive_silences_all() {
    let server = Server::start();
    let services = Services::new();
    let policy = services.service("policy", &[]);
    write(&policy, |_| String::new());
    let orchestrator = Program::orchestrator(&server).services(&services);
    let binary = Program::named("policy-migrations")
        .services(&services)
        .env("POLICY_DATABASE_URL", &server.url("db_policy"));
    orchestrator.expect(&["run", "policy", "--to", "1"], 0);
    let shown = || {
        let check = orchestrator.run(&["check", "--no-rehearsal", "--output", "json"]);
        let refused = ["run", "policy", "--environment", "production"];
        let confirmation = |program: &Program, arguments: &[&str]| {
            let outcome = program.expect(arguments, 3);
            assert!(
                outcome.stderr.contains("/migrations/V2__next.sql"),
                "{}",
                outcome.stderr
            );
            written(&outcome.stderr)
        };
        [
            ("check", checked(&check.json()["findings"])),
            (
                "plan",
                planned(&orchestrator.expect(&["plan", "--output", "json"], 0).json()),
            ),
            (
                "dry run",
                written(&orchestrator.expect(&["all", "--dry-run"], 0).stdout),
            ),
            ("confirmation", confirmation(&orchestrator, &refused)),
            (
                "service, plan",
                planned(&binary.expect(&["--dry-run", "--output", "json"], 0).json()),
            ),
            (
                "service, dry run",
                written(&binary.expect(&["--dry-run"], 0).stdout),
            ),
            (
                "service, confirmation",
                confirmation(&binary, &refused[2..]),
            ),
        ]
    };
    let found = shown();
    for (version, (rule, _)) in (2..).zip(CASES) {
        let of_version = found[0].1.get(&version).cloned().unwrap_or_default();
        let rules: Vec<&str> = of_version
            .iter()
            .filter_map(|it| it.split(' ').nth(1))
            .collect();
        assert_eq!(rules, [rule], "{found:#?}");
    }
    for (command, hazards) in &found {
        assert_eq!(*hazards, found[0].1, "{command}");
    }
    let table = orchestrator.expect(&["plan"], 0).stdout;
    assert!(table.contains("error drop-table"), "{table}");

    write(&policy, |rule| {
        format!("-- migration: allow {rule} \"tried\"\n")
    });
    for (command, hazards) in shown() {
        assert_eq!(hazards, Shown::new(), "{command}");
    }
}
