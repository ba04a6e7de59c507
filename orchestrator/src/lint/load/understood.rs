//! Whether a file can be held to the rules at all: whether the linter understands it, and the engine runs it. Floor 3.

use shared::domain::{Direction, Hazard, Migration, Script, Service};
use shared::planning;
use shared::sql::Lines;

use crate::lint::line::trimmed_line;
use crate::lint::{Change, LintedFile, Step};
use crate::rules::{Draft, slugs};

/// What stands in the way of running the file, or of reading it.
pub(super) fn drafts<'a>(file: &LintedFile<'a>) -> Vec<Draft<'a>> {
    let text = &file.script.text;
    if let Some(at) = file.too_deep {
        let lines = Lines::of(text);
        let line = trimmed_line(&lines, lines.position_at(at).line);
        return vec![too_deep(file.script).at(line)];
    }
    match runnable(file.service, file.migration, file.direction) {
        // The engine says more precisely what the linter would only not understand.
        Err(refused) => vec![refused],
        Ok(hazards) => {
            let lines = Lines::of(text);
            let outside = hazards
                .into_iter()
                .filter(|hazard| hazard.hazard == "needs-no-transaction");
            let mut drafts: Vec<Draft<'a>> = outside
                .map(|hazard| {
                    let draft =
                        Draft::new(&slugs::NEEDS_NO_TRANSACTION, file.script, hazard.detail);
                    match hazard.line {
                        Some(number) => draft.at(trimmed_line(&lines, number)),
                        None => draft,
                    }
                })
                .collect();
            drafts.extend(not_understood(file));
            drafts.extend(unread(file));
            drafts
        }
    }
}

/// What is held against a file of which not everything is analyzed.
fn too_deep(script: &Script) -> Draft<'_> {
    let message = "this is nested too deeply to be analyzed: no rule was checked on it";
    Draft::new(&slugs::TOO_DEEP, script, message).safe_form(
        "use lists such as IN (…) and VALUES (…), … instead of thousands of operators or levels",
    )
}

/// The same for SQL within blocks.
pub(in crate::lint) fn too_deep_within<'a>(script: &'a Script, steps: &[Step]) -> Vec<Draft<'a>> {
    let acts = steps.iter().flat_map(|step| &step.acts);
    acts.filter(|act| matches!(act.change, Change::TooDeep))
        .map(|act| too_deep(script).at(act.range.clone()))
        .collect()
}

/// What a reviewer should know of a file that the engine runs.
///
/// # Errors
/// The finding against a file that the engine refuses to run.
pub fn runnable<'a>(
    service: &Service,
    migration: &'a Migration,
    direction: Direction,
) -> Result<Vec<Hazard>, Draft<'a>> {
    let step = planning::step(service, migration, direction);
    step.map(|step| step.hazards).map_err(|refused| {
        let script = planning::script(migration, direction);
        let place = trimmed_line(&Lines::of(&script.text), refused.line);
        Draft::new(&slugs::ENGINE_REFUSES, script, refused.problem).at(place)
    })
}

/// What the blocks of a file run that their text does not show.
fn unread<'a>(file: &LintedFile<'a>) -> impl Iterator<Item = Draft<'a>> {
    let unread = file.unfolded.unread.iter();
    unread.map(|(range, what)| {
        let message = format!(
            "the linter cannot read the SQL that this runs, so no rule was checked on it: {what}"
        );
        Draft::new(&slugs::NOT_UNDERSTOOD, file.script, message)
            .at(range.clone())
            .safe_form("write the statements out where they are known; a rehearsal runs the others")
    })
}

/// The first place that the linter does not understand: what it says of the rest follows from there.
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
    Some(Draft::new(&slugs::NOT_UNDERSTOOD, file.script, message).at(start..end))
}
