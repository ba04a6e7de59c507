//! `check --format`: workflow commands and a job summary for GitHub, SARIF for code scanners.

use std::fs;

use lint::rules::RULES;
use serde_json::{Value, json};
use tests::{Outcome, Program, Services};

/// An error, a warning, something allowed, and text that means something to GitHub and to Markdown.
fn services() -> Services {
    let services = Services::new();
    services
        .service("shop", &[])
        .reversible(
            1,
            "orders",
            "CREATE TABLE orders (id uuid PRIMARY KEY, customer text, \"a,b:c%|d\" int);\n",
            "DROP TABLE orders;\n",
        )
        .reversible(
            2,
            "more",
            "-- migration: allow drop-column \"not used since 4.2\"\n\
             ALTER TABLE orders DROP COLUMN customer;\n\
             CREATE INDEX \"IDX_a\"\n    ON orders (\"a,b:c%|d\");\n\
             CREATE INDEX \"IDX_b\" ON orders (id);\n",
            "DROP INDEX CONCURRENTLY \"IDX_a\";\nALTER TABLE orders ADD COLUMN customer text;\n",
        );
    services
}

fn run(services: &Services, format: &str) -> Outcome {
    let program = Program::named("orchestrator").current_dir(services.path());
    program.expect(
        &[
            "check",
            "--no-rehearsal",
            "--services-dir",
            ".",
            "--format",
            format,
        ],
        4,
    )
}

#[test]
fn each_finding_is_a_workflow_command() {
    let outcome = run(&services(), "github");
    let own = |line: &&str| {
        line.contains("title=index-not-concurrent") || line.contains("title=drop-column")
    };
    let commands: Vec<&str> = outcome.stdout.lines().filter(own).collect();
    assert_eq!(
        commands,
        [
            "::error file=shop/migrations/V2__more.sql,line=3,endLine=4,title=index-not-concurrent::writes to orders are blocked while \
             the index is built%0Asafe: CREATE INDEX CONCURRENTLY \"IDX_a\" ON orders (\"a,b:c%25|d\")   -- in a separate migration with \
             `-- migration: no-transaction`",
            "::error file=shop/migrations/V2__more.sql,line=5,endLine=5,col=1,endColumn=36,title=index-not-concurrent::writes to \
             orders are blocked while the index is built%0Asafe: CREATE INDEX CONCURRENTLY \"IDX_b\" ON orders (id)   -- in a separate \
             migration with `-- migration: no-transaction`",
        ]
    );
    for line in outcome.stdout.lines() {
        assert!(
            line.starts_with("::error ") || line.starts_with("::warning "),
            "{line}"
        );
    }
}

