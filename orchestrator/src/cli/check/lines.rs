//! The human output of `check`: the SQL with the place underlined, the reason, the safe form.

use std::collections::{BTreeMap, BTreeSet};

use domain::{Finding, Severity, rerun};
use pg_sql::Lines;
use report::failure::command_error;
use report::units::count;
use report::{Palette, Role, Snippet, clean, hanging};
use service_cli::command::Context;

use crate::check::{Report, Summary, Unrehearsed};
use crate::cli::differences::differences;

/// Columns for a line of SQL where the terminal does not limit them.
const WIDTH: usize = 120;

pub(super) fn human(report: &Report, texts: &BTreeMap<&str, &str>, context: &Context) -> String {
    let palette = context.terminal.out;
    let width = context.terminal.width;
    let verbose = context.globals.verbose > 0;
    let quiet = context.globals.quiet;
    let shown = report
        .findings
        .iter()
        .filter(|finding| match finding.allowed {
            Some(_) => verbose,
            None => !quiet || finding.severity == Severity::Error,
        });
    let alike = alike(report);
    let mut seen: BTreeSet<Kind<'_>> = BTreeSet::new();
    let mut text = String::new();
    // Findings are sorted by file.
    let mut known: Option<(&str, Lines<'_>)> = None;
    for finding in shown {
        let kind = (finding.file.as_str(), finding.rule.as_str());
        let more = match alike.get(&kind) {
            Some(number) if !verbose && !finding.counts() => number - 1,
            _ => 0,
        };
        if more > 0 && !seen.insert(kind) {
            continue;
        }
        let source = match &known {
            Some((file, lines)) if *file == finding.file => Some(lines),
            _ => {
                let text = texts.get(finding.file.as_str());
                known = text.map(|text| (finding.file.as_str(), Lines::of(text)));
                known.as_ref().map(|(_, lines)| lines)
            }
        };
        for line in block(finding, source, palette, width) {
            text.push_str(&line);
            text.push('\n');
        }
        text.push_str(&differences(&finding.differences, palette));
        if more > 0 {
            let note = format!("  and {more} more like this in the file (shown with -v)\n");
            text.push_str(&palette.paint(Role::Quiet, &note));
        }
        text.push('\n');
    }
    text.push_str(&not_rehearsed(report, palette));
    text.push_str(&sums(&report.summary, palette));
    text
}

/// The file and the rule of a warning.
type Kind<'a> = (&'a str, &'a str);

/// The number of warnings per file and rule: only the first of each is shown.
fn alike(report: &Report) -> BTreeMap<Kind<'_>, usize> {
    let mut alike = BTreeMap::new();
    for finding in &report.findings {
        if finding.allowed.is_none() && finding.severity == Severity::Warning {
            *alike
                .entry((finding.file.as_str(), finding.rule.as_str()))
                .or_default() += 1;
        }
    }
    alike
}

/// Services that could not be rehearsed, with the cause.
pub(super) fn unrehearsed(failed: &[Unrehearsed], palette: Palette) -> String {
    let lines = failed.iter().map(|failed| {
        let error = failed.error.0.clone();
        command_error(
            &error.within(format!("cannot rehearse {}", failed.service)),
            palette,
        ) + "\n"
    });
    lines.collect()
}

/// Migrations that were not rehearsed, with the cause.
fn not_rehearsed(report: &Report, palette: Palette) -> String {
    let mut text = unrehearsed(&report.failed, palette);
    for left_out in &report.left_out {
        let word = palette.paint(Role::Warning, "skipped");
        text.push_str(&format!(
            "{word}  {} {} was not rehearsed: an earlier migration fails\n",
            left_out.service, left_out.version
        ));
    }
    text
}

