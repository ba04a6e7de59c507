//! The human output of a failed step: PostgreSQL's error, its place in the file, the state of the database, the next command.

use domain::{
    Diagnostic, Direction, ExitStatus, Failure, MASK, Refusal, RefusalKind, ServiceName, Version,
};

use super::inline;
use super::snippet::Snippet;
use super::style::{Palette, Role};
use super::text::{clean, hanging};
use super::units::count;

/// The width of the file's line if the terminal does not limit it.
const DEFAULT_WIDTH: usize = 120;

/// The maximum number of blockers that are named, root blockers first.
const BLOCKERS: usize = 4;

/// The failed step from its event, and what the run had done in that service before.
#[derive(Clone, Copy, Debug, Default)]
pub struct FailedStep<'a> {
    pub service: Option<&'a ServiceName>,
    /// The migration.
    pub version: Option<Version>,
    /// How many steps of the service this run had finished before.
    pub done_before: usize,
}

/// The lines that explain a failure, without a trailing line end. `width` is that of the terminal.
pub fn render(
    failure: &Failure,
    step: FailedStep<'_>,
    palette: Palette,
    width: Option<usize>,
) -> String {
    let gutter = failure.line.map_or(1, |line| line.to_string().len());
    let object = failure.object.as_ref().map(ToString::to_string);
    let mut lines = title(failure, palette, width);
    lines.extend(location(failure, gutter, palette, width));
    for (name, text) in [
        ("detail", &failure.detail),
        ("object", &object),
        ("hint", &failure.hint),
        ("context", &failure.context),
    ] {
        if let Some(text) = text {
            lines.extend(note(name, text, gutter, palette, width));
        }
    }
    for blocker in failure.blockers.iter().take(BLOCKERS) {
        let text = inline::blocker(blocker);
        lines.extend(note("locked by", &text, gutter, palette, width));
    }
    lines.extend(note(
        "state",
        &state_after(failure, step),
        gutter,
        palette,
        width,
    ));
    lines.extend(next(&failure.next, palette));
    lines.join("\n")
}

/// The heading for an error outside of any step.
pub fn kind(exit_code: ExitStatus, refusal: Option<&Refusal>) -> &'static str {
    match exit_code {
        ExitStatus::Refused if refusal.is_some_and(|it| it.kind == RefusalKind::Gate) => {
            "not ready"
        }
        ExitStatus::Refused => "refused",
        ExitStatus::Unavailable => "unavailable",
        ExitStatus::Cancelled => "cancelled",
        ExitStatus::Done | ExitStatus::Failed | ExitStatus::Usage | ExitStatus::Findings => "error",
    }
}

/// A message without the database names of its addresses: a server that is down gives the same message for each service.
pub fn without_databases(message: &str) -> String {
    let mut shown = String::new();
    for word in message.split_inclusive(char::is_whitespace) {
        let place = word
            .find('@')
            .and_then(|at| Some((at, at + word[at..].find('/')?)));
        let Some((_, slash)) = place else {
            shown.push_str(word);
            continue;
        };
        let rest = &word[slash + 1..];
        let end = rest
            .find(|c: char| c.is_whitespace() || ":;,".contains(c))
            .unwrap_or(rest.len());
        shown.push_str(&word[..slash]);
        shown.push_str(&rest[end..]);
    }
    shown
}

/// An error that ends a command: what is wrong, why, and the next command.
pub fn command_error(error: &Diagnostic, palette: Palette) -> String {
    // A cancellation is not an error: the user asked for it.
    if error.is_cancelled() {
        return palette.paint(Role::Warning, &clean(&error.to_string()));
    }
    let mut lines = what_and_why("error", &error.message, error, palette, None);
    lines.extend(error.next.iter().flat_map(|text| next(text, palette)));
    lines.join("\n")
}

/// The lines of an error outside of any step, with its causes and the hint of the server.
pub(super) fn what_and_why(
    head: &str,
    message: &str,
    error: &Diagnostic,
    palette: Palette,
    width: Option<usize>,
) -> Vec<String> {
    let hint = error.server_error.as_ref().and_then(|it| it.hint.as_ref());
    let causes = error.causes.iter().map(|cause| ("  because: ", cause));
    let hint = hint.map(|hint| ("  hint: ", hint));
    let mut lines = headed(head, message, palette, width);
    lines.extend(
        causes
            .chain(hint)
            .flat_map(|(name, text)| hanging(name, &clean(text), width)),
    );
    lines
}

fn title(failure: &Failure, palette: Palette, width: Option<usize>) -> Vec<String> {
    let kind = kind(failure.exit_code, None);
    let head = match &failure.sqlstate {
        Some(code) => format!("{kind}[{code}]"),
        None => kind.to_owned(),
    };
    headed(&head, &failure.message, palette, width)
}

