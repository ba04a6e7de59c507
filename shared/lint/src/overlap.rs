//! Findings of the text and of a rehearsal that report the same problem.

use domain::Finding;

use crate::rules::{Rule, slugs};

/// The rules of a rehearsal, each with the text rules that predict the same problem.
static OVERLAPPING_RULES: [(&Rule, &[&Rule]); 7] = [
    (
        &slugs::REWRITES_TABLE,
        &[
            &slugs::COLUMN_TYPE_CHANGE,
            &slugs::VOLATILE_DEFAULT,
            &slugs::STORED_GENERATED_COLUMN,
            &slugs::VACUUM_FULL,
        ],
    ),
    (
        &slugs::SCANS_UNDER_LOCK,
        &[
            &slugs::INDEX_NOT_CONCURRENT,
            &slugs::REINDEX_NOT_CONCURRENT,
            &slugs::CONSTRAINT_NOT_VALID,
            &slugs::UNIQUE_CONSTRAINT,
            &slugs::DOMAIN_CONSTRAINT,
            &slugs::FOREIGN_KEY_NOT_VALID,
            &slugs::NOT_NULL_STEPS,
        ],
    ),
    (
        &slugs::UP_FAILS,
        &[
            &slugs::NEEDS_NO_TRANSACTION,
            &slugs::NOT_UNDERSTOOD,
            &slugs::DUPLICATE_ASSIGNMENT,
            &slugs::FOREIGN_KEY_ORDER,
            &slugs::ENUM_VALUE_USED,
        ],
    ),
    (
        &slugs::REVERT_FAILS,
        &[
            &slugs::NEEDS_NO_TRANSACTION,
            &slugs::NOT_UNDERSTOOD,
            &slugs::DUPLICATE_ASSIGNMENT,
        ],
    ),
    (&slugs::REVERT_MISSING, &[&slugs::REVERT_MISSING]),
    (&slugs::ENGINE_REFUSES, &[&slugs::ENGINE_REFUSES]),
    (
        &slugs::LOCK_HELD_OVER_DATA_CHANGE,
        &[&slugs::MIXED_SCHEMA_AND_DATA],
    ),
];

/// Whether both findings report the same problem of the same statement.
pub fn is_same(text: &Finding, seen: &Finding) -> bool {
    let is_there = match (text.place, seen.place) {
        (Some(one), Some(other)) => one.line <= other.end_line && other.line <= one.end_line,
        _ => true,
    };
    let pair = || {
        OVERLAPPING_RULES
            .iter()
            .find(|(rule, _)| rule.slug == seen.rule)
    };
    is_there
        && text.version == seen.version
        && pair().is_some_and(|(_, predicted)| predicted.iter().any(|rule| rule.slug == text.rule))
        && (&text.service, &text.file) == (&seen.service, &seen.file)
}

/// Applies the findings of the text to one of the rehearsal: the safe forms, and the reasons, of those that report the same. A
/// reason for one covers both, so that a file that passes without a rehearsal also passes with one.
pub fn overlap(text: &[Finding], seen: &mut Finding) {
    for text in text {
        if is_same(text, seen) {
            seen.allowed = seen.allowed.take().or_else(|| text.allowed.clone());
            seen.safe_form = text.safe_form.clone().or_else(|| seen.safe_form.take());
            seen.place = seen.place.or(text.place);
        }
    }
}
