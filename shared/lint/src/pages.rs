//! The pages of the rules are tests: a block under `## Wrong` is found by that rule alone, at the place in the snapshot, and a
//! block under `## Right` is not.
//!
//! A block of SQL is one service. Lines `-- migration V2` and `-- revert V2` start a file; without one the block is
//! the migration V1. `-- merged V1` starts a merged migration, `-- no revert V1` omits the revert; any
//! other migration without a revert gets a revert with a statement.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use domain::{Finding, Service, Version};
use time::macros::datetime;

use super::{lint, order_against};
use crate::rules::{RULES, Rule, Rulebook, allows, is_textual};

pub(super) struct Fixture {
    service: Service,
    merged: Vec<Version>,
}

/// The blocks of SQL under a heading.
fn blocks<'a>(page: &'a str, heading: &str) -> Vec<&'a str> {
    let Some((_, section)) = page.split_once(&format!("\n## {heading}\n")) else {
        return Vec::new();
    };
    let section = section.split("\n## ").next().unwrap_or_default();
    section
        .split("```sql\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect()
}

pub(super) fn fixture(block: &str) -> Fixture {
    let mut ups: BTreeMap<i64, String> = BTreeMap::new();
    let mut downs: BTreeMap<i64, Option<String>> = BTreeMap::new();
    let mut merged = Vec::new();
    let (mut at, mut down) = (1, false);
    for line in block.lines() {
        let part = ["migration", "revert", "merged", "no revert"]
            .into_iter()
            .find_map(|word| {
                let version = line.strip_prefix(&format!("-- {word} V"))?.parse().ok()?;
                Some((word, version))
            });
        match part {
            None if down => {
                let text = downs.entry(at).or_default().get_or_insert_default();
                text.push_str(line);
                text.push('\n');
            }
            None => {
                let text = ups.entry(at).or_default();
                text.push_str(line);
                text.push('\n');
            }
            Some((word, version)) => {
                at = version;
                down = word == "revert";
                match word {
                    "merged" => merged.push(Version::new(version)),
                    "revert" => {
                        downs.insert(version, Some(String::new()));
                    }
                    "no revert" => {
                        downs.insert(version, None);
                    }
                    _ => {}
                }
            }
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    write(
        folder.path(),
        "service.toml",
        "name = \"notes\"\ndatabase = \"notes\"\n",
    );
    for (version, text) in &ups {
        write(
            folder.path(),
            &format!("migrations/V{version}__change.sql"),
            text,
        );
        let revert = downs
            .get(version)
            .cloned()
            .unwrap_or_else(|| Some("SELECT 1;\n".to_owned()));
        if let Some(text) = revert {
            write(
                folder.path(),
                &format!("reverts/V{version}__change.sql"),
                &text,
            );
        }
    }
    let fleet = engine::source::load_folder(folder.path()).expect("a service");
    let service = fleet.services().next().expect("one service").clone();
    Fixture { service, merged }
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join("notes").join(name);
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    std::fs::write(path, text).expect("a file");
}

/// All findings.
pub(super) fn findings(fixture: &Fixture) -> Vec<Finding> {
    let book = Rulebook::default();
    let now = datetime!(2026-11-23 12:00 UTC);
    let (service, merged) = (&fixture.service, &fixture.merged);
    let is_new = |version| !merged.is_empty() && !merged.contains(&version);
    let mut findings = lint(service, &book, now, is_new, |_| true);
    findings.extend(order_against(&fixture.service, &book, &fixture.merged));
    findings
}

/// The rules to which the examples of a rule's page are held: those of its family; files and load are one.
fn family(rule: &Rule) -> Vec<&'static Rule> {
    match RULES[1].contains(&rule) {
        true => RULES[1].to_vec(),
        false => [RULES[2], RULES[3]].concat(),
    }
}

/// The findings of some rules that the block does not allow, as text by rule.
fn found_of(rules: &[&Rule], block: &str) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let fixture = fixture(block);
    let mut findings = findings(&fixture);
    let of_directives = allows(
        &fixture.service,
        &Rulebook::default(),
        &findings,
        |_, rule| is_textual(rule),
    );
    findings.extend(of_directives);
    for finding in findings {
        let rule = rules.iter().find(|rule| rule.slug == finding.rule);
        let Some(rule) = rule.filter(|_| finding.allowed.is_none()) else {
            continue;
        };
        assert_eq!(finding.severity, rule.severity, "{finding:?}");
        let place = finding.place.map(|it| {
            let (line, column) = (it.line, it.column);
            format!("{line}:{column} to {}:{}", it.end_line, it.end_column)
        });
        let place = place.unwrap_or_default();
        let mut parts = finding.file.rsplit('/');
        let name = parts.next().unwrap_or_default();
        let folder = parts.next().unwrap_or_default();
        let safe = finding.safe_form.unwrap_or_default();
        let text = format!("{folder}/{name} {place}\n  {}\n  {safe}", finding.message);
        found.entry(finding.rule).or_default().push(text);
    }
    found
}

/// The rules whose pages have examples: not those of a rehearsal, nor of git, nor of thousands of levels.
fn rules() -> impl Iterator<Item = &'static Rule> {
    let families = RULES[1..].iter().flat_map(|family| family.iter()).copied();
    families.filter(|rule| !["merged-migration-edited", "too-deep"].contains(&rule.slug))
}

#[test]
fn wrong_examples_violate_only_their_rule() {
    let mut lines = String::new();
    for rule in rules() {
        let blocks = blocks(rule.page, "Wrong");
        assert!(!blocks.is_empty(), "{}: nothing under Wrong", rule.slug);
        for block in blocks {
            let found = found_of(&family(rule), block);
            let slugs: BTreeSet<_> = found.keys().map(String::as_str).collect();
            assert_eq!(slugs, BTreeSet::from([rule.slug]), "{block}\n{found:#?}");
            for text in found.into_values().flatten() {
                lines.push_str(&format!("{}: {text}\n", rule.slug));
            }
        }
    }
    insta::assert_snapshot!(lines);
}

#[test]
fn right_examples_violate_no_rule() {
    for rule in rules() {
        let blocks = blocks(rule.page, "Right");
        assert!(!blocks.is_empty(), "{}: nothing under Right", rule.slug);
        for block in blocks {
            let found = found_of(&family(rule), block);
            assert!(found.is_empty(), "{}\n{block}\n{found:#?}", rule.slug);
        }
    }
}

/// No guide rule finds anything in these blocks.
pub(crate) fn silent(cases: &[&str]) {
    for case in cases {
        let found = found_of(RULES[1], case);
        assert!(found.is_empty(), "{case}\n{found:#?}");
    }
}

/// Of the guide rules, only this one finds something in each block.
pub(crate) fn found_each(slug: &str, cases: &[&str]) {
    for case in cases {
        let found: Vec<String> = found_of(RULES[1], case).into_keys().collect();
        assert_eq!(found, [slug], "{case}");
    }
}
