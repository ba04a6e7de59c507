//! Each rule that the text of a file shows: what its page calls wrong is found, and only that; what it calls right is silent.
//!
//! A block of a page is one service: a line `-- migration V2` or `-- revert V2` begins a file; what stands before is migration V1.

use std::collections::{BTreeMap, BTreeSet};

use lint::rules::{RULES, Rule};
use serde_json::Value;
use tests::{Program, Services};

/// The families whose pages are held to here: those of files and of load.
fn rules() -> impl Iterator<Item = &'static Rule> {
    RULES[2..].iter().flat_map(|family| family.iter()).copied()
}

/// The SQL below a heading of a page.
fn block<'a>(rule: &'a Rule, heading: &str) -> Option<&'a str> {
    let below = rule.page.split_once(&format!("\n## {heading}\n"))?.1;
    let section = below.split("\n## ").next()?;
    let sql = section.split_once("```sql\n")?.1;
    sql.split_once("```").map(|(sql, _)| sql)
}

/// Writes a block as a service of its own.
fn write(services: &Services, name: &str, block: &str) {
    let service = services.service(name, &[]);
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    let mut file = "migrations/V1__x.sql".to_owned();
    for line in block.lines() {
        match line
            .strip_prefix("-- migration V")
            .or_else(|| line.strip_prefix("-- revert V"))
        {
            Some(version) => {
                let folder = if line.starts_with("-- revert") {
                    "reverts"
                } else {
                    "migrations"
                };
                file = format!("{folder}/V{version}__x.sql");
            }
            None => {
                let text = files.entry(file.clone()).or_default();
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    for (file, text) in files {
        service.file(&file, text);
    }
}

/// What is found in the services of this kind, by service; what is allowed left out, and rules of other families.
fn found(kind: &str) -> BTreeMap<String, Vec<Value>> {
    let services = Services::new();
    for rule in rules() {
        if let Some(sql) = block(rule, kind) {
            write(&services, rule.slug, sql);
        }
    }
    let outcome = Program::named("orchestrator").services(&services).run(&[
        "check",
        "--no-rehearsal",
        "--output",
        "json",
    ]);
    let own: BTreeSet<&str> = rules().map(|rule| rule.slug).collect();
    let mut by_service: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for finding in outcome.json()["findings"].as_array().expect("a list") {
        let rule = finding["rule"].as_str().expect("a rule");
        if finding["allowed"].is_null() && own.contains(rule) {
            let service = finding["service"].as_str().expect("a service").to_owned();
            by_service.entry(service).or_default().push(finding.clone());
        }
    }
    by_service
}

#[test]
fn what_a_page_calls_wrong_is_found_at_its_place_and_nothing_else_is() {
    let found = found("Wrong");
    let mut lines = Vec::new();
    for rule in rules().filter(|rule| block(rule, "Wrong").is_some()) {
        let findings = found.get(rule.slug).map(Vec::as_slice).unwrap_or_default();
        let slugs: BTreeSet<&str> = findings
            .iter()
            .filter_map(|it| it["rule"].as_str())
            .collect();
        assert_eq!(
            slugs,
            BTreeSet::from([rule.slug]),
            "{}: {findings:?}",
            rule.slug
        );
        for finding in findings {
            assert_eq!(finding["severity"], rule.severity.as_str(), "{finding}");
            let file = finding["file"].as_str().expect("a file");
            let file = file.rsplit('/').next().expect("a name");
            lines.push(format!(
                "{} {file} {}:{} to {}:{}\n  {}\n  {}",
                rule.slug,
                finding["line"],
                finding["column"],
                finding["end_line"],
                finding["end_column"],
                finding["message"].as_str().expect("a message"),
                finding["safe_form"].as_str().unwrap_or("-"),
            ));
        }
    }
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn what_a_page_calls_right_is_silent() {
    assert_eq!(found("Right"), BTreeMap::new());
}

#[test]
fn all_have_both_but_the_rule_that_asks_git_and_the_one_that_takes_thousands_of_levels() {
    let without = ["merged-migration-edited", "too-deep"];
    for rule in rules().filter(|rule| !without.contains(&rule.slug)) {
        assert!(
            block(rule, "Wrong").is_some() && block(rule, "Right").is_some(),
            "{}",
            rule.slug
        );
    }
}
