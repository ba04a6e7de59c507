//! Runs squawk's linter on one file, with the right settings.
//!
//! Responsible for running a new linter per file, since it accumulates its reports. Not for our names of its rules, nor
//! for what it cannot know (`load`).

use squawk_linter::{Linter, LinterSettings, Rule, Violation};
use squawk_syntax::{Parse, SourceFile};

/// Comments that control squawk. They have no effect here: `allow` directives require a reason, and these do not.
const COMMENT: &str = "squawk-";
/// Has the same length, so that offsets do not change.
const NO_COMMENT: &str = "squawk_";

/// squawk applies this rule from this version on, but the statements rewrite a table on every version.
const REPACK_FROM: i32 = 19;

/// The violations of some squawk rules in a text.
pub(super) fn violations(
    text: &str,
    syntax: &Parse<SourceFile>,
    rules: &[Rule],
    postgres: u16,
    in_transaction: bool,
) -> Vec<Violation> {
    let neutral = text
        .contains(COMMENT)
        .then(|| text.replace(COMMENT, NO_COMMENT));
    let parsed = neutral.as_deref().map(SourceFile::parse);
    let (text, syntax) = (
        neutral.as_deref().unwrap_or(text),
        parsed.as_ref().unwrap_or(syntax),
    );
    let postgres = i32::from(postgres);
    // Assuming a transaction, squawk ignores tables that the file creates, even if `IF NOT EXISTS` may create nothing.
    let mut found = lint(text, syntax, rules, postgres, false);
    if in_transaction && rules.contains(&Rule::ConstraintMissingNotValid) {
        found.extend(lint(
            text,
            syntax,
            &[Rule::ConstraintMissingNotValid],
            postgres,
            true,
        ));
    }
    if rules.contains(&Rule::PreferRepack) {
        found.extend(lint(
            text,
            syntax,
            &[Rule::PreferRepack],
            REPACK_FROM,
            in_transaction,
        ));
    }
    found.sort_by_key(|violation| (violation.text_range.start(), violation.text_range.end()));
    found.dedup();
    found
}

fn lint(
    text: &str,
    syntax: &Parse<SourceFile>,
    rules: &[Rule],
    postgres: i32,
    assume_in_transaction: bool,
) -> Vec<Violation> {
    let mut linter = Linter::from(rules.to_vec());
    linter.settings = LinterSettings {
        pg_version: postgres.to_string().parse().unwrap_or_default(),
        assume_in_transaction,
    };
    linter.lint(syntax, text)
}
