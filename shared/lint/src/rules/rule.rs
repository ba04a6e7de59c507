//! The type of a rule, and lookups in the table of rules.

use domain::Severity;

use super::{Draft, RULES, slugs};
use crate::change::Step;
use crate::context::{LintContext, Now};
use crate::load::{Adopted, At, Judge};

/// Checks a statement of a migration, given the schema before it.
pub(crate) type StatementRule = for<'a> fn(&LintContext<'a>, &Now, &Step) -> Vec<Draft<'a>>;

/// Checks a migration as a whole.
pub(crate) type FileRule = for<'a> fn(&LintContext<'a>) -> Vec<Draft<'a>>;

/// Checks the syntax of a statement on objects that existed before, in a migration or a revert.
pub(crate) type SyntaxRule = for<'a> fn(&Judge<'_, 'a>, &At) -> Vec<Draft<'a>>;

/// What becomes of a finding about a table or column that a later migration drops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnceDropped {
    /// It remains.
    Matters,
    /// The shape of what is dropped does not matter.
    Moot,
    /// The locks matter until the migration has run.
    MootIfApplied,
}

/// A rule that migrations are checked against.
#[derive(Debug)]
pub struct Rule {
    /// The name in `allow` directives, in the configuration, and of the page `docs/rules/<slug>.md`.
    pub slug: &'static str,
    /// The severity, unless the configuration overrides it.
    pub severity: Severity,
    /// The rule in one sentence.
    pub summary: &'static str,
    /// The text of the rule's page.
    pub page: &'static str,
    /// The rules of squawk's linter that detect violations.
    pub(crate) adopted: &'static [Adopted],
    pub(crate) syntax: Option<SyntaxRule>,
    pub(crate) statement: Option<StatementRule>,
    pub(crate) file: Option<FileRule>,
    pub(crate) once_dropped: OnceDropped,
}

impl Rule {
    pub(super) const UNDETECTED: Self = Self {
        slug: "",
        severity: Severity::Error,
        summary: "",
        page: "",
        adopted: &[],
        syntax: None,
        statement: None,
        file: None,
        once_dropped: OnceDropped::Matters,
    };
}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.slug == other.slug
    }
}

impl Eq for Rule {}

/// All rules.
pub(crate) fn all() -> impl Iterator<Item = &'static Rule> {
    RULES.iter().flat_map(|family| family.iter()).copied()
}

/// The rule with this slug.
pub fn rule_named(slug: &str) -> Option<&'static Rule> {
    all().find(|rule| rule.slug == slug)
}

/// Whether the text of a service's files shows violations: neither a rehearsal nor the merged state is required.
pub fn is_textual(rule: &Rule) -> bool {
    !is_proven(rule) && rule != &slugs::MERGED_MIGRATION_EDITED
}

/// Whether only a rehearsal can detect a violation.
pub fn is_proven(rule: &Rule) -> bool {
    RULES[0].contains(&rule)
}

/// The least similarity of a suggestion.
const SIMILAR: f64 = 0.6;

/// The rule that a misspelled slug most likely means.
pub fn nearest(slug: &str) -> Option<&'static Rule> {
    let similarity = |rule: &Rule| strsim::normalized_damerau_levenshtein(rule.slug, slug);
    all()
        .map(|rule| (similarity(rule), rule))
        .filter(|(similarity, _)| *similarity >= SIMILAR)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, rule)| rule)
}

/// Declares rules, each with its page: name, severity, slug, summary, and what detects it.
macro_rules! rule {
    ($($name:ident = $severity:ident $slug:literal: $summary:literal $({ $($field:ident: $value:expr,)+ })?;)+) => {$(
        #[doc = $summary]
        pub static $name: $crate::rules::Rule = $crate::rules::Rule {
            slug: $slug,
            severity: domain::Severity::$severity,
            summary: $summary,
            page: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/rules/", $slug, ".md")),
            $($($field: $value,)+)?
            ..$crate::rules::Rule::UNDETECTED
        };
    )+};
}
pub(super) use rule;

/// Declares the table of all rules, by family and module, in the order of the documentation.
macro_rules! table {
    ($($family:ident { $($module:ident: $($name:ident),+;)+ })+) => {
        /// The rules by name.
        pub mod slugs {
            $($(pub use super::$module::{$($name),+};)+)+
        }

        /// The rules of each family.
        pub static RULES: [&[&Rule]; 4] = [$(&[$($(&$module::$name),+),+]),+];
    };
}
pub(super) use table;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{RULES, all, nearest};

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
        let codes = all().flat_map(|rule| rule.adopted).flat_map(|it| it.codes);
        let adopted: BTreeSet<String> = codes.map(ToString::to_string).collect();
        let adopted: BTreeSet<&str> = adopted.iter().map(String::as_str).collect();
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
        for rule in all() {
            let row = format!(
                "| [{0}]({0}.md) | {1} | {2} |",
                rule.slug, rule.severity, rule.summary
            );
            assert!(index.lines().any(|line| line == row), "missing: {row}");
        }
    }

    #[test]
    fn every_page_has_wrong_right_and_allowing_sections() {
        for rule in RULES[2].iter().chain(RULES[3]) {
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
            for linter in rule.adopted.iter().flat_map(|it| it.codes) {
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
        for rule in all() {
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

    #[test]
    fn every_page_belongs_to_a_rule_in_the_table() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/rules");
        let pages: BTreeSet<String> = std::fs::read_dir(folder)
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name())
            .filter_map(|name| Some(name.to_str()?.strip_suffix(".md")?.to_owned()))
            .filter(|name| name != "README")
            .collect();
        assert_eq!(pages, all().map(|rule| rule.slug.to_owned()).collect());
    }
}
