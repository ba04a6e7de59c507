//! The programs and their tests are built with the same features of every dependency: otherwise `cargo test` would compile
//! the engine a second time for the programs that the tests run.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// The features of each package in a build, by name and version. Packages that a build script uses are another build of their own.
fn features(selection: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["tree", "--locked", "--prefix", "none"])
        .args(["--format", "{p}|{f}"])
        .args(selection)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut features: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let text = String::from_utf8_lossy(&output.stdout);
    // A workspace has several trees, with an empty line between them.
    for line in text.lines().filter(|line| !line.is_empty()) {
        let (package, enabled) = line.split_once('|').expect("a package and its features");
        let name = package.split(" (").next().unwrap_or(package);
        let enabled = enabled.trim_end_matches(" (*)");
        features
            .entry(name.to_owned())
            .or_default()
            .insert(enabled.to_owned());
    }
    features
}

#[test]
fn a_build_of_the_tests_serves_the_programs() {
    let tests = features(&["--workspace", "--edges", "normal,build,dev"]);
    for program in ["orchestrator", "auth-migrations"] {
        let alone = features(&["--package", program, "--edges", "normal,build"]);
        assert!(alone.len() > 100, "{alone:#?}");
        for (package, enabled) in &alone {
            assert!(
                enabled.is_subset(&tests[package]),
                "{program}: {package} with {enabled:?} alone, with {:?} among the tests: \
                 enable the same features in [workspace.dependencies]",
                tests[package]
            );
        }
    }
}
