//! `check --fix`: migrations in their safe form, proven, or left exactly as they were.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tests::{Program, Server, Services};

const TABLES: &str = "CREATE TABLE controls (id int PRIMARY KEY, position int, owner int);\n\
    CREATE TABLE evidence (id int PRIMARY KEY, control_id int, note text);\n\
    CREATE INDEX old_note ON evidence (note);\n";
const NO_TABLES: &str = "DROP TABLE evidence;\nDROP TABLE controls;\n";

/// A service with two tables, and a second migration that is to be fixed.
fn service(up: &str, down: &str) -> Services {
    let services = Services::new();
    services
        .service("policy", &[])
        .reversible(100, "tables", TABLES, NO_TABLES)
        .reversible(200, "change", up, down);
    services
}

/// What became of each migration.
fn fixed(server: &Server, services: &Services, exit: i32) -> Vec<Value> {
    let document = Program::orchestrator(server)
        .scratch_beside()
        .services(services)
        .expect(&["check", "--fix", "--output", "json"], exit)
        .json();
    document["migrations"].as_array().expect("a list").clone()
}

fn files(services: &Services) -> String {
    let mut all = String::new();
    for kind in ["migrations", "reverts"] {
        let folder = services.path().join("policy").join(kind);
        let mut names: Vec<_> = fs::read_dir(&folder)
            .expect("a folder")
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| !path.ends_with("V100__tables.sql"))
            .collect();
        names.sort();
        for path in names {
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            all.push_str(&format!("{kind}/{name}\n{}\n", read(&path)));
        }
    }
    all
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("a file")
}

#[track_caller]
fn rewritten(up: &str, down: &str) -> String {
    let server = Server::start();
    let services = service(up, down);
    let fixed = fixed(&server, &services, 0);
    assert_eq!(fixed.len(), 1);
    assert_eq!(fixed[0]["outcome"], "rewritten");
    assert_eq!(server.databases(), Vec::<String>::new());
    runs_both_ways(&server, &services);
    files(&services)
}

/// The new files are ones that the engine runs, and the linter has nothing more to say of locks.
#[track_caller]
fn runs_both_ways(server: &Server, services: &Services) {
    let orchestrator = Program::orchestrator(server).services(services);
    orchestrator.expect(&["all"], 0);
    orchestrator.expect(&["revert", "policy", "--all"], 0);
    orchestrator.expect(&["all"], 0);
}

#[test]
fn an_index_is_built_in_a_file_of_its_own() {
    insta::assert_snapshot!(rewritten(
        "-- Owners can be looked up.\n\n-- The column.\nALTER TABLE controls ADD COLUMN kind text;\n\n\
         -- Its index.\nCREATE INDEX controls_kind ON controls (kind); -- small\n\n\
         COMMENT ON COLUMN controls.kind IS 'kind';\n",
        "-- Undoes it.\n\nDROP INDEX controls_kind;\nALTER TABLE controls DROP COLUMN kind;\n",
    ));
}

#[test]
fn a_file_with_nothing_but_indexes_keeps_its_name() {
    insta::assert_snapshot!(rewritten(
        "-- Lookups.\nCREATE INDEX a ON controls (owner);\nCREATE UNIQUE INDEX b ON evidence (control_id, id);\n",
        "-- Undoes it.\n\nDROP INDEX b;\nDROP INDEX a;\n",
    ));
}

#[test]
fn constraints_are_added_first_and_validated_later() {
    insta::assert_snapshot!(rewritten(
        "ALTER TABLE evidence\n    ADD CONSTRAINT \"FK_evidence_control\" FOREIGN KEY (control_id) REFERENCES controls (id) ON DELETE CASCADE,\n    \
         ADD CONSTRAINT said CHECK (note <> ''),\n    ADD COLUMN kind text;\n",
        "ALTER TABLE evidence DROP COLUMN kind, DROP CONSTRAINT said, DROP CONSTRAINT \"FK_evidence_control\";\n",
    ));
}

#[test]
fn not_null_comes_in_three_steps() {
    insta::assert_snapshot!(rewritten(
        "ALTER TABLE controls ALTER COLUMN owner SET NOT NULL;\n",
        "ALTER TABLE controls ALTER COLUMN owner DROP NOT NULL;\n",
    ));
}

#[test]
fn an_index_is_dropped_without_waiting_for_readers() {
    insta::assert_snapshot!(rewritten(
        "ALTER TABLE controls ADD COLUMN kind text;\nDROP INDEX IF EXISTS old_note;\n",
        "CREATE INDEX old_note ON evidence (note);\nALTER TABLE controls DROP COLUMN kind;\n",
    ));
}

#[test]
fn where_the_order_matters_the_indexes_come_first() {
    insta::assert_snapshot!(rewritten(
        "-- Places.\n\nCREATE UNIQUE INDEX positions ON controls (position);\n\
         CREATE TABLE places (position int REFERENCES controls (position));\n",
        "-- No places.\n\nDROP TABLE places;\nDROP INDEX positions;\n",
    ));
}

