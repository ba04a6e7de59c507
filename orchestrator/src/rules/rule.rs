//! A rule, and the list of all.

use shared::domain::Severity;

use super::{guide, load, proof};

/// A rule that migrations are held to.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name, in `allow` directives, in the configuration, and of its page `docs/rules/<slug>.md`.
    pub slug: &'static str,
    /// How grave a breach is, unless the configuration says otherwise.
    pub severity: Severity,
    /// What it asks, in one sentence.
    pub summary: &'static str,
    /// The rule of the linter that finds it, where one does.
    pub linter: Option<&'static str>,
    /// Its page.
    pub page: &'static str,
}

/// The rules of each family, one after another.
pub static RULES: [&[&Rule]; 3] = [proof::ALL, guide::ALL, load::ALL];

/// The rule of that name.
pub fn rule(slug: &str) -> Option<&'static Rule> {
    RULES
        .iter()
        .flat_map(|family| family.iter())
        .find(|rule| rule.slug == slug)
        .copied()
}

/// Declares rules, each with its page.
macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident = $severity:ident $slug:literal $(from $linter:literal)?: $summary:literal;)*) => {
        $(
            $(#[$doc])*
            pub static $name: $crate::rules::Rule = $crate::rules::Rule {
                slug: $slug,
                severity: shared::domain::Severity::$severity,
                summary: $summary,
                linter: rules!(@linter $($linter)?),
                page: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/rules/", $slug, ".md")),
            };
        )*
        /// All of this family.
        pub(super) static ALL: &[&$crate::rules::Rule] = &[$(&$name),*];
    };
    (@linter) => { None };
    (@linter $linter:literal) => { Some($linter) };
}
pub(super) use rules;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::RULES;

    #[test]
    fn every_rule_has_a_name_of_its_own_and_a_page_that_begins_with_it() {
        let mut seen = BTreeSet::new();
        for rule in RULES.iter().flat_map(|family| family.iter()) {
            assert!(seen.insert(rule.slug), "{} stands twice", rule.slug);
            assert!(
                rule.page.starts_with(&format!("# {}\n", rule.slug)),
                "{}: the page begins otherwise",
                rule.slug
            );
            assert!(
                rule.page.contains(rule.severity.as_str()),
                "{}: the page names another severity",
                rule.slug
            );
        }
    }
}
