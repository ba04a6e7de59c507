//! The structure: dependencies between crates go down only, and every service is built like the others.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use tests::SERVICES;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The Rust files below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
    found
}

/// The crates of the workspace, bottom up. A crate depends only on crates of lower layers.
const LAYERS: [&[&str]; 11] = [
    &["domain", "pg-sql", "service-layout"],
    &["catalog", "pg-address", "report"],
    &["local-server", "pg-session", "settings"],
    &["store"],
    &["engine"],
    &["lint", "client-program"],
    &["safe-form", "service-cli"],
    &["scratch", "row-generator"],
    &["drift"],
    &["adopt", "backup", "generate"],
    &["health", "rehearsal"],
];

/// The workspace crates that each workspace crate depends on: for its code, and for its tests.
fn dependencies() -> BTreeMap<String, BTreeMap<&'static str, BTreeSet<String>>> {
    let output = std::process::Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(workspace())
        .output()
        .expect("cargo runs");
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
    let list = |value: &serde_json::Value| value.as_array().expect("a list").clone();
    let mut found: BTreeMap<String, BTreeMap<&'static str, BTreeSet<String>>> = BTreeMap::new();
    for package in list(&metadata["packages"]) {
        let of = found
            .entry(package["name"].as_str().expect("a name").to_owned())
            .or_default();
        for dependency in list(&package["dependencies"])
            .iter()
            .filter(|it| it["path"].is_string())
        {
            let kind = match dependency["kind"].as_str() {
                Some("dev") => "tests",
                _ => "code",
            };
            let name = dependency["name"].as_str().expect("a name").to_owned();
            of.entry(kind).or_default().insert(name);
        }
    }
    found
}

#[test]
fn crates_depend_only_on_lower_layers() {
    let layer = |name: &str| LAYERS.iter().position(|layer| layer.contains(&name));
    let mut unplaced = BTreeSet::new();
    let mut upward = Vec::new();
    for (name, of) in dependencies() {
        let is_top =
            ["orchestrator", "tests"].contains(&name.as_str()) || name.ends_with("-migrations");
        let Some(own) = layer(&name) else {
            if !is_top {
                unplaced.insert(name);
            }
            continue;
        };
        // `catalog` compares its answers with those of pg_dump, which needs a server of the tests.
        for other in of.get("code").into_iter().chain(of.get("tests")).flatten() {
            if layer(other).is_none_or(|other| other >= own) && name != "catalog" {
                upward.push(format!("{name} depends on {other}"));
            }
        }
    }
    assert_eq!(unplaced, BTreeSet::new());
    assert_eq!(upward, Vec::<String>::new());
}

#[test]
fn a_service_links_only_the_engine_and_its_command_line() {
    for (service, _) in SERVICES.iter() {
        let mut of = dependencies()
            .remove(&format!("{service}-migrations"))
            .expect("a service");
        let code = of.remove("code").unwrap_or_default();
        let others: Vec<&String> = code
            .iter()
            .filter(|name| !name.ends_with("-migrations"))
            .collect();
        assert_eq!(
            others,
            ["engine", "service-cli", "service-layout"],
            "{service}"
        );
    }
}

