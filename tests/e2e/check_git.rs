//! `check --changed-since`: what git says differs is asked about, and what is merged stays as it is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;
use tests::{Outcome, Program};

const FIRST: &str = "services/shop/migrations/V1__orders.sql";
const FIRST_REVERT: &str = "services/shop/reverts/V1__orders.sql";
const SECOND: &str = "services/shop/migrations/V2__gone.sql";
const SECOND_REVERT: &str = "services/shop/reverts/V2__gone.sql";
const THIRD: &str = "services/shop/migrations/V3__more.sql";
const DROPS: &str = "ALTER TABLE orders DROP COLUMN customer;\n";

/// A repository with a service of two migrations on `main`, the second of which drops a column; and a branch on top.
struct Repository {
    folder: TempDir,
}

impl Repository {
    fn new() -> Self {
        let repository = Self {
            folder: tempfile::tempdir().expect("a folder"),
        };
        repository.git(&["init", "-q", "-b", "main"]);
        repository.write(
            "services/shop/service.toml",
            "name = \"shop\"\ndatabase = \"shop\"\ndepends_on = []\n",
        );
        repository.write(
            FIRST,
            "CREATE TABLE orders (id uuid PRIMARY KEY, customer text);\n",
        );
        repository.write(FIRST_REVERT, "DROP TABLE orders;\n");
        repository.write(SECOND, DROPS);
        repository.write(
            SECOND_REVERT,
            "ALTER TABLE orders ADD COLUMN customer text;\n",
        );
        repository.commit("merged");
        repository.git(&["checkout", "-q", "-b", "topic"]);
        repository
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.path().join(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    fn commit(&self, message: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", message]);
    }

    fn git(&self, arguments: &[&str]) -> String {
        git(self.path(), arguments)
    }

    fn run(&self, arguments: &[&str]) -> Outcome {
        run_in(self.path(), arguments)
    }

    /// The rules that are broken, with the files.
    fn found(&self, revision: &str) -> Vec<(String, String)> {
        found(&self.run(&["--changed-since", revision, "--output", "json"]))
    }
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args([
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@b",
            "-c",
            "commit.gpgsign=false",
        ])
        .args(["-c", "protocol.file.allow=always"])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .output()
        .expect("git runs");
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{arguments:?}: {text}");
    text
}

fn run_in(folder: &Path, arguments: &[&str]) -> Outcome {
    let program = Program::named("orchestrator").current_dir(folder);
    let base = ["check", "--no-rehearsal", "--services-dir", "services"];
    program.run(&[&base, arguments].concat())
}

/// What is found of the rules that these tests are about.
fn found(outcome: &Outcome) -> Vec<(String, String)> {
    let findings = outcome.json()["findings"]
        .as_array()
        .expect("a list")
        .clone();
    let text = |finding: &Value, field: &str| finding[field].as_str().expect("text").to_owned();
    findings
        .iter()
        .filter(|finding| finding["allowed"].is_null())
        .map(|finding| (text(finding, "rule"), text(finding, "file")))
        .filter(|(rule, _)| ["drop-column", "merged-migration-edited"].contains(&rule.as_str()))
        .collect()
}

fn pair(rule: &str, file: &str) -> (String, String) {
    (rule.to_owned(), file.to_owned())
}

#[test]
fn only_migrations_that_were_added_or_edited_are_asked_about() {
    let repository = Repository::new();
    assert_eq!(repository.found("main"), []);
    let whole = repository.run(&["--output", "json"]);
    assert_eq!(found(&whole), [pair("drop-column", SECOND)]);
    assert_eq!(whole.code, 4);

    repository.write(THIRD, "ALTER TABLE orders DROP COLUMN id;\n");
    let wanted = [pair("drop-column", THIRD)];
    assert_eq!(repository.found("main"), wanted, "not yet known to git");
    repository.git(&["add", THIRD]);
    assert_eq!(repository.found("main"), wanted, "staged");
    repository.commit("third");
    assert_eq!(repository.found("main"), wanted, "committed");
    assert_eq!(repository.found("HEAD"), []);
    let outcome = repository.run(&["--changed-since", "main", "--output", "json"]);
    assert_eq!(outcome.json()["summary"]["migrations"], 1);
}

#[test]
fn what_others_merge_meanwhile_is_not_asked_about() {
    let repository = Repository::new();
    repository.git(&["checkout", "-q", "main"]);
    repository.write(THIRD, "ALTER TABLE orders DROP COLUMN id;\n");
    repository.commit("of others");
    repository.git(&["checkout", "-q", "topic"]);
    repository.write(
        "services/shop/migrations/V4__mine.sql",
        "CREATE TABLE mine (id uuid PRIMARY KEY);\n",
    );
    repository.commit("mine");
    assert_eq!(repository.found("main"), []);
}

#[test]
fn a_merged_migration_is_neither_edited_nor_renamed_nor_removed() {
    let repository = Repository::new();
    repository.write(
        FIRST,
        "CREATE TABLE orders (id uuid PRIMARY KEY, customer varchar);\n",
    );
    let edited = [pair("merged-migration-edited", FIRST)];
    assert_eq!(repository.found("main"), edited, "not committed");
    repository.commit("edited");
    assert_eq!(repository.found("main"), edited, "committed");
    let outcome = repository.run(&["--changed-since", "main"]);
    assert_eq!(outcome.code, 4, "{}", outcome.stdout);

    let repository = Repository::new();
    let renamed = "services/shop/migrations/V2__dropped.sql";
    repository.git(&["mv", SECOND, renamed]);
    repository.git(&["mv", SECOND_REVERT, "services/shop/reverts/V2__dropped.sql"]);
    assert_eq!(
        repository.found("main"),
        [
            pair("drop-column", renamed),
            pair("merged-migration-edited", SECOND)
        ]
    );

    let repository = Repository::new();
    repository.git(&["rm", "-q", SECOND, SECOND_REVERT]);
    assert_eq!(
        repository.found("main"),
        [pair("merged-migration-edited", SECOND)]
    );
}

#[test]
fn a_revert_may_be_edited_and_may_allow_what_its_migration_does() {
    let repository = Repository::new();
    repository.write(
        SECOND_REVERT,
        "ALTER TABLE orders ADD COLUMN IF NOT EXISTS customer text;\n",
    );
    assert_eq!(repository.found("main"), [pair("drop-column", SECOND)]);
    repository.write(
        SECOND_REVERT,
        "-- migration: allow drop-column \"not used since 4.2\"\nALTER TABLE orders ADD COLUMN customer text;\n",
    );
    assert_eq!(repository.found("main"), []);
    repository.write(
        FIRST_REVERT,
        "-- migration: allow merged-migration-edited \"applied nowhere yet\"\nDROP TABLE orders;\n",
    );
    repository.write(
        FIRST,
        "CREATE TABLE orders (id uuid PRIMARY KEY, customer varchar);\n",
    );
    assert_eq!(repository.found("main"), []);
}

#[test]
fn other_rights_are_no_other_file() {
    use std::os::unix::fs::PermissionsExt;
    let repository = Repository::new();
    let path = repository.path().join(FIRST);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("rights");
    repository.commit("rights");
    assert_eq!(repository.found("main"), []);
    repository.git(&["rm", "-q", "--cached", SECOND]);
    assert_eq!(repository.found("main"), [], "out of the index, as it was");
}

#[test]
fn names_that_git_would_quote_or_take_for_patterns_are_files_too() {
    let repository = Repository::new();
    fs::rename(
        repository.path().join("services"),
        repository.path().join("dïe [services] *"),
    )
    .expect("renamed");
    repository.commit("moved");
    repository.git(&["branch", "-f", "main"]);
    let file = "dïe [services] */shop/migrations/V3__more.sql";
    repository.write(file, "ALTER TABLE orders DROP COLUMN id;\n");
    let program = Program::named("orchestrator").current_dir(repository.path());
    let outcome = program.run(&[
        "check",
        "--no-rehearsal",
        "--services-dir",
        "dïe [services] *",
        "--changed-since",
        "main",
        "--output",
        "json",
    ]);
    assert_eq!(found(&outcome), [pair("drop-column", file)]);
}

#[test]
fn annotations_stand_on_new_lines_only() {
    let repository = Repository::new();
    repository.write(THIRD, "ALTER TABLE orders DROP COLUMN id;\n\nSELECT 1;\n");
    repository.commit("third");
    repository.git(&["branch", "-f", "main"]);
    repository.write(
        "services/shop/reverts/V3__more.sql",
        "ALTER TABLE orders ADD COLUMN id uuid DEFAULT gen_random_uuid();\n",
    );
    let outcome = repository.run(&["--changed-since", "main", "--format", "github"]);
    assert!(
        !outcome.stdout.contains("title=drop-column"),
        "{}",
        outcome.stdout
    );
    assert!(
        outcome.stdout.contains("title=volatile-default"),
        "{}",
        outcome.stdout
    );
    let report = repository.run(&["--changed-since", "main", "--output", "json"]);
    assert_eq!(
        found(&report),
        [pair("drop-column", THIRD)],
        "the report has it all the same"
    );
}

#[test]
fn without_an_answer_from_git_nothing_is_checked_and_one_line_explains_why() {
    let refused = |outcome: &Outcome, words: &[&str]| {
        assert_eq!(outcome.code, 2, "{}{}", outcome.stdout, outcome.stderr);
        assert!(outcome.stdout.is_empty(), "{}", outcome.stdout);
        let lines: Vec<&str> = outcome.stderr.lines().collect();
        assert!(
            matches!(lines.as_slice(), [error, next] if error.starts_with("error: ") && next.starts_with("next: ")),
            "{lines:?}"
        );
        for word in words {
            assert!(outcome.stderr.contains(word), "{word}: {}", outcome.stderr);
        }
    };
    let repository = Repository::new();
    for revision in ["nonsense", "--output=x", "HEAD~99", "main:services", ""] {
        let argument = format!("--changed-since={revision}");
        refused(&repository.run(&[&argument]), &["unknown git revision"]);
    }
    assert!(!repository.path().join("x").exists());

    let unrelated = "unrelated";
    repository.git(&["checkout", "-q", "--orphan", unrelated]);
    repository.commit("another beginning");
    repository.git(&["checkout", "-q", "topic"]);
    refused(
        &repository.run(&["--changed-since", unrelated]),
        &["no common commit"],
    );

    let shallow = tempfile::tempdir().expect("a folder");
    let origin = format!("file://{}", repository.path().display());
    git(
        shallow.path(),
        &[
            "clone", "-q", "--depth", "1", "--branch", "topic", &origin, "clone",
        ],
    );
    let clone: PathBuf = shallow.path().join("clone");
    refused(
        &run_in(&clone, &["--changed-since", "origin/main"]),
        &["shallow", "fetch-depth: 0"],
    );

    fs::remove_dir_all(repository.path().join(".git")).expect("removed");
    refused(
        &repository.run(&["--changed-since", "main"]),
        &["not in a git repository"],
    );

    let nothing = tempfile::tempdir().expect("a folder");
    let program = Program::named("orchestrator").current_dir(repository.path());
    let mut command = program.command(&[
        "check",
        "--no-rehearsal",
        "--services-dir",
        "services",
        "--changed-since",
        "main",
    ]);
    command.env("PATH", nothing.path());
    refused(
        &Outcome::of(command.spawn().expect("starts")),
        &["requires git"],
    );
}
