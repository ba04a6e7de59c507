//! `generate --pattern` writes the guide's patterns: files that `check` accepts and that can be reverted.

use std::fs;

use tests::{Program, Server, Services};

/// A service for each pattern: its name, its options, and the number of its migrations.
const PATTERNS: &[(&str, &str, usize)] = &[
    (
        "table",
        "--table policyTemplates --column name --type varchar(255)",
        1,
    ),
    (
        "column",
        "--table notes --column dueDate --type VARCHAR(10) --value it's",
        1,
    ),
    ("index", "--table notes --column ownerId,status", 1),
    (
        "partial-index",
        "--table notes --column ownerId --where archivedAt=2020-01-01",
        1,
    ),
    (
        "foreign-key",
        "--table notes --column ownerId --references owners --on-delete set-null",
        3,
    ),
    (
        "foreign-key",
        "--table notes --column order --type bigint --references public.owners(id)",
        4,
    ),
    (
        "enum",
        "--type noteKind --values memo,it's --table notes --column kind",
        1,
    ),
    ("enum-value", "--type noteStatus --values on_hold,it's", 1),
    ("backfill", "--table notes --column status --value draft", 1),
    ("not-null", "--table public.notes --column ownerId", 3),
    ("trigger", "--table notes", 1),
    ("jsonb", "--table notes --column settings", 2),
];

const BASE: &str = "CREATE TABLE owners (id bigint NOT NULL, CONSTRAINT \"PK_owners\" PRIMARY KEY (id));\n\
    CREATE TYPE \"noteStatus\" AS ENUM ('draft', 'final');\n\
    CREATE TABLE notes (id bigint NOT NULL, \"ownerId\" bigint, status \"noteStatus\" DEFAULT 'draft',\n    \
    \"archivedAt\" timestamptz, \"updatedAt\" timestamptz, CONSTRAINT \"PK_notes\" PRIMARY KEY (id));\n";

const DROPS: &str = "DROP TABLE notes;\nDROP TYPE \"noteStatus\";\nDROP TABLE owners;\n";

fn base(services: &Services, name: &str) -> tests::ServiceFolder {
    let service = services.service(name, &[]);
    service.reversible(1, "base", BASE, DROPS);
    service
}

#[test]
fn every_pattern_passes_check_and_is_proven_reversible() {
    let server = Server::start();
    let services = Services::new();
    let orchestrator = Program::orchestrator(&server)
        .scratch_beside()
        .services(&services);
    let mut texts = String::new();
    let mut migrations = 0;
    for (index, (pattern, options, count)) in PATTERNS.iter().enumerate() {
        let name = format!("s{index:02}");
        base(&services, &name);
        let mut arguments = vec!["generate", &name, "NextStep", "--pattern", pattern];
        arguments.extend(options.split(' '));
        let shown = orchestrator.expect(&[arguments.as_slice(), &["--dry-run"]].concat(), 0);
        let written =
            orchestrator.expect(&[arguments.as_slice(), &["--output", "json"]].concat(), 0);
        let files = written.json()["files"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        assert_eq!(files.len(), *count, "{pattern}: {}", written.stdout);
        migrations += count + 1;
        texts.push_str(&format!("## {pattern} {options}\n"));
        for (kind, file) in files
            .iter()
            .flat_map(|it| [("up", &it["migration"]), ("down", &it["revert"])])
        {
            let path = file.as_str().expect("a path");
            let text = fs::read_to_string(path).expect("a file");
            // The version is the time.
            let (_, suffix) = path.split_once("__").expect("a name");
            let body = text.lines().filter(|it| !it.starts_with("-- Reverts "));
            texts.push_str(&format!("-- {kind} {suffix}\n"));
            for line in body {
                assert!(shown.stdout.contains(line), "{line}: {}", shown.stdout);
                texts.push_str(&format!("{line}\n"));
            }
        }
    }
    insta::assert_snapshot!(texts);
    let check = orchestrator.run(&["check", "--output", "json"]);
    let document = check.json();
    assert_eq!(check.code, 0, "{}", check.stdout);
    assert_eq!(
        document["summary"]["proven"], migrations,
        "{}",
        check.stdout
    );
}

#[test]
fn arguments_that_do_not_fit_a_pattern_are_refused_in_one_line() {
    let services = Services::new();
    let service = base(&services, "one");
    let orchestrator = Program::named("orchestrator").services(&services);
    for options in [
        &["index", "--table", "notes"][..],
        &["index", "--column", "a"],
        &["index", "--table", "notes", "--column", "a,a"],
        &[
            "index", "--table", "notes", "--column", "a", "--values", "b",
        ],
        &[
            "index", "--table", "notes", "--table", "notes", "--column", "a",
        ],
        &[
            "index",
            "--table",
            "notes\"; DROP TABLE notes; --",
            "--column",
            "a",
        ],
        &["index", "--table", "notes", "--column", "a\u{1b}[31m\nb"],
        &["index", "--table", "notes", "--column", "a", "--empty"],
        &["not-null", "--table", "notes", "--column", "a,b"],
        &[
            "column",
            "--table",
            "notes",
            "--column",
            "a",
            "--type",
            "text; DROP TABLE notes",
        ],
        &[
            "column",
            "--table",
            &"n".repeat(5_000),
            "--column",
            "a",
            "--type",
            "text",
        ],
        &["enum", "--type", "kind", "--values", "a,,b"],
        &[
            "enum-value",
            "--type",
            "kind",
            "--values",
            "$$; DROP TABLE notes",
        ],
        &["enum", "--type", "kind", "--values", "a,b", "--column", "c"],
        &[
            "partial-index",
            "--table",
            "notes",
            "--column",
            "a",
            "--where",
            "true) --",
        ],
        &["jsonb", "--table", "notes", "--column", "a", "--value", "{"],
        &[
            "foreign-key",
            "--table",
            "notes",
            "--column",
            "a",
            "--references",
            "b(c",
        ],
        &["unknown"],
    ] {
        let arguments = [&["generate", "one", "Next", "--pattern"], options].concat();
        let outcome = orchestrator.run(&arguments);
        let text = format!("{arguments:?}\n{}{}", outcome.stdout, outcome.stderr);
        assert_eq!(outcome.code, 2, "{text}");
        assert!(
            outcome.stdout.is_empty() && outcome.stderr.len() < 1_000,
            "{text}"
        );
        let errors = outcome.stderr.lines().filter(|it| it.starts_with("error:"));
        assert_eq!(errors.count(), 1, "{text}");
        assert!(!outcome.stderr.contains('\u{1b}'), "{text}");
    }
    let migrations = fs::read_dir(service.path().join("migrations")).expect("a folder");
    assert_eq!(migrations.count(), 1);
}
