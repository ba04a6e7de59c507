//! Whether a file can be checked at all: the linter can parse it, and the engine can run it.

use domain::{Direction, Migration, Script};
use pg_sql::Lines;

use super::{Draft, rule};
use crate::line::trimmed_line;
use crate::{Change, LintedFile, Step};

rule! {
    NOT_UNDERSTOOD = Warning "not-understood": "The linter can parse the file.";
    TOO_DEEP = Error "too-deep": "No statement is nested too deeply to be analyzed.";
    ENGINE_REFUSES = Error "engine-refuses": "The engine can run the file: no transaction control, no COPY FROM STDIN and no psql commands.";
    NEEDS_NO_TRANSACTION = Error "needs-no-transaction": "A statement that cannot run in a transaction is in a file with `-- migration: no-transaction`.";
}

/// The findings about a file that the engine refuses or the linter cannot parse.
pub(crate) fn drafts<'a>(file: &LintedFile<'a>) -> Vec<Draft<'a>> {
    let text = &file.script.text;
    if let Some(at) = file.too_deep {
        let lines = Lines::of(text);
        let line = trimmed_line(&lines, lines.position_at(at).line);
        return vec![too_deep(file.script).at(line)];
    }
    match runnable(file.migration, file.direction) {
        // The refusal of the engine is more precise than a syntax error of the linter.
        Err(refused) => vec![refused],
        Ok(outside) => {
            let mut drafts = outside;
            drafts.extend(not_understood(file));
            drafts.extend(unread(file));
            drafts
        }
    }
}

/// The finding about a file that is not fully analyzed.
fn too_deep(script: &Script) -> Draft<'_> {
    let message = "this is nested too deeply to be analyzed: no rule was checked on it";
    Draft::new(&TOO_DEEP, script, message).safe_form(
        "use lists such as IN (…) and VALUES (…), … instead of thousands of operators or levels",
    )
}

/// The same finding for SQL within blocks.
pub(crate) fn too_deep_within<'a>(script: &'a Script, steps: &[Step]) -> Vec<Draft<'a>> {
    let acts = steps.iter().flat_map(|step| &step.acts);
    acts.filter(|act| matches!(act.change, Change::TooDeep))
        .map(|act| too_deep(script).at(act.range.clone()))
        .collect()
}

/// The findings about the statements of a file that cannot run in its transaction.
///
/// # Errors
/// The finding about a file that the engine refuses to run.
pub fn runnable(migration: &Migration, direction: Direction) -> Result<Vec<Draft<'_>>, Draft<'_>> {
    let script = migration.script(direction);
    let lines = Lines::of(&script.text);
    let line = |offset| trimmed_line(&lines, lines.position_at(offset).line);
    let outside =
        pg_sql::runnable(&script.text, script.directives.no_transaction).map_err(|refused| {
            Draft::new(&ENGINE_REFUSES, script, refused.problem).at(line(refused.offset))
        })?;
    let drafts = outside.into_iter().map(|(offset, what)| {
        let message =
            format!("{what} cannot run in a transaction: add `-- migration: no-transaction`");
        Draft::new(&NEEDS_NO_TRANSACTION, script, message).at(line(offset))
    });
    Ok(drafts.collect())
}

/// The findings about SQL in blocks that is not in their text.
fn unread<'a>(file: &LintedFile<'a>) -> impl Iterator<Item = Draft<'a>> {
    let unread = file.unfolded.unread.iter();
    unread.map(|(range, what)| {
        let message = format!(
            "the linter cannot read the SQL that this runs, so no rule was checked on it: {what}"
        );
        Draft::new(&NOT_UNDERSTOOD, file.script, message)
            .at(range.clone())
            .safe_form("write the statements out where they are known; a rehearsal runs the others")
    })
}

/// The first syntax error: later ones are usually consequences of it.
fn not_understood<'a>(file: &LintedFile<'a>) -> Option<Draft<'a>> {
    let errors = file.syntax.errors();
    let first = errors.first()?;
    let message = format!(
        "the linter cannot parse this, so the rules were not checked on the whole file: {}",
        first.message()
    );
    let (start, end) = (
        usize::from(first.range().start()),
        usize::from(first.range().end()),
    );
    let what = if file.direction == Direction::Up {
        "migration"
    } else {
        "revert"
    };
    tracing::debug!(
        file = file.script.path,
        what,
        errors = errors.len(),
        "not understood"
    );
    Some(Draft::new(&NOT_UNDERSTOOD, file.script, message).at(start..end))
}
