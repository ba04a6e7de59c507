//! Turns a failed step into a finding against its file.

use std::ops::Range;

use domain::{Failure, Script};

use lint::rules::{Draft, Rule};

/// The SQLSTATE of `RAISE EXCEPTION`.
const RAISED: &str = "P0001";

/// The finding against a file that does not run. `subject` is `the migration`, `the revert`, …
pub(super) fn does_not_run<'s>(
    rule: &'static Rule,
    script: &'s Script,
    subject: &str,
    failure: &Failure,
) -> Draft<'s> {
    let code = failure.sqlstate.as_deref().unwrap_or_default();
    let error = match (&failure.detail, &failure.hint) {
        (Some(detail), _) => format!("{} ({detail})", failure.message),
        (None, Some(hint)) => format!("{} ({hint})", failure.message),
        (None, None) => failure.message.clone(),
    };
    let message = if code == RAISED {
        format!("{subject} raises an exception: {error}")
    } else {
        format!("{subject} does not run: {error} [{code}]")
    };
    let draft = Draft::new(rule, script, message);
    match place(&script.text, failure) {
        Some(range) => draft.at(range),
        None => draft,
    }
}

/// Where in the file a step failed: the word at the server's error position, or the whole statement if that is its start.
fn place(text: &str, failure: &Failure) -> Option<Range<usize>> {
    let offset = offset_of(text, failure.line?, failure.column.unwrap_or(1))?;
    let statements = pg_sql::split(text).unwrap_or_default();
    let begins_here = statements.iter().find(|it| it.offset == offset);
    if let Some(statement) = begins_here {
        return Some(offset..offset + statement.text.len());
    }
    let is_of_a_word = |character: char| character.is_alphanumeric() || "_.\"".contains(character);
    let rest = &text[offset..];
    let word = rest.find(|character| !is_of_a_word(character));
    let end = word
        .unwrap_or(rest.len())
        .max(rest.chars().next()?.len_utf8());
    Some(offset..offset + end)
}

/// The byte offset of a line and a column, both 1-based, columns in characters.
fn offset_of(text: &str, line: u32, column: u32) -> Option<usize> {
    let mut start = 0;
    for _ in 1..line {
        start += text[start..].find('\n')? + 1;
    }
    let column = usize::try_from(column).ok()?.checked_sub(1)?;
    let line = text[start..].split('\n').next()?;
    let skipped = line.char_indices().nth(column).map(|(at, _)| at);
    Some(start + skipped.unwrap_or(line.len()))
}

#[cfg(test)]
mod tests {
    use pg_sql::position_at;

    use super::offset_of;

    #[test]
    fn a_line_and_a_column_lead_back_to_the_byte() {
        let text = "SELECT 'é';\n  DROP tàble x;\n\nend";
        for (offset, _) in text.char_indices().filter(|(_, it)| *it != '\n') {
            let position = position_at(text, offset);
            assert_eq!(
                offset_of(text, position.line, position.column),
                Some(offset),
                "{position}"
            );
        }
        assert_eq!(offset_of(text, 9, 1), None);
    }
}
