//! Applies all guide rules to one file.

use time::OffsetDateTime;

use super::{columns, data, drops, enums, foreign_keys, mixed_case, naming, order, revert};
use crate::change::Step;
use crate::context::{LintContext, Now};
use crate::file::LintedFile;
use crate::rules::Draft;

/// A rule that checks one statement, given the schema before it.
type StatementRule = for<'a> fn(&LintContext<'a>, &Now, &Step) -> Vec<Draft<'a>>;

/// A rule that checks a file as a whole.
type FileRule = for<'a> fn(&LintContext<'a>) -> Vec<Draft<'a>>;

const STATEMENT_RULES: &[StatementRule] = &[
    naming::index,
    naming::foreign_key,
    naming::style,
    enums::unguarded,
    foreign_keys::order,
    foreign_keys::unindexed,
    columns::not_null_steps,
    data::without_where,
    data::unbatched,
    drops::with_dependants,
    mixed_case::unquoted,
];

const FILE_RULES: &[FileRule] = &[enums::value_used, foreign_keys::not_valid, data::mixed];

/// The guide's findings about a migration; `down` is the file of its revert.
pub fn drafts<'a>(
    context: &LintContext<'a>,
    down: Option<&LintedFile<'a>>,
    now: OffsetDateTime,
) -> Vec<Draft<'a>> {
    let mut drafts = revert::missing(context, down);
    drafts.extend(order::in_future(context, now));
    for rule in FILE_RULES {
        drafts.extend(rule(context));
    }
    let mut state = Now::new(context.before);
    for step in context.steps {
        for rule in STATEMENT_RULES {
            drafts.extend(rule(context, &state, step));
        }
        state.apply(step);
    }
    drafts.sort_by_key(|draft| draft.range.as_ref().map(|range| range.start));
    drafts
}