/// One finding: the place, the SQL, the reason.
pub(crate) fn block(
    finding: &Finding,
    source: Option<&Lines<'_>>,
    palette: Palette,
    width: Option<usize>,
) -> Vec<String> {
    let mut lines = vec![head(finding, palette)];
    lines.extend(snippet(finding, source, palette, width));
    let indent = "  ";
    lines.extend(hanging(indent, &clean(&finding.message), width));
    if let Some(safe_form) = &finding.safe_form {
        let lead = format!("{indent}safe: ");
        let mut safe = hanging(&lead, &clean(safe_form), width);
        if let Some(rest) = safe.first().and_then(|line| line.strip_prefix(&lead)) {
            safe[0] = format!("{indent}{} {rest}", palette.paint(Role::Strong, "safe:"));
        }
        lines.extend(safe);
    }
    if let Some(reason) = &finding.allowed {
        lines.extend(hanging(
            &format!("{indent}allowed: "),
            &clean(reason),
            width,
        ));
    }
    lines
}

fn head(finding: &Finding, palette: Palette) -> String {
    let word = match (&finding.allowed, finding.severity) {
        (Some(_), _) => palette.paint(Role::Quiet, "allowed"),
        (None, Severity::Error) => palette.paint(Role::Bad, "error"),
        (None, Severity::Warning) => palette.paint(Role::Warning, "warning"),
    };
    let place = finding
        .place
        .map(|place| format!(":{}:{}", place.line, place.column))
        .unwrap_or_default();
    let slug = palette.paint(Role::Strong, &finding.rule);
    format!("{word}  {}{place}  {slug}", clean(&finding.file))
}

/// The first line of the SQL at fault, underlined.
fn snippet(
    finding: &Finding,
    source: Option<&Lines<'_>>,
    palette: Palette,
    width: Option<usize>,
) -> Vec<String> {
    let Some(place) = finding.place else {
        return Vec::new();
    };
    let Some(line) = source.and_then(|lines| lines.line(place.line)) else {
        return Vec::new();
    };
    let line = line.strip_suffix('\r').unwrap_or(line);
    let number = place.line.to_string();
    let blank = " ".repeat(number.len());
    let room = width.unwrap_or(WIDTH).saturating_sub(number.len() + 5);
    let end = (place.end_line == place.line).then_some(place.end_column);
    let snippet = Snippet::spanning(line, place.column, end, room);
    let bar = palette.paint(Role::Accent, "|");
    let number = palette.paint(Role::Accent, &number);
    let mut lines = vec![
        format!("  {number} {bar} {}", snippet.line)
            .trim_end()
            .to_owned(),
    ];
    if let Some(carets) = snippet.carets() {
        let role = if finding.counts() {
            Role::Bad
        } else {
            Role::Warning
        };
        // Spaces stay outside the color, so that only the carets are painted.
        let lead = carets.len() - carets.trim_start().len();
        let mark = palette.paint(role, carets.trim_start());
        lines.push(format!("  {blank} {bar} {}{mark}", " ".repeat(lead)));
    }
    lines
}

fn sums(summary: &Summary, palette: Palette) -> String {
    let mut looked = format!(
        "{} of {} checked",
        count(summary.migrations, "migration"),
        count(summary.services, "service")
    );
    if summary.rehearsed > 0 {
        looked.push_str(&format!(
            ", {} rehearsed, {} proven reversible",
            summary.rehearsed, summary.proven
        ));
    }
    let mut found = Vec::new();
    if summary.errors > 0 {
        found.push(palette.paint(Role::Bad, &count(summary.errors, "error")));
    }
    if summary.warnings > 0 {
        found.push(palette.paint(Role::Warning, &count(summary.warnings, "warning")));
    }
    if found.is_empty() {
        found.push(palette.paint(Role::Good, "nothing found"));
    }
    if summary.allowed > 0 {
        found.push(format!("{} allowed", summary.allowed));
    }
    let mut text = format!("{looked}: {}\n", found.join(", "));
    if summary.errors > 0 {
        text.push_str(
            &format!(
                "next: {}\n",
                rerun(
                    "first fix the errors (docs/rules/<rule>.md), or allow them: -- migration: allow <rule> \"why\""
                )
            ),
        );
    }
    text
}