#[test]
fn a_key_takes_over_an_index_that_was_built_before() {
    insta::assert_snapshot!(rewritten(
        "ALTER TABLE controls ADD CONSTRAINT \"UQ_controls_position\" UNIQUE (position);\n",
        "ALTER TABLE controls DROP CONSTRAINT \"UQ_controls_position\";\n",
    ));
}

#[test]
fn several_at_once_share_their_files() {
    insta::assert_snapshot!(rewritten(
        "-- migration: lock-timeout 2s\n-- Much.\n\nALTER TABLE controls ADD COLUMN kind text;\n\
         CREATE INDEX controls_kind ON controls (kind);\n\
         ALTER TABLE controls ALTER COLUMN owner SET NOT NULL, ADD CONSTRAINT \"UQ_position\" UNIQUE (position);\n\
         ALTER TABLE evidence ADD CONSTRAINT \"FK_control\" FOREIGN KEY (control_id) REFERENCES controls;\n",
        "ALTER TABLE evidence DROP CONSTRAINT \"FK_control\";\n\
         ALTER TABLE controls DROP CONSTRAINT \"UQ_position\", ALTER COLUMN owner DROP NOT NULL;\n\
         DROP INDEX controls_kind;\nALTER TABLE controls DROP COLUMN kind;\n",
    ));
}

#[test]
fn statement_by_statement_it_stays_one_file() {
    insta::assert_snapshot!(rewritten(
        "-- migration: no-transaction\n-- Statement by statement.\n\n\
         CREATE INDEX controls_owner ON controls (owner);\n\n-- Owners.\nALTER TABLE controls ALTER COLUMN owner SET NOT NULL;\n",
        "ALTER TABLE controls ALTER COLUMN owner DROP NOT NULL;\nDROP INDEX controls_owner;\n",
    ));
}

/// What is said of a migration that is left as it is.
#[track_caller]
fn untouched(up: &str, down: &str, exit: i32) -> Vec<String> {
    let server = Server::start();
    let services = service(up, down);
    said_and_untouched(&server, &services, exit)
}

#[track_caller]
fn said_and_untouched(server: &Server, services: &Services, exit: i32) -> Vec<String> {
    let before = files(services);
    let said = fixed(server, services, exit)
        .iter()
        .map(|one| {
            let left = one["left"].as_array().expect("a list").iter();
            let left: Vec<String> = left
                .map(|left| {
                    format!(
                        "{}: {}",
                        left["line"],
                        left["why"].as_str().unwrap_or_default()
                    )
                })
                .collect();
            let words = [
                one["outcome"].as_str().unwrap_or_default(),
                one["why"].as_str().unwrap_or_default(),
                &left.join("; "),
            ];
            words
                .iter()
                .filter(|word| !word.is_empty())
                .copied()
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect();
    assert_eq!(files(services), before);
    said
}

#[test]
fn what_is_applied_is_refused() {
    let server = Server::start();
    let services = service(
        "CREATE INDEX controls_owner ON controls (owner);\n",
        "DROP INDEX controls_owner;\n",
    );
    Program::orchestrator(&server)
        .services(&services)
        .expect(&["all"], 0);
    assert_eq!(
        said_and_untouched(&server, &services, 3),
        ["refused it is applied: put the change in a new migration"]
    );
}

#[test]
fn what_cannot_be_proven_is_not_written() {
    let said = untouched(
        "ALTER TABLE controls ADD COLUMN kind int;\nCREATE UNIQUE INDEX kinds ON controls (kind);\n\
         CREATE TABLE kinds_of (kind int REFERENCES controls (kind));\n",
        "DROP TABLE kinds_of;\nDROP INDEX kinds;\nALTER TABLE controls DROP COLUMN kind;\n",
        4,
    );
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].contains("not_proven change does not run: ")
            && said[0].contains("no unique constraint matching given keys"),
        "{said:?}"
    );
}

#[test]
fn a_revert_that_leaves_another_schema_is_no_proof() {
    let said = untouched(
        "ALTER TABLE controls ADD COLUMN kind int, ADD COLUMN other int;\nCREATE INDEX kinds ON controls (owner);\n",
        "DROP INDEX kinds;\nALTER TABLE controls DROP COLUMN other;\n",
        4,
    );
    assert!(
        said[0].contains("does not undo its migration: column public.controls.kind"),
        "{said:?}"
    );
}

#[test]
fn what_has_no_safe_form_is_said() {
    assert_eq!(
        untouched(
            "ALTER TABLE controls ALTER COLUMN position TYPE bigint;\n\
             DO $$ BEGIN CREATE INDEX x ON evidence (note); END $$;\n\
             ALTER TABLE evidence ADD CHECK (note <> '');\n",
            "",
            4,
        ),
        [
            "no_safe_form 1: no safe form is known; 2: it is in a DO block, whose code is not rewritten; \
          3: the constraint has no explicit name"
        ]
    );
}