/// A red heading, and a bold text with a hanging indent.
pub(super) fn headed(
    head: &str,
    text: &str,
    palette: Palette,
    width: Option<usize>,
) -> Vec<String> {
    let first = format!("{head}: ");
    hanging(&first, &clean(text), width)
        .into_iter()
        .enumerate()
        .map(|(index, line)| match line.strip_prefix(head) {
            Some(rest) if index == 0 => format!(
                "{}{}",
                palette.paint(Role::Bad, head),
                palette.paint(Role::Strong, rest)
            ),
            _ => palette.paint(Role::Strong, &line),
        })
        .collect()
}

fn location(
    failure: &Failure,
    gutter: usize,
    palette: Palette,
    width: Option<usize>,
) -> Vec<String> {
    let mut place = clean(&failure.file);
    for number in [failure.line, failure.line.and(failure.column)]
        .into_iter()
        .flatten()
    {
        place.push_str(&format!(":{number}"));
    }
    let blank = " ".repeat(gutter);
    let arrow = palette.paint(Role::Accent, "-->");
    let mut lines = vec![format!("{blank}{arrow} {place}")];
    let (Some(line), Some(source)) = (failure.line, &failure.source_line) else {
        return lines;
    };
    let room = width.unwrap_or(DEFAULT_WIDTH).saturating_sub(gutter + 3);
    // Columns refer to the file, not to the text that replaces a secret.
    let column = failure.column.filter(|_| !source.contains(MASK));
    let snippet = Snippet::new(source, column, room);
    let bar = palette.paint(Role::Accent, "|");
    let number = palette.paint(Role::Accent, &line.to_string());
    lines.push(format!("{blank} {bar}"));
    lines.push(
        format!("{number} {bar} {}", snippet.line)
            .trim_end()
            .to_owned(),
    );
    if let Some(carets) = snippet.carets() {
        // Blanks stay unpainted, so that only the carets are colored.
        let blanks = carets.len() - carets.trim_start().len();
        let mark = palette.paint(Role::Bad, carets.trim_start());
        lines.push(format!("{blank} {bar} {}{mark}", " ".repeat(blanks)));
    }
    lines.push(format!("{blank} {bar}"));
    lines
}

fn note(
    name: &str,
    text: &str,
    gutter: usize,
    palette: Palette,
    width: Option<usize>,
) -> Vec<String> {
    let first = format!("{} = {name}: ", " ".repeat(gutter));
    let sign = palette.paint(Role::Accent, "=");
    let word = palette.paint(Role::Strong, &format!("{name}:"));
    let painted = format!("{} {sign} {word} ", " ".repeat(gutter));
    let mut lines = hanging(&first, &clean(text), width);
    if let Some(rest) = lines[0].strip_prefix(&first) {
        lines[0] = format!("{painted}{rest}");
    }
    lines
}

/// The `next:` line. It is never wrapped, because it contains commands to copy.
pub fn next(text: &str, palette: Palette) -> Vec<String> {
    let first = "next: ";
    let mut lines = hanging(first, &clean(text), None);
    if let Some(rest) = lines[0].strip_prefix(first) {
        lines[0] = format!("{}{rest}", palette.paint(Role::Strong, first));
    }
    lines
}

/// Describes the state that the failed step left in the database.
fn state_after(failure: &Failure, step: FailedStep<'_>) -> String {
    let mut subject = step
        .service
        .map(|service| format!("{service} "))
        .unwrap_or_default();
    if let Some(version) = step.version {
        subject.push_str(&format!("{version} "));
    }
    subject.push_str(&clean(&failure.name));
    let own = match (
        failure.direction,
        failure.statements_done,
        failure.statements,
    ) {
        (_, Some(done), Some(all)) if done > 0 => format!(
            "{subject} is interrupted: {done} of {} done; the next run resumes there",
            count(all, "statement"),
        ),
        (Direction::Up, _, _) if failure.rolled_back => {
            format!("{subject} is rolled back; nothing of it remains in the database")
        }
        (Direction::Down, _, _) if failure.rolled_back => {
            format!("the revert of {subject} is rolled back; the migration is still applied")
        }
        (_, Some(_), Some(_)) => {
            format!("no statement of {subject} is recorded as done")
        }
        _ => format!(
            "it is unknown whether {subject} was committed; the next run checks before it changes anything"
        ),
    };
    let own = std::iter::once(own.as_str())
        .chain(failure.left.iter().map(String::as_str))
        .collect::<Vec<_>>()
        .join("; left: ");
    let verb = match failure.direction {
        Direction::Up => "applied",
        Direction::Down => "reverted",
    };
    match step.done_before {
        0 => own,
        1 => format!("{own}; 1 migration {verb} before it remains"),
        done => format!(
            "{own}; {} {verb} before it remain",
            count(done, "migration")
        ),
    }
}
