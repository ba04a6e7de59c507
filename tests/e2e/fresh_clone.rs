//! With nothing configured, a server of the project's own is started, and left running.

use std::fs;
use std::path::Path;

use tests::{Outcome, Program};

/// A project folder with no configuration in it; its server is removed at the end, also after a failed assertion.
struct Project {
    orchestrator: Program,
}

impl Project {
    fn new() -> Self {
        let orchestrator = Program::named("orchestrator");
        fs::create_dir(orchestrator.folder().join("config")).expect("a folder");
        Self { orchestrator }
    }

    fn folder(&self) -> &Path {
        self.orchestrator.folder()
    }

    #[track_caller]
    fn expect(&self, arguments: &[&str], code: i32) -> Outcome {
        self.orchestrator.expect(arguments, code)
    }

    fn state(&self) -> String {
        let document = self
            .expect(&["local", "status", "--output", "json"], 0)
            .json();
        document["state"].as_str().unwrap_or_default().to_owned()
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        self.orchestrator.run(&["local", "reset"]);
    }
}

#[test]
fn one_command_migrates_everything_and_prints_the_address_of_the_server() {
    let project = Project::new();
    let first = project.expect(&["all"], 0);
    let text = first.stdout + &first.stderr;
    assert!(text.contains("orchestrator local stop"), "{text}");
    let status = project
        .expect(&["local", "status", "--output", "json"], 0)
        .json();
    assert_eq!(status["state"], "running", "{status}");
    let port = status["port"].to_string();
    assert!(text.contains(&port), "{text}");
    assert!(project.folder().join(".local").exists());

    let again = project.expect(&["all", "--output", "json"], 0);
    assert!(again.events_of("migration_started").is_empty());
    let fleet = project.expect(&["status", "--output", "json"], 0).json();
    let services = fleet["services"].as_array().unwrap();
    assert_eq!(services.len(), 11);
    assert!(
        services.iter().all(|service| service["pending"] == 0),
        "{fleet}"
    );
}

#[test]
fn the_local_server_stops_starts_with_its_data_and_is_reset() {
    let project = Project::new();
    project.expect(&["run", "auth"], 0);
    project.expect(&["local", "stop"], 0);
    assert_ne!(project.state(), "running");
    project.expect(&["local", "stop"], 0);

    // Started again when it is needed, with what was in it.
    let again = project.expect(&["run", "auth", "--output", "json"], 0);
    assert!(
        again.events_of("migration_started").is_empty(),
        "{}",
        again.stdout
    );
    assert_eq!(project.state(), "running");

    project.expect(&["local", "reset", "--environment", "test"], 0);
    assert_ne!(project.state(), "running");
    let anew = project.expect(&["run", "auth", "--output", "json"], 0);
    assert!(!anew.events_of("migration_started").is_empty());
}

#[test]
fn two_first_runs_at_once_share_one_server() {
    let project = Project::new();
    let runs = [
        project.orchestrator.watch(&["run", "auth"]),
        project.orchestrator.watch(&["run", "auth"]),
    ];
    for run in runs {
        let outcome = run.end();
        assert_eq!(outcome.code, 0, "{}\n{}", outcome.stdout, outcome.stderr);
    }
    assert_eq!(project.state(), "running");
}

#[test]
fn in_production_nothing_is_assumed() {
    let project = Project::new();
    fs::write(project.folder().join("config/production.toml"), "").expect("a file");
    let outcome = project.expect(&["all", "--environment", "production"], 2);
    assert!(!outcome.stderr.is_empty());
    assert!(!project.folder().join(".local").exists());
}

#[test]
fn outside_a_project_no_server_is_started() {
    let orchestrator = Program::named("orchestrator");
    let service = Program::named("policy-migrations").current_dir(orchestrator.folder());
    for (program, arguments) in [
        (&orchestrator, &["all"][..]),
        (&orchestrator, &["status"]),
        (&orchestrator, &["plan", "policy"]),
        (&orchestrator, &["history"]),
        (&orchestrator, &["doctor"]),
        (&orchestrator, &["drift"]),
        (&orchestrator, &["psql", "policy"]),
        (&orchestrator, &["local", "start"]),
        (&orchestrator, &["local", "status"]),
        (&orchestrator, &["local", "stop"]),
        (&orchestrator, &["local", "reset"]),
        (&service, &[]),
        (&service, &["status"]),
    ] {
        let outcome = program.expect(arguments, 2);
        assert!(
            outcome.stdout.is_empty(),
            "{arguments:?}: {}",
            outcome.stdout
        );
        assert!(
            outcome.stderr.contains("not in a project"),
            "{arguments:?}: {}",
            outcome.stderr
        );
    }
    assert_eq!(
        fs::read_dir(orchestrator.folder())
            .expect("a folder")
            .count(),
        0
    );
}

#[test]
fn a_folder_of_others_is_neither_used_nor_removed() {
    let orchestrator = Program::named("orchestrator");
    let local = orchestrator.folder().join(".local");
    for folder in [
        orchestrator.folder().join("services"),
        local.join("data"),
        local.join("share"),
    ] {
        fs::create_dir_all(folder).expect("a folder");
    }
    for file in ["data/PG_VERSION", "data/postmaster.pid", "password", "port"] {
        fs::write(local.join(file), "15\n").expect("a file");
    }
    for arguments in [
        &["status"][..],
        &["all"],
        &["local", "start"],
        &["local", "status"],
        &["local", "stop"],
        &["local", "reset"],
        &["local", "reset", "--environment", "production"],
    ] {
        let outcome = orchestrator.run(arguments);
        assert!(matches!(outcome.code, 2 | 3), "{arguments:?}: {outcome:?}");
    }
    assert_eq!(fs::read_dir(&local).expect("a folder").count(), 4);
    assert_eq!(
        fs::read_dir(local.join("data")).expect("a folder").count(),
        2
    );
}

#[test]
fn without_server_programs_one_clear_error_explains_what_to_do() {
    let nowhere = tempfile::tempdir().unwrap();
    let project = Project::new();
    let outcome = project.expect(
        &["all", "--pg-bin", &nowhere.path().display().to_string()],
        2,
    );
    let text = outcome.stderr;
    assert!(text.contains("--pg-bin"), "{text}");
    assert!(
        text.contains(&nowhere.path().display().to_string()),
        "{text}"
    );
    assert!(outcome.stdout.is_empty(), "{}", outcome.stdout);
}