fn table(path: &Path) -> toml::Table {
    read(path)
        .parse()
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn a_service_crate_depends_on_the_crates_of_what_its_service_needs() {
    for (service, database) in SERVICES.iter().copied() {
        let folder = workspace().join("services").join(service);
        let cargo = table(&folder.join("Cargo.toml"));
        let definition = table(&folder.join("service.toml"));
        assert_eq!(definition["database"].as_str(), Some(database));
        let crates: BTreeSet<String> = cargo["dependencies"]
            .as_table()
            .expect("a table")
            .keys()
            .filter_map(|name| name.strip_suffix("-migrations"))
            .map(str::to_owned)
            .collect();
        let mut needed: BTreeSet<String> = definition["depends_on"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|name| name.as_str())
            .map(str::to_owned)
            .collect();
        needed.extend(required(&folder));
        assert_eq!(crates, needed, "{service}");
        assert!(
            folder.join("build.rs").is_file(),
            "{service} has no build.rs"
        );
    }
}

/// The services whose migrations a service's files require.
fn required(folder: &Path) -> Vec<String> {
    fs::read_dir(folder.join("migrations"))
        .expect("a folder")
        .flat_map(|entry| {
            read(&entry.expect("a file").path())
                .lines()
                .filter_map(|line| line.strip_prefix("-- migration: requires "))
                .filter_map(|requirement| requirement.split_once('@'))
                .map(|(service, _)| service.to_owned())
                .collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn every_service_is_listed_everywhere() {
    let known: BTreeSet<String> = SERVICES.iter().map(|(it, _)| (*it).to_owned()).collect();
    let folders: BTreeSet<String> = fs::read_dir(workspace().join("services"))
        .expect("a folder")
        .filter_map(|entry| entry.expect("an entry").file_name().into_string().ok())
        .filter(|name| !name.starts_with('.'))
        .collect();
    assert_eq!(folders, known, "services/, orchestrator/src/embedded.rs");

    let workflow = read(&workspace().join(".github/workflows/ci.yml"));
    let (_, matrix) = workflow
        .split_once("\n        service:\n")
        .expect("a matrix of services");
    let jobs: BTreeSet<String> = matrix
        .lines()
        .map_while(|line| line.strip_prefix("          - "))
        .map(str::to_owned)
        .collect();
    assert_eq!(jobs, known, ".github/workflows/ci.yml");

    let page = read(&workspace().join("docs/services.md"));
    for (service, database) in SERVICES.iter() {
        let definition = table(&workspace().join(format!("services/{service}/service.toml")));
        let depends_on = definition["depends_on"].as_array().expect("a list");
        let names: Vec<&str> = depends_on.iter().filter_map(|name| name.as_str()).collect();
        let row =
            format!("| {service} | `{database}` | {} |", names.join(", ")).replace("|  |", "| |");
        assert!(
            page.lines().any(|line| line.starts_with(&row)),
            "docs/services.md requires: {row}"
        );
    }
}

#[test]
fn a_suggested_command_is_built_where_the_flags_are_known() {
    let commands = [
        "run", "status", "revert", "plan", "graph", "check", "rehearse", "drift", "doctor",
        "adopt", "backup", "restore", "history", "schema", "local", "all",
    ];
    let mut spelled = Vec::new();
    for file in ["shared", "orchestrator"]
        .iter()
        .flat_map(|folder| sources(&workspace().join(folder)))
    {
        let text = read(&file);
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let is_sample = ["tests.rs", "samples.rs"]
            .iter()
            .any(|name| file.ends_with(name));
        for line in code
            .lines()
            .filter(|line| !is_sample && !line.trim_start().starts_with("//"))
        {
            // In a message a command follows a colon; examples of the help stand in columns.
            if commands.iter().any(|name| {
                line.contains(&format!(": orchestrator {name}"))
                    || line.contains(&format!("\"orchestrator {name}"))
            }) {
                spelled.push(format!("{}: {}", file.display(), line.trim()));
            }
        }
    }
    // The names of sessions and of what is hashed are no suggestions.
    spelled.retain(|line| !line.contains("let application") && !line.contains("Sha256::digest"));
    assert_eq!(spelled, Vec::<String>::new());
}

/// Fields and variants need a comment only where the name does not say it all, so `missing_docs` is not used.
#[test]
fn every_public_function_and_type_is_documented() {
    let root = workspace();
    let mut missing = Vec::new();
    for file in ["shared", "orchestrator"]
        .map(|it| sources(&root.join(it)))
        .concat()
    {
        let path = file.strip_prefix(&root).unwrap_or(&file).to_string_lossy();
        if ["/tests/", "tests.rs", "samples.rs"]
            .iter()
            .any(|it| path.contains(it))
        {
            continue;
        }
        let text = read(&file);
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let lines: Vec<&str> = code.lines().map(str::trim).collect();
        for (at, line) in lines.iter().enumerate() {
            let item = line.trim_start_matches("pub ").trim_start_matches("async ");
            let item = item.trim_start_matches("const ").split(' ').next();
            let is_item = matches!(item, Some("fn" | "struct" | "enum" | "trait" | "type"));
            let before = lines[..at].iter().rev();
            let mut before =
                before.take_while(|it| !it.is_empty() && !it.ends_with(['{', '}', ';']));
            if line.starts_with("pub ") && is_item && !before.any(|it| it.starts_with("///")) {
                missing.push(format!("{path}:{}: {line}", at + 1));
            }
        }
    }
    assert!(
        missing.is_empty(),
        "without a comment:\n{}",
        missing.join("\n")
    );
}
