//! Checks the `allow` directives themselves: each names a known rule and silences a finding.

use std::ops::Range;

use domain::{Finding, Migration, Script, Service, Version};

use super::{Draft, Rule, Rulebook, nearest, rule, rule_named};
use crate::line::line;

rule! {
    UNKNOWN_RULE = Error "unknown-rule": "An `allow` directive names a known rule.";
    UNUSED_ALLOW = Warning "unused-allow": "An `allow` directive silences a finding.";
}

/// The findings about the directives of a service. `found` are its other findings; `asked` is whether a rule was checked on a
/// migration.
pub fn allows(
    service: &Service,
    rulebook: &Rulebook,
    found: &[Finding],
    asked: impl Fn(Version, &Rule) -> bool,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for migration in &service.migrations {
        let scripts = [Some(&migration.script), migration.revert.as_ref()];
        for script in scripts.into_iter().flatten() {
            for allow in &script.directives.allow {
                let draft = match rule_named(&allow.rule) {
                    None => Some(unknown(script, &allow.rule)),
                    Some(known) => {
                        let is_asked =
                            asked(migration.version, known) && rulebook.severity(known).is_some();
                        (is_asked && !silences(migration, known, found))
                            .then(|| unused(script, known))
                    }
                };
                findings.extend(draft.and_then(|draft| {
                    let place = place(script, &allow.rule);
                    rulebook.finding(service, migration, draft.at(place))
                }));
            }
        }
    }
    findings
}

fn silences(migration: &Migration, rule: &Rule, found: &[Finding]) -> bool {
    found.iter().any(|finding| {
        finding.version == Some(migration.version)
            && finding.rule == rule.slug
            && finding.allowed.is_some()
    })
}

fn unknown<'a>(script: &'a Script, slug: &str) -> Draft<'a> {
    let message = match nearest(slug) {
        Some(meant) => format!("unknown rule {slug}; did you mean {}?", meant.slug),
        None => format!("unknown rule {slug}; docs/rules lists all rules"),
    };
    Draft::new(&UNKNOWN_RULE, script, message)
}

fn unused<'a>(script: &'a Script, rule: &Rule) -> Draft<'a> {
    let message = format!("nothing violates {} here: remove the directive", rule.slug);
    Draft::new(&UNUSED_ALLOW, script, message)
}

/// The line of the directive.
fn place(script: &Script, slug: &str) -> Range<usize> {
    let is_it = |comment: &str| {
        let mut words = comment
            .strip_prefix("migration:")
            .unwrap_or_default()
            .split_whitespace();
        words.next() == Some("allow") && words.next() == Some(slug)
    };
    pg_sql::leading_comment_lines(&script.text)
        .find(|(_, comment)| is_it(comment))
        .map_or(0..0, |(number, _)| line(&script.text, number))
}
