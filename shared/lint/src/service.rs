//! Applies the rules to all files of a service.

use domain::{Direction, Finding, Service, Version};
use time::OffsetDateTime;

use super::context::LintContext;
use super::file::LintedFile;
use super::first_mentions::FirstMentions;
use super::lifetimes::TableLifetimes;
use super::load::{self, ExistingRelations};
use super::model::Model;
use super::read;
use super::remaining_keys::RemainingKeys;
use crate::context::Now;
use crate::rules::{Draft, Rulebook, all_rules, too_deep_within};

/// The findings in the files of the migrations that `is_asked` selects, in their order, given all files of the service.
/// `is_new` is whether a migration certainly has not run yet.
pub fn lint(
    service: &Service,
    rulebook: &Rulebook,
    now: OffsetDateTime,
    is_new: impl Fn(Version) -> bool,
    is_asked: impl Fn(Version) -> bool,
) -> Vec<Finding> {
    let files: Vec<_> = service
        .migrations
        .iter()
        .filter_map(|migration| {
            let up = LintedFile::read(migration, Direction::Up)?;
            let down = is_asked(migration.version)
                .then(|| LintedFile::read(migration, Direction::Down))
                .flatten();
            let up_steps = read::steps(&up);
            let down_steps = down.as_ref().map(read::steps);
            Some((up, up_steps, down, down_steps))
        })
        .collect();
    let mut at_end = Model::default();
    let mut first_mentions = FirstMentions::default();
    let mut lifetimes = TableLifetimes::default();
    for (number, (up, steps, ..)) in files.iter().enumerate() {
        at_end.apply_all(steps);
        first_mentions.take(number, up, steps);
        lifetimes.take(number, steps, is_new(up.migration.version));
    }
    let remaining_keys = RemainingKeys::of(&at_end);
    let mut before = Model::default();
    let mut existing = ExistingRelations::default();
    let mut findings = Vec::new();
    for (number, (up, up_steps, down, down_steps)) in files.iter().enumerate() {
        if !is_asked(up.migration.version) {
            existing.take(&up.unfolded);
            before.apply_all(up_steps);
            continue;
        }
        let context = LintContext {
            file: up,
            steps: up_steps,
            revert: down_steps.as_deref(),
            before: &before,
            at_end: &at_end,
            remaining_keys: &remaining_keys,
            number,
            first_mentions: &first_mentions,
            now,
        };
        let mut drafts = load::findings(&context, down.as_ref(), &mut existing, rulebook.postgres);
        drafts.extend(too_deep_within(up.script, up_steps));
        if let (Some(down), Some(steps)) = (down, down_steps) {
            drafts.extend(too_deep_within(down.script, steps));
        }
        drafts.extend(of_migration(&context));
        drafts.retain(|draft| {
            let is_up = std::ptr::eq(draft.script, up.script);
            !(is_up && lifetimes.is_moot(number, up_steps, draft))
        });
        findings.extend(rulebook.findings(service, up.migration, drafts));
        before.apply_all(up_steps);
    }
    findings
}

/// The findings of the rules about a migration as a whole, and about each of its statements given the schema before it.
fn of_migration<'a>(context: &LintContext<'a>) -> Vec<Draft<'a>> {
    let file_rules = all_rules().filter_map(|rule| rule.file);
    let mut drafts: Vec<Draft<'a>> = file_rules.flat_map(|rule| rule(context)).collect();
    let statement_rules: Vec<_> = all_rules().filter_map(|rule| rule.statement).collect();
    let mut state = Now::new(context.before);
    for step in context.steps {
        drafts.extend(
            statement_rules
                .iter()
                .flat_map(|rule| rule(context, &state, step)),
        );
        state.apply(step);
    }
    drafts.sort_by_key(|draft| draft.range.as_ref().map(|range| range.start));
    drafts
}
