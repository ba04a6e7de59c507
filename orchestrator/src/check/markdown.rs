//! A report as Markdown, for a job summary.

use std::collections::BTreeMap;

use domain::{Finding, ServiceName, Severity, mask_secrets};
use report::clean;
use report::units::count;

use super::{Paths, Report, Summary};

/// At most this many findings are listed; the rest are counted.
const MOST: usize = 100;

/// A heading, a table of services, and the findings.
pub fn job_summary(report: &Report, paths: &Paths) -> String {
    let Summary {
        services,
        migrations,
        errors,
        warnings,
        allowed,
        rehearsed,
        proven,
    } = report.summary;
    let mut text = format!(
        "## Migrations: {}, {}, {allowed} allowed\n\n{} of {} checked.\n",
        count(errors, "error"),
        count(warnings, "warning"),
        count(migrations, "migration"),
        count(services, "service"),
    );
    if rehearsed > 0 {
        text.push_str(&format!(
            "{} rehearsed: {proven} proven reversible.\n",
            count(rehearsed, "migration")
        ));
    }
    for failed in &report.failed {
        text.push_str(&format!(
            "\n{} was not rehearsed: {}\n",
            failed.service,
            cell(&failed.error.0.to_string())
        ));
    }
    text.push_str(&per_service(report));
    let mut shown: Vec<&Finding> = report
        .findings
        .iter()
        .filter(|finding| finding.allowed.is_none())
        .collect();
    shown.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    if !shown.is_empty() {
        text.push_str("\n| | rule | where | |\n|---|---|---|---|\n");
    }
    for finding in shown.iter().take(MOST) {
        text.push_str(&row(finding, paths));
    }
    if shown.len() > MOST {
        text.push_str(&format!("\n{} more.\n", shown.len() - MOST));
    }
    text.push('\n');
    clean(&mask_secrets(&text))
}

fn per_service(report: &Report) -> String {
    let mut services: BTreeMap<&ServiceName, [usize; 3]> = BTreeMap::new();
    for finding in &report.findings {
        let column = match (&finding.allowed, finding.severity) {
            (Some(_), _) => 2,
            (None, Severity::Warning) => 1,
            (None, Severity::Error) => 0,
        };
        services.entry(&finding.service).or_default()[column] += 1;
    }
    if services.is_empty() {
        return String::new();
    }
    let mut text = "\n| service | errors | warnings | allowed |\n|---|---:|---:|---:|\n".to_owned();
    for (service, [errors, warnings, allowed]) in services {
        text.push_str(&format!(
            "| {service} | {errors} | {warnings} | {allowed} |\n"
        ));
    }
    text
}

fn row(finding: &Finding, paths: &Paths) -> String {
    let line = finding
        .place
        .map(|place| format!(":{}", place.line))
        .unwrap_or_default();
    let safe_form = match &finding.safe_form {
        Some(words) => format!("<br>safe: {}", cell(words)),
        None => String::new(),
    };
    format!(
        "| {} | {} | {}{line} | {}{safe_form} |\n",
        finding.severity,
        finding.rule,
        cell(&paths.relative(&finding.file)),
        cell(&finding.message)
    )
}

/// Escapes text so that it neither ends the cell nor is parsed as markup.
fn cell(text: &str) -> String {
    let mut cell = String::new();
    for character in text.chars() {
        match character {
            '\n' | '\r' | '\t' => cell.push(' '),
            '<' => cell.push_str("&lt;"),
            '>' => cell.push_str("&gt;"),
            '&' => cell.push_str("&amp;"),
            '|' | '`' | '*' | '_' | '[' | ']' | '\\' | '#' | '~' => {
                cell.push('\\');
                cell.push(character);
            }
            other if other.is_control() => cell.push('\u{fffd}'),
            other => cell.push(other),
        }
    }
    cell
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn sql_in_a_cell_is_escaped() {
        assert_eq!(
            cell("a | b\nc_d `x` <b> [y]"),
            "a \\| b c\\_d \\`x\\` &lt;b&gt; \\[y\\]"
        );
    }
}
