//! Compares the files of a project with those that are compiled into the program.
//!
//! Responsible for finding a program that must be rebuilt. Not for using the files.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use domain::{Fleet, Migration, Script, Service};

/// The migrations and reverts below the project's folder that differ from those of the compiled-in services: added, removed, or
/// edited after the program was `built`. A folder that cannot be read, such as that of a project elsewhere, is skipped.
pub fn outdated_files(fleet: &Fleet, project: &Path, built: SystemTime) -> BTreeSet<String> {
    let mut outdated = BTreeSet::new();
    for service in fleet.services() {
        let reverts = |migration: &'_ Migration| migration.revert.clone();
        compare(
            service,
            "migrations",
            |it| Some(it.script.clone()),
            project,
            built,
            &mut outdated,
        );
        compare(service, "reverts", reverts, project, built, &mut outdated);
    }
    outdated
}

fn compare(
    service: &Service,
    kind: &str,
    script: impl Fn(&Migration) -> Option<Script>,
    project: &Path,
    built: SystemTime,
    outdated: &mut BTreeSet<String>,
) {
    let folder = format!("services/{}/{kind}", service.name);
    let Ok(entries) = fs::read_dir(project.join(&folder)) else {
        return;
    };
    let scripts = service.migrations.iter().filter_map(script);
    let mut compiled: BTreeMap<String, Script> = scripts
        .map(|script| (script.path.clone(), script))
        .collect();
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name();
        let (Some(name), Some("sql")) = (name.to_str(), path.extension().and_then(OsStr::to_str))
        else {
            continue;
        };
        let shown = format!("{folder}/{name}");
        let is_same = compiled.remove(&shown).is_some_and(|script| {
            // Most files are older than the program and need not be read.
            let is_older = entry
                .metadata()
                .and_then(|it| it.modified())
                .is_ok_and(|it| it < built);
            is_older || fs::read(&path).is_ok_and(|bytes| bytes == script.text.as_bytes())
        });
        if !is_same {
            outdated.insert(shown);
        }
    }
    outdated.extend(compiled.into_keys());
}
