//! The house: arrows between modules go down only, and every service is built like the others.

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

/// The floors of a crate's rooms, from the table at the top of its `lib.rs`: `| 3 | `runner`, `gates` |`.
fn floors(crate_folder: &str) -> BTreeMap<String, u8> {
    let lib = read(&workspace().join(crate_folder).join("src/lib.rs"));
    let mut floors = BTreeMap::new();
    for line in lib.lines().filter_map(|line| line.strip_prefix("//! |")) {
        let mut cells = line.split('|').map(str::trim);
        let (Some(floor), Some(rooms)) = (cells.next(), cells.next()) else {
            continue;
        };
        let Ok(floor) = floor.parse() else { continue };
        for room in rooms.split(',') {
            floors.insert(room.trim().trim_matches('`').to_owned(), floor);
        }
    }
    for line in lib.lines() {
        let module = line.trim_start_matches("pub ").strip_prefix("mod ");
        if let Some(room) = module.and_then(|rest| rest.strip_suffix(';')) {
            assert!(
                floors.contains_key(room),
                "{crate_folder}: {room} has no floor in lib.rs"
            );
        }
    }
    floors
}

/// The rooms that a file names as `crate::room` or `shared::room`, tests aside.
fn named_rooms(text: &str, root: &str) -> BTreeSet<String> {
    let production = text.split("#[cfg(test)]").next().unwrap_or_default();
    let code: String = production
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n");
    let mut rooms = BTreeSet::new();
    for (at, _) in code.match_indices(&format!("{root}::")) {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        let rest = &code[at + root.len() + 2..];
        match rest.strip_prefix('{') {
            Some(list) => rooms.extend(first_segments(list)),
            None => {
                rooms.insert(identifier(rest));
            }
        }
    }
    rooms
}

/// The first segments of a `{a::b, c::{d, e}}` list.
fn first_segments(list: &str) -> Vec<String> {
    let mut depth = 0;
    let mut segments = Vec::new();
    let mut start = true;
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => start = true,
            c if start && !c.is_whitespace() => {
                segments.push(identifier(&list[at..]));
                start = false;
            }
            _ => {}
        }
    }
    segments
}

fn identifier(text: &str) -> String {
    text.chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

/// The room of a file: the first folder or file below `src`.
fn room(source: &Path, path: &Path) -> Option<String> {
    let first = path.strip_prefix(source).ok()?.components().next()?;
    let name = first.as_os_str().to_str()?.trim_end_matches(".rs");
    (!matches!(name, "lib" | "main")).then(|| name.to_owned())
}

/// Where arrows go up, as sentences.
fn upward(crate_folder: &str, target: &BTreeMap<String, u8>, root: &str) -> Vec<String> {
    let own = floors(crate_folder);
    let source = workspace().join(crate_folder).join("src");
    let mut found = Vec::new();
    for path in sources(&source) {
        let Some(room) = room(&source, &path) else {
            continue;
        };
        for named in named_rooms(&read(&path), root) {
            if let Some(floor) = target.get(&named)
                && *floor > own[&room]
            {
                let file = path.strip_prefix(workspace()).unwrap_or(&path).display();
                found.push(format!(
                    "{file} (floor {}) names {root}::{named} (floor {floor})",
                    own[&room]
                ));
            }
        }
    }
    found
}

#[test]
fn in_shared_arrows_go_down() {
    let floors = floors("shared");
    assert!(floors.len() >= 14, "{floors:?}");
    assert_eq!(upward("shared", &floors, "crate"), Vec::<String>::new());
}

#[test]
fn in_the_orchestrator_arrows_go_down() {
    let own = floors("orchestrator");
    assert_eq!(upward("orchestrator", &own, "crate"), Vec::<String>::new());
    assert_eq!(
        upward("orchestrator", &floors("shared"), "shared"),
        Vec::<String>::new()
    );
}

#[test]
fn rooms_of_one_floor_do_not_know_each_other_mutually() {
    let source = workspace().join("shared/src");
    let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in sources(&source) {
        if let Some(room) = room(&source, &path) {
            names
                .entry(room)
                .or_default()
                .extend(named_rooms(&read(&path), "crate"));
        }
    }
    assert!(names["runner"].contains("postgres"), "{names:?}");
    for (room, named) in &names {
        for other in named.iter().filter(|other| *other != room) {
            let back = names.get(other).is_some_and(|back| back.contains(room));
            assert!(!back, "{room} and {other} name each other");
        }
    }
}

#[test]
fn the_parser_of_this_test_sees_every_way_to_name_a_room() {
    let text = "use crate::{a::{x, y}, b};\nfn f() -> crate::c::T { other_crate::no() }\n// crate::no\n\
                use crate::d;\n#[cfg(test)]\nuse crate::no;\n";
    let rooms = named_rooms(text, "crate");
    assert_eq!(rooms.into_iter().collect::<Vec<_>>(), ["a", "b", "c", "d"]);
}

fn table(path: &Path) -> toml::Table {
    read(path)
        .parse()
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn a_service_crate_depends_on_the_crates_of_what_its_service_needs() {
    for (service, database) in SERVICES {
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
fn the_catalog_stands_on_no_other_crate_of_the_workspace() {
    let workspace_crates: BTreeSet<String> =
        table(&workspace().join("Cargo.toml"))["workspace"]["dependencies"]
            .as_table()
            .expect("a table")
            .iter()
            .filter(|(_, dependency)| dependency.get("path").is_some())
            .map(|(name, _)| name.clone())
            .collect();
    assert!(workspace_crates.contains("shared"), "{workspace_crates:?}");
    let catalog = table(&workspace().join("shared/catalog/Cargo.toml"));
    let known = catalog["dependencies"]
        .as_table()
        .expect("a table")
        .keys()
        .filter(|name| workspace_crates.contains(*name));
    assert_eq!(known.collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn every_folder_of_services_is_one_of_the_platform() {
    let folders: BTreeSet<String> = fs::read_dir(workspace().join("services"))
        .expect("a folder")
        .filter_map(|entry| entry.expect("an entry").file_name().into_string().ok())
        .filter(|name| !name.starts_with('.'))
        .collect();
    let known: BTreeSet<String> = SERVICES
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    assert_eq!(folders, known);
}

#[test]
fn a_suggested_command_is_built_where_the_flags_are_known() {
    let commands = [
        "run", "status", "revert", "plan", "graph", "check", "rehearse", "drift", "doctor",
        "adopt", "backup", "restore", "history", "schema", "local", "all",
    ];
    let mut spelled = Vec::new();
    for file in ["shared/src", "orchestrator/src"]
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
