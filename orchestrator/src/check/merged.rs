//! Detects merged migrations that were edited, removed or renamed.

use std::collections::BTreeSet;
use std::path::Path;

use domain::{Finding, Service, ServiceName, Severity, Version};

use super::Paths;
use crate::git::{Change, Changes, GitError};
use lint::order_against;
use lint::rules::{Draft, Rulebook, slugs};

/// The findings about merged migrations that were edited or removed, and about new ones with an earlier version. `all` includes removed services.
///
/// # Errors
/// When git fails.
pub fn merged(
    services: &[&Service],
    rulebook: &Rulebook,
    changes: &Changes,
    paths: &Paths,
    all: bool,
) -> Result<Vec<Finding>, GitError> {
    let at_base = changes.at_base()?;
    let mut findings = Vec::new();
    for service in services {
        let folder = folder(service, paths);
        let merged: BTreeSet<Version> = at_base
            .iter()
            .filter_map(|path| version(path.strip_prefix(&folder)?))
            .collect();
        for migration in &service.migrations {
            let path = paths.relative(&migration.script.path);
            if changes.of(&path) == Some(Change::Edited) {
                let message = format!(
                    "a merged migration ({}) was edited: every database where it is applied refuses to run, because the checksum differs",
                    changes.base()
                );
                let draft = Draft::new(&slugs::MERGED_MIGRATION_EDITED, &migration.script, message)
                    .safe_form(format!(
                        "git checkout {} -- {path}; put the change in a new migration",
                        changes.base()
                    ));
                findings.extend(rulebook.finding(service, migration, draft));
            }
        }
        let versions: Vec<Version> = merged.into_iter().collect();
        findings.extend(order_against(service, rulebook, &versions));
    }
    findings.extend(removed_files(services, rulebook, changes, paths, all));
    Ok(findings)
}

/// Merged migrations whose files were removed or renamed.
fn removed_files(
    services: &[&Service],
    rulebook: &Rulebook,
    changes: &Changes,
    paths: &Paths,
    all: bool,
) -> Vec<Finding> {
    let Some(severity) = rulebook.severity(&slugs::MERGED_MIGRATION_EDITED) else {
        return Vec::new();
    };
    let removed = changes
        .files()
        .filter(|(_, change)| *change == Change::Removed);
    removed
        .filter_map(|(path, _)| {
            let (folder, file) = path.rsplit_once("/migrations/")?;
            let version = version(&format!("migrations/{file}"))?;
            let name = Path::new(folder).file_name()?.to_str()?;
            let known = services
                .iter()
                .find(|service| self::folder(service, paths) == format!("{folder}/"));
            let service: ServiceName = match known {
                Some(service) => service.name.clone(),
                None if all => name.parse().ok()?,
                None => return None,
            };
            Some(finding(severity, service, version, path, changes))
        })
        .collect()
}

fn finding(
    severity: Severity,
    service: ServiceName,
    version: Version,
    path: &str,
    changes: &Changes,
) -> Finding {
    Finding {
        rule: slugs::MERGED_MIGRATION_EDITED.slug.to_owned(),
        severity,
        service,
        version: Some(version),
        file: path.to_owned(),
        place: None,
        message: format!(
            "a merged migration ({}) was removed or renamed: every database where it is applied refuses to run, because the file is missing",
            changes.base()
        ),
        safe_form: Some(format!("git checkout {} -- {path}", changes.base())),
        differences: Vec::new(),
        allowed: None,
    }
}

/// The folder of a service, relative to the root of the repository, with a trailing `/`.
fn folder(service: &Service, paths: &Paths) -> String {
    let toml = paths.relative(&service.path);
    toml.strip_suffix("service.toml")
        .unwrap_or(&toml)
        .to_owned()
}

/// The version in the path of a migration, relative to the folder of its service.
fn version(path: &str) -> Option<Version> {
    let file = path.strip_prefix("migrations/V")?.strip_suffix(".sql")?;
    file.split_once("__")?.0.parse().ok()
}
