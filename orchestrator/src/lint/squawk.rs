//! squawk's linter, told what it takes to be right about one file.
//!
//! Responsible for: running it, a new one for each file since it collects what it reports. Not for: what its rules are called here, nor
//! what it cannot know (`load`). Floor 3.

use squawk_linter::{Linter, LinterSettings, Rule, Violation};
use squawk_syntax::{Parse, SourceFile};

/// Comments by which people steer squawk. Here they do nothing: the directive `allow` wants a reason, which these do not.
const COMMENT: &str = "squawk-";
/// As long, so that every place stays where it is.
const NO_COMMENT: &str = "squawk_";

/// squawk asks for this one from this version on, but the statements rewrite a table on every version.
const REPACK_FROM: i32 = 19;

/// What some of squawk's rules report in a text.
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
    // Within a transaction squawk holds its tongue on tables that the file makes, also where `IF NOT EXISTS` may make nothing.
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
