//! The type of a rule, and the list of all rules.

use domain::Severity;

use super::{files, guide, load, proof};

/// A rule that migrations are checked against.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// The name in `allow` directives, in the configuration, and of the page `docs/rules/<slug>.md`.
    pub slug: &'static str,
    /// The severity, unless the configuration overrides it.
    pub severity: Severity,
    /// The rule in one sentence.
    pub summary: &'static str,
    /// The rules of squawk's linter that detect violations, if any.
    pub linter: &'static [&'static str],
    /// The text of the rule's page.
    pub page: &'static str,
}

/// The rules of all families.
pub static RULES: [&[&Rule]; 4] = [proof::ALL, guide::ALL, load::ALL, files::ALL];

/// Returns the rule with this slug.
pub fn rule(slug: &str) -> Option<&'static Rule> {
    RULES
        .iter()
        .flat_map(|family| family.iter())
        .find(|rule| rule.slug == slug)
        .copied()
}

/// Whether the text of a service's files shows violations: neither a rehearsal nor the merged state is required.
pub fn is_textual(rule: &Rule) -> bool {
    !is_proven(rule) && rule != &files::MERGED_MIGRATION_EDITED
}

/// Whether only a rehearsal can detect a violation.
pub fn is_proven(rule: &Rule) -> bool {
    proof::ALL.contains(&rule)
}

/// The least similarity of a suggestion.
const SIMILAR: f64 = 0.6;

/// The rule that a misspelled slug most likely means.
pub fn nearest(slug: &str) -> Option<&'static Rule> {
    let rules = RULES.iter().flat_map(|family| family.iter());
    rules
        .map(|rule| {
            (
                strsim::normalized_damerau_levenshtein(rule.slug, slug),
                *rule,
            )
        })
        .filter(|(similarity, _)| *similarity >= SIMILAR)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, rule)| rule)
}

/// Declares rules and includes their pages.
macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident = $severity:ident $slug:literal $(from $($linter:literal),+)?: $summary:literal;)*) => {
        $(
            $(#[$doc])*
            pub static $name: $crate::rules::Rule = $crate::rules::Rule {
                slug: $slug,
                severity: domain::Severity::$severity,
                summary: $summary,
                linter: &[$($($linter),+)?],
                page: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/rules/", $slug, ".md")),
            };
        )*
        /// All rules of this family.
        pub(super) static ALL: &[&$crate::rules::Rule] = &[$(&$name),*];
    };
}
pub(super) use rules;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{RULES, files, load, nearest};

    #[test]
    fn a_misspelled_slug_suggests_the_nearest_rule() {
        for (written, meant) in [
            ("drop-colum", Some("drop-column")),
            ("index-not-concurrently", Some("index-not-concurrent")),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(nearest(written).map(|rule| rule.slug), meant, "{written}");
        }
    }

    /// The number of rules in the pinned version of squawk.
    const RULES_OF_SQUAWK: usize = 78;

    #[test]
    fn every_squawk_rule_is_adopted_or_omitted_with_a_reason() {
        let index = include_str!("../../../../docs/rules/README.md");
        let (_, omitted) = index
            .split_once("| rules of squawk | why |\n|---|---|\n")
            .expect("a table");
        let rows = omitted.lines().take_while(|line| line.starts_with('|'));
        let omitted: BTreeSet<&str> = rows
            .filter_map(|row| row.split('|').nth(1))
            .flat_map(|cell| cell.split('`').skip(1).step_by(2))
            .collect();
        let rules = RULES.iter().flat_map(|family| family.iter());
        let adopted: BTreeSet<&str> = rules.flat_map(|rule| rule.linter).copied().collect();
        assert!(adopted.is_disjoint(&omitted), "{omitted:?}");
        let all: BTreeSet<&str> = adopted.union(&omitted).copied().collect();
        // squawk does not parse the name of that one.
        for name in all.iter().filter(|name| **name != "unused-ignore") {
            assert!(
                squawk_linter::Rule::try_from(*name).is_ok(),
                "squawk has no {name}"
            );
        }
        assert_eq!(all.len(), RULES_OF_SQUAWK);
    }

    #[test]
    fn the_index_lists_every_rule_with_severity_and_summary() {
        let index = include_str!("../../../../docs/rules/README.md");
        for rule in RULES.iter().flat_map(|family| family.iter()) {
            let row = format!(
                "| [{0}]({0}.md) | {1} | {2} |",
                rule.slug, rule.severity, rule.summary
            );
            assert!(index.lines().any(|line| line == row), "missing: {row}");
        }
    }

    #[test]
    fn every_page_has_wrong_right_and_allowing_sections() {
        for rule in load::ALL.iter().chain(files::ALL) {
            let heads: Vec<&str> = rule
                .page
                .lines()
                .filter(|line| line.starts_with("## "))
                .collect();
            assert_eq!(
                heads,
                ["## Wrong", "## Right", "## Allowing it"],
                "{}",
                rule.slug
            );
            for linter in rule.linter {
                assert!(
                    rule.page.contains(&format!("`{linter}`")),
                    "{}: {linter}",
                    rule.slug
                );
            }
        }
    }

    #[test]
    fn slugs_are_unique_and_title_their_pages() {
        let mut seen = BTreeSet::new();
        for rule in RULES.iter().flat_map(|family| family.iter()) {
            assert!(seen.insert(rule.slug), "{} is used twice", rule.slug);
            assert!(
                rule.page.starts_with(&format!("# {}\n", rule.slug)),
                "{}: the page begins otherwise",
                rule.slug
            );
            assert!(
                rule.page
                    .contains(&format!("\nSeverity: {}\n", rule.severity)),
                "{}: the page names another severity",
                rule.slug
            );
        }
    }
}