#[test]
fn what_is_allowed_or_harmless_is_left_alone() {
    let allowed = "-- migration: allow index-not-concurrent \"some hundred rows\"\n\
        CREATE INDEX controls_owner ON controls (owner);\n\
        CREATE TABLE fresh (id int);\nCREATE INDEX fresh_id ON fresh (id);\nALTER TABLE fresh ADD CHECK (id > 0);\n";
    assert!(
        untouched(
            allowed,
            "DROP TABLE fresh;\nDROP INDEX controls_owner;\n",
            0
        )
        .is_empty()
    );
}

#[test]
fn a_dry_run_shows_the_difference_and_writes_nothing() {
    let server = Server::start();
    let services = service(
        "-- Lookups.\n\nALTER TABLE controls ADD COLUMN kind text;\nCREATE INDEX kinds ON controls (owner);\n",
        "DROP INDEX kinds;\nALTER TABLE controls DROP COLUMN kind;\n",
    );
    let before = files(&services);
    let outcome = Program::orchestrator(&server)
        .scratch_beside()
        .services(&services)
        .expect(&["check", "policy", "--fix", "--dry-run"], 0);
    assert_eq!(files(&services), before);
    assert_eq!(server.databases(), Vec::<String>::new());
    let folder = services.path().display().to_string();
    insta::assert_snapshot!(outcome.stdout.replace(&folder, "services"));
}

/// What one transaction never gives up must not be given up between the files that it becomes.
#[test]
fn no_window_opens_between_the_files() {
    let server = Server::start();
    let services = service(
        "ALTER TABLE controls DROP CONSTRAINT controls_pkey;\nALTER TABLE controls ADD PRIMARY KEY (id, position);\n",
        "ALTER TABLE controls DROP CONSTRAINT controls_pkey;\nALTER TABLE controls ALTER COLUMN position DROP NOT NULL;\n\
         ALTER TABLE controls ADD PRIMARY KEY (id);\n",
    );
    services
        .service("policy", &[])
        .reversible(
            300,
            "unique",
            "CREATE UNIQUE INDEX notes ON evidence (note, id);\n",
            "DROP INDEX notes;\n",
        )
        // The same name: nothing can be there before the old one goes.
        .reversible(
            400,
            "same_name",
            "DROP INDEX notes;\nCREATE UNIQUE INDEX notes ON evidence (note, id, control_id);\n",
            "DROP INDEX notes;\nCREATE UNIQUE INDEX notes ON evidence (note, id);\n",
        )
        .reversible(
            500,
            "other_name",
            "DROP INDEX notes;\nCREATE UNIQUE INDEX other ON evidence (note, id);\n",
            "DROP INDEX other;\nCREATE UNIQUE INDEX notes ON evidence (note, id, control_id);\n",
        );
    // A service whose migrations do not run is said, and the others are fixed.
    services.service("broken", &[]).reversible(
        1,
        "no",
        "ALTER TABLE no_such ADD COLUMN a int;\n",
        "SELECT 1;\n",
    );
    let before = read(&services.path().join("policy/migrations/V200__change.sql"));
    let document = Program::orchestrator(&server)
        .scratch_beside()
        .services(&services)
        .expect(&["check", "--fix", "--output", "json"], 1)
        .json();
    assert_eq!(document["failed"][0]["service"], "broken");
    let outcomes: Vec<(i64, &str)> = document["migrations"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|it| Some((it["version"].as_i64()?, it["outcome"].as_str()?)))
        .collect();
    assert_eq!(
        outcomes,
        [
            (200, "not_proven"),
            (300, "rewritten"),
            (400, "not_proven"),
            (500, "rewritten")
        ]
    );
    assert_eq!(
        read(&services.path().join("policy/migrations/V200__change.sql")),
        before
    );
    let other = read(
        &services
            .path()
            .join("policy/migrations/V500__other_name.sql"),
    );
    let (create, drop) = (other.find("CREATE UNIQUE"), other.find("DROP INDEX"));
    assert!(create < drop, "{other}");
}

#[test]
fn what_is_not_rewritten_stays_as_it_is_written() {
    let server = Server::start();
    let kept = "/* Why,\n\n   and what; all of it. */\n\n  -- indented\n  ALTER TABLE controls ADD COLUMN kind text /* a;\n b */;  -- tail\n\n\n\n\
                COMMENT ON TABLE controls IS 'one\n\n\n\nthree';\n";
    let services = service(
        &format!("{kept}CREATE INDEX kinds ON controls (kind);\n"),
        "DROP INDEX kinds;\nALTER TABLE controls DROP COLUMN kind;\nCOMMENT ON TABLE controls IS NULL;\n",
    );
    fixed(&server, &services, 0);
    assert_eq!(
        read(&services.path().join("policy/migrations/V200__change.sql")),
        kept
    );
    runs_both_ways(&server, &services);
}
