//! With nothing configured, a server of the project's own is started, and left running.

use std::path::Path;

use tests::{Outcome, Program};

/// A project folder with nothing in it; its server is removed at the end, also after a failed assertion.
struct Project {
    orchestrator: Program,
}

impl Project {
    fn new() -> Self {
        Self {
            orchestrator: Program::named("orchestrator"),
        }
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
fn one_command_migrates_everything_and_says_where_the_server_listens() {
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

    project.expect(&["local", "reset"], 0);
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
    let outcome = project.expect(&["all", "--environment", "production"], 2);
    assert!(!outcome.stderr.is_empty());
    assert!(!project.folder().join(".local").exists());
}

#[test]
fn without_server_programs_one_clear_error_says_what_to_do() {
    let nowhere = tempfile::tempdir().unwrap();
    let orchestrator = Program::named("orchestrator");
    let outcome = orchestrator.expect(
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
