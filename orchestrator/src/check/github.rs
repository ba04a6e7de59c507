//! A report as GitHub workflow commands: each becomes an annotation of its line.
//!
//! <https://docs.github.com/actions/reference/workflow-commands-for-github-actions>

use domain::{Finding, Severity, mask_secrets};
use report::clean;

use super::{Paths, Report, Scope};

/// One command for each finding that is not allowed and is on new lines.
pub fn annotations(report: &Report, scope: &Scope, paths: &Paths) -> String {
    let shown = report
        .findings
        .iter()
        .filter(|finding| finding.allowed.is_none() && scope.is_on_new_lines(finding));
    shown.map(|finding| command(finding, paths)).collect()
}

fn command(finding: &Finding, paths: &Paths) -> String {
    let word = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let mut properties = vec![format!("file={}", property(&paths.relative(&finding.file)))];
    if let Some(place) = finding.place {
        properties.push(format!("line={},endLine={}", place.line, place.end_line));
        // GitHub ignores columns of a range of several lines.
        if place.line == place.end_line {
            properties.push(format!(
                "col={},endColumn={}",
                place.column, place.end_column
            ));
        }
    }
    properties.push(format!("title={}", property(&finding.rule)));
    let mut message = finding.message.clone();
    if let Some(safe_form) = &finding.safe_form {
        message.push_str(&format!("\nsafe: {safe_form}"));
    }
    format!("::{word} {}::{}\n", properties.join(","), data(&message))
}

fn data(text: &str) -> String {
    clean(&mask_secrets(text))
        .replace('%', "%25")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::{data, property};

    #[test]
    fn characters_special_to_github_are_escaped() {
        assert_eq!(data("100 % of a,b: c\r\nd"), "100 %25 of a,b: c%0Ad");
        assert_eq!(property("a,b:c%\n"), "a%2Cb%3Ac%25%0A");
    }
}
