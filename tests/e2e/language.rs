//! The language of everything that users and contributors read.

use std::fs;
use std::path::{Path, PathBuf};

/// Words that plain English does not need here, and what to write instead.
const BANNED: [(&str, &str); 17] = [
    ("mend", "fix"),
    ("mended", "fixed"),
    ("mends", "fixes"),
    ("anew", "again"),
    ("somebody", "another user or session"),
    ("nobody", "no one, or a sentence with another subject"),
    ("people", "users or operators"),
    ("wants", "requires"),
    ("stands", "is"),
    ("told", "reported"),
    ("tells", "reports"),
    ("says", "reports, states, or shows"),
    ("whoever", "the user that"),
    ("in vain", "without success"),
    ("for ever", "forever"),
    ("to be had", "available"),
    ("in hand", "in use"),
];

/// The files below a folder with one of these endings.
fn files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            if !["target", ".git", "snapshots", "fixtures"]
                .iter()
                .any(|name| path.ends_with(name))
            {
                found.extend(files(&path, endings));
            }
        } else if endings
            .iter()
            .any(|ending| path.extension().is_some_and(|it| it == *ending))
        {
            found.push(path);
        }
    }
    found
}

/// Each banned word in a text, with its line.
fn banned(text: &str) -> Vec<(usize, &'static str, &'static str)> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.to_lowercase();
        for (word, instead) in BANNED {
            let is_word = |at: usize| {
                let before = line[..at].chars().next_back();
                let after = line[at + word.len()..].chars().next();
                !before.is_some_and(is_part_of_name) && !after.is_some_and(is_part_of_name)
            };
            if line.match_indices(word).any(|(at, _)| is_word(at)) {
                found.push((number + 1, word, instead));
            }
        }
    }
    found
}

/// A longer word, an identifier, or a quoted name such as the Unix user `nobody`.
fn is_part_of_name(character: char) -> bool {
    character.is_alphanumeric() || "_`\"'".contains(character)
}

#[test]
fn docs_and_sources_contain_no_banned_words() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut paths = vec![];
    for name in [
        "README.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "CHANGELOG.md",
    ] {
        paths.push(workspace.join(name));
    }
    paths.extend(files(&workspace.join("docs"), &["md"]));
    for folder in ["shared", "orchestrator", "services"] {
        paths.extend(files(&workspace.join(folder), &["rs", "toml"]));
    }
    let mut report = String::new();
    for path in paths {
        let text = fs::read_to_string(&path).expect("a readable file");
        for (line, word, instead) in banned(&text) {
            let place = path.strip_prefix(&workspace).unwrap_or(&path).display();
            report.push_str(&format!("{place}:{line}: `{word}`: write {instead}\n"));
        }
    }
    assert!(
        report.is_empty(),
        "{} words\n{report}",
        report.lines().count()
    );
}

#[test]
fn a_banned_word_is_found_as_a_word_only() {
    assert_eq!(
        banned("Nobody knows\nthe file is mended"),
        [
            (1, "nobody", "no one, or a sentence with another subject"),
            (2, "mended", "fixed"),
        ]
    );
    assert_eq!(
        banned("recommend, withstands, peoples, says_so, `nobody`"),
        []
    );
}
