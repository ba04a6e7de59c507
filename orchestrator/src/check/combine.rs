//! Combines the findings of the text with those of a rehearsal, without duplicates.

use domain::{Finding, Service};

use super::Proof;
use lint::rules::slugs;
use lint::{is_same, overlap};

/// Combines both lists. Where both report the same statement, the finding of the rehearsal is kept, with the safe form of the
/// text; a finding of the text that the rehearsal disproves is dropped.
pub fn combine(
    service: &Service,
    text: Vec<Finding>,
    mut seen: Vec<Finding>,
    proofs: &[Proof],
) -> Vec<Finding> {
    let mut kept = text;
    kept.retain(|finding| !is_disproven(service, finding, proofs));
    for finding in &mut seen {
        overlap(&kept, finding);
    }
    kept.retain(|text| !seen.iter().any(|seen| is_same(text, seen)));
    kept.extend(seen);
    kept
}

/// A type change that rewrites nothing, such as a longer `varchar`, is harmless. The locks of reverts are not observed.
fn is_disproven(service: &Service, finding: &Finding, proofs: &[Proof]) -> bool {
    if finding.rule != slugs::COLUMN_TYPE_CHANGE.slug {
        return false;
    }
    let migration = finding.version.and_then(|it| service.migration(it));
    let is_up = migration.is_some_and(|migration| migration.script.path == finding.file);
    let proof = proofs
        .iter()
        .find(|proof| proof.service == finding.service && Some(proof.version) == finding.version);
    is_up
        && proof.is_some_and(|proof| {
            !proof.locks.is_empty() && proof.locks.iter().all(|lock| !lock.rewritten)
        })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use domain::{Checksum, Directives, Migration, Place, Script, Severity, Version};

    use lint::rules::Rule;

    use super::*;
    use rehearsal::{Reversibility, SeenLock};

    fn service() -> Service {
        let script = |path: &str| Script {
            path: path.to_owned(),
            text: Arc::from("SELECT 1"),
            directives: Directives::default(),
        };
        Service {
            name: "shop".parse().expect("a name"),
            database: "shop".to_owned(),
            depends_on: Vec::new(),
            history_table: None,
            legacy_table: None,
            description: None,
            owner: None,
            path: "shop/service.toml".to_owned(),
            migrations: vec![Migration {
                version: Version::new(1),
                name: "x".to_owned(),
                checksum: Checksum::new(0),
                script: script("up.sql"),
                revert: Some(script("down.sql")),
            }],
        }
    }

    fn finding(rule: &Rule, file: &str, line: u32) -> Finding {
        Finding {
            rule: rule.slug.to_owned(),
            severity: Severity::Error,
            service: "shop".parse().expect("a name"),
            version: Some(Version::new(1)),
            file: file.to_owned(),
            place: Some(Place {
                line,
                column: 1,
                end_line: line,
                end_column: 9,
            }),
            message: "m".to_owned(),
            safe_form: None,
            differences: Vec::new(),
            allowed: None,
        }
    }

    fn proof(rewritten: bool) -> Proof {
        Proof {
            service: "shop".parse().expect("a name"),
            version: Version::new(1),
            reversibility: Reversibility::Proven,
            locks: vec![SeenLock {
                relation: "public.orders".to_owned(),
                mode: "AccessExclusiveLock".to_owned(),
                line: 1,
                held_us: 1,
                blocks: None,
                rewritten,
                emptied: false,
                scanned: rewritten,
            }],
            notes: Vec::new(),
        }
    }

    fn rules(findings: &[Finding]) -> Vec<(&str, u32)> {
        let line = |it: &Finding| it.place.map_or(0, |place| place.line);
        findings
            .iter()
            .map(|it| (it.rule.as_str(), line(it)))
            .collect()
    }

    #[test]
    fn a_rehearsed_finding_replaces_the_text_finding_of_its_statement() {
        let mut predicted = finding(&slugs::COLUMN_TYPE_CHANGE, "up.sql", 1);
        predicted.safe_form = Some("a second column".to_owned());
        let text = vec![predicted, finding(&slugs::VOLATILE_DEFAULT, "up.sql", 7)];
        let seen = vec![finding(&slugs::REWRITES_TABLE, "up.sql", 1)];
        let combined = combine(&service(), text, seen, &[proof(true)]);
        assert_eq!(
            rules(&combined),
            [("volatile-default", 7), ("rewrites-table", 1)]
        );
        assert_eq!(combined[1].safe_form.as_deref(), Some("a second column"));
    }

    #[test]
    fn a_reason_for_one_finding_covers_both() {
        let mut predicted = finding(&slugs::CONSTRAINT_NOT_VALID, "up.sql", 1);
        predicted.allowed = Some("small".to_owned());
        let seen = vec![finding(&slugs::SCANS_UNDER_LOCK, "up.sql", 1)];
        let combined = combine(&service(), vec![predicted], seen, &[proof(true)]);
        assert_eq!(rules(&combined), [("scans-under-lock", 1)]);
        assert_eq!(combined[0].allowed.as_deref(), Some("small"));
    }

    #[test]
    fn a_type_change_without_a_rewrite_is_not_a_finding() {
        let text = || {
            vec![
                finding(&slugs::COLUMN_TYPE_CHANGE, "up.sql", 1),
                finding(&slugs::COLUMN_TYPE_CHANGE, "down.sql", 1),
                finding(&slugs::DROP_COLUMN, "up.sql", 2),
            ]
        };
        let kept = combine(&service(), text(), Vec::new(), &[proof(false)]);
        assert_eq!(
            kept.iter().map(|it| it.file.as_str()).collect::<Vec<_>>(),
            ["down.sql", "up.sql"]
        );
        assert_eq!(
            combine(&service(), text(), Vec::new(), &[proof(true)]).len(),
            3
        );
        assert_eq!(combine(&service(), text(), Vec::new(), &[]).len(), 3);
        let unseen = Proof {
            locks: Vec::new(),
            ..proof(true)
        };
        assert_eq!(combine(&service(), text(), Vec::new(), &[unseen]).len(), 3);
    }
}