#[test]
fn a_job_summary_is_appended_to_the_file_of_github() {
    let services = services();
    let summary = services.path().join("summary.md");
    fs::write(&summary, "# Before\n").expect("a file");
    let program = Program::named("orchestrator")
        .current_dir(services.path())
        .env("GITHUB_STEP_SUMMARY", &summary.display().to_string());
    let arguments = [
        "check",
        "--no-rehearsal",
        "--services-dir",
        ".",
        "--format",
        "github",
    ];
    program.expect(&arguments, 4);
    let text = fs::read_to_string(&summary).expect("a file");
    assert!(text.starts_with("# Before\n## Migrations: "), "{text}");
    assert!(
        text.contains(" 1 allowed\n\n2 migrations of 1 service checked.\n"),
        "{text}"
    );
    assert!(
        text.contains("| service | errors | warnings | allowed |"),
        "{text}"
    );
    assert!(text.contains("| error | index-not-concurrent | shop/migrations/V2\\_\\_more.sql:3 | writes to orders are blocked"), "{text}");
    assert!(text.contains("(\"a,b:c%\\|d\")"), "{text}");
    // Without a place for it, nothing is left out in silence.
    let nowhere = services.path().join("no/such/folder/summary.md");
    let program = Program::named("orchestrator")
        .current_dir(services.path())
        .env("GITHUB_STEP_SUMMARY", &nowhere.display().to_string());
    let outcome = program.expect(&arguments, 1);
    assert!(
        outcome.stderr.contains("GITHUB_STEP_SUMMARY"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn the_document_is_sarif() {
    let services = services();
    let document = run(&services, "sarif").json();
    assert_eq!(document["version"], "2.1.0");
    let runs = document["runs"].as_array().expect("runs");
    let [run] = runs.as_slice() else {
        panic!("{runs:?}")
    };
    assert_eq!(run["columnKind"], "unicodeCodePoints");
    let driver = &run["tool"]["driver"];
    assert_eq!(driver["name"], "orchestrator");
    let rules = driver["rules"].as_array().expect("rules");
    let known: Vec<&str> = RULES
        .iter()
        .flat_map(|family| family.iter())
        .map(|rule| rule.slug)
        .collect();
    let ids: Vec<&str> = rules
        .iter()
        .filter_map(|rule| rule["id"].as_str())
        .collect();
    assert_eq!(ids, known);
    for rule in rules {
        assert!(
            !rule["shortDescription"]["text"]
                .as_str()
                .expect("text")
                .is_empty()
        );
        let page = rule["help"]["markdown"].as_str().expect("a page");
        assert!(page.starts_with(&format!("# {}\n", rule["id"].as_str().expect("an id"))));
        assert!(!rule["help"]["text"].as_str().expect("text").is_empty());
        assert!(
            ["error", "warning"].contains(
                &rule["defaultConfiguration"]["level"]
                    .as_str()
                    .expect("a level")
            )
        );
    }
    let results = run["results"].as_array().expect("results");
    let mut prints: Vec<&Value> = Vec::new();
    for result in results {
        let index =
            usize::try_from(result["ruleIndex"].as_u64().expect("an index")).expect("small");
        assert_eq!(rules[index]["id"], result["ruleId"]);
        let physical = &result["locations"][0]["physicalLocation"];
        let uri = physical["artifactLocation"]["uri"].as_str().expect("a uri");
        assert!(services.path().join(uri).is_file(), "{uri}");
        if let Some(region) = physical["region"].as_object() {
            assert!(
                region
                    .values()
                    .all(|number| number.as_u64().is_some_and(|it| it >= 1)),
                "{region:?}"
            );
        }
        prints.push(&result["partialFingerprints"]["migration/v1"]);
    }
    prints.sort_by_key(|print| print.to_string());
    let all = prints.len();
    prints.dedup();
    assert_eq!(prints.len(), all, "two results have one fingerprint");
    let allowed: Vec<&Value> = results
        .iter()
        .filter(|result| result["suppressions"] != json!([]))
        .collect();
    assert_eq!(allowed.len(), 1);
    assert_eq!(allowed[0]["ruleId"], "drop-column");
    assert_eq!(
        allowed[0]["suppressions"],
        json!([{"kind": "inSource", "justification": "not used since 4.2"}])
    );
    let index = results
        .iter()
        .find(|result| result["ruleId"] == "index-not-concurrent")
        .expect("a result");
    assert_eq!(index["level"], "error");
    assert_eq!(
        index["locations"][0]["physicalLocation"],
        json!({
            "artifactLocation": {"uri": "shop/migrations/V2__more.sql"},
            "region": {"startLine": 3, "startColumn": 1, "endLine": 4, "endColumn": 27},
        })
    );
}

#[test]
fn a_statement_that_moves_keeps_its_fingerprint() {
    let print = |lead: &str| {
        let services = Services::new();
        services
            .service("shop", &[])
            .migration(1, "a", "CREATE TABLE a (id uuid);\n")
            .migration(
                2,
                "b",
                &format!("{lead}CREATE INDEX \"IDX_a\" ON a (id);\n"),
            );
        let document = run(&services, "sarif").json();
        let results = document["runs"][0]["results"]
            .as_array()
            .expect("results")
            .clone();
        let result = results
            .into_iter()
            .find(|result| result["ruleId"] == "index-not-concurrent");
        result.expect("a result")["partialFingerprints"].clone()
    };
    assert_eq!(print(""), print("-- A comment.\n\n"));
}

#[test]
fn two_forms_at_once_are_refused() {
    let services = services();
    let program = Program::named("orchestrator").services(&services);
    let outcome = program.run(&["check", "--format", "sarif", "--output", "json"]);
    assert_eq!(outcome.code, 2, "{}", outcome.stderr);
    assert!(outcome.stdout.is_empty(), "{}", outcome.stdout);
    let outcome = program.run(&["check", "--format", "xml"]);
    assert_eq!(outcome.code, 2, "{}", outcome.stderr);
}
