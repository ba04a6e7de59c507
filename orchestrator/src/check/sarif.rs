//! A report as SARIF 2.1.0, the exchange format of code scanners.
//!
//! <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>

use std::collections::BTreeMap;

use domain::{Finding, Severity};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Paths, Report};
use lint::rules::{RULES, Rule, Rulebook};

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// The SARIF document. `texts` are the contents of files by their paths in findings.
pub fn sarif(
    report: &Report,
    rulebook: &Rulebook,
    texts: &BTreeMap<&str, &str>,
    paths: &Paths,
) -> Value {
    let all: Vec<&Rule> = RULES
        .iter()
        .flat_map(|family| family.iter())
        .copied()
        .collect();
    let mut seen = BTreeMap::new();
    let results: Vec<Value> = report
        .findings
        .iter()
        .map(|finding| result(finding, &all, texts, paths, &mut seen))
        .collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "orchestrator",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": all.iter().map(|rule| description(rule, rulebook)).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn description(rule: &Rule, rulebook: &Rulebook) -> Value {
    let severity = rulebook.severity(rule);
    json!({
        "id": rule.slug,
        "shortDescription": {"text": rule.summary},
        "help": {"text": rule.summary, "markdown": rule.page},
        "defaultConfiguration": {
            "enabled": severity.is_some(),
            "level": level(severity.unwrap_or(rule.severity)),
        },
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn result(
    finding: &Finding,
    rules: &[&Rule],
    texts: &BTreeMap<&str, &str>,
    paths: &Paths,
    seen: &mut BTreeMap<String, u32>,
) -> Value {
    let path = paths.relative(&finding.file);
    let message = match &finding.safe_form {
        Some(safe_form) => format!("{}\nsafe: {safe_form}", finding.message),
        None => finding.message.clone(),
    };
    let mut physical = json!({"artifactLocation": {"uri": uri(&path)}});
    if let Some(place) = finding.place {
        physical["region"] = json!({
            "startLine": place.line,
            "startColumn": place.column,
            "endLine": place.end_line,
            "endColumn": place.end_column,
        });
    }
    let suppressions: Vec<Value> = finding
        .allowed
        .iter()
        .map(|reason| json!({"kind": "inSource", "justification": reason}))
        .collect();
    let mut result = json!({
        "ruleId": finding.rule,
        "level": level(finding.severity),
        "message": {"text": message},
        "locations": [{"physicalLocation": physical}],
        "partialFingerprints": {"migration/v1": fingerprint(finding, &path, texts, seen)},
        "suppressions": suppressions,
        "properties": {"service": finding.service},
    });
    if let Some(index) = rules.iter().position(|rule| rule.slug == finding.rule) {
        result["ruleIndex"] = json!(index);
    }
    if let Some(version) = finding.version {
        result["properties"]["version"] = json!(version);
    }
    result
}

/// A fingerprint that does not change when a statement moves in its file; equal statements are numbered.
fn fingerprint(
    finding: &Finding,
    path: &str,
    texts: &BTreeMap<&str, &str>,
    seen: &mut BTreeMap<String, u32>,
) -> String {
    let line = finding.place.and_then(|place| {
        let index = usize::try_from(place.line.saturating_sub(1)).ok()?;
        texts.get(finding.file.as_str())?.lines().nth(index)
    });
    let line: String = line.unwrap_or_default().split_whitespace().collect();
    let mut hash = Sha256::new();
    for part in [finding.rule.as_str(), path, &line] {
        hash.update(part);
        hash.update([0]);
    }
    let hash: String = hash
        .finalize()
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let number = seen.entry(hash.clone()).or_default();
    *number += 1;
    format!("{hash}:{number}")
}

/// A path as a URI reference.
fn uri(path: &str) -> String {
    let mut uri = String::new();
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(byte));
            }
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    if uri.starts_with('/') {
        format!("file://{uri}")
    } else {
        uri
    }
}

#[cfg(test)]
mod tests {
    use super::uri;

    #[test]
    fn a_path_becomes_a_reference() {
        assert_eq!(
            uri("services/a b/V1__ä.sql"),
            "services/a%20b/V1__%C3%A4.sql"
        );
        assert_eq!(uri("/tmp/x.sql"), "file:///tmp/x.sql");
    }
}
