//! `--on-failure revert` among other runs: what these have built on is not taken away under them.

use std::time::Duration;

use tests::{Outcome, Program, Running};

use crate::compensation::scene::{
    Scene, UNDO, assert_next, finished, reported, run_id, states, text,
};

/// Starts a run that waits before it fails.
fn waiting_to_fail(scene: &Scene, command: &[&str]) -> (tests::Session, Running) {
    scene.third(
        "control",
        "SELECT pg_advisory_xact_lock(7); SELECT 1 / 0",
        "SELECT 1",
    );
    let session = scene.server.session("db_control");
    session.run("SELECT pg_advisory_lock(7)");
    let run = scene.orchestrator.watch(command);
    run.wait_for("the last migration", |event| {
        event["event"] == "migration_started"
            && event["service"] == "control"
            && event["version"] == 3
    });
    (session, run)
}

#[track_caller]
fn assert_nothing_undone(scene: &Scene, outcome: &Outcome) {
    assert_eq!(outcome.code, 1, "{}", outcome.stdout);
    assert_eq!(
        reported(outcome, "migration_reverted"),
        Vec::<String>::new()
    );
    assert_eq!(scene.owed(), Vec::<String>::new());
}

#[test]
fn a_newer_migration_of_another_run_stays_with_what_it_depends_on() {
    let scene = Scene::new();
    let (session, run) = waiting_to_fail(&scene, UNDO);
    scene.services.service("auth", &[]).reversible(
        4,
        "fourth",
        "CREATE TABLE d (id int)",
        "DROP TABLE d",
    );
    scene.run(&["run", "auth"], 0);
    drop(session);
    let outcome = run.end();
    assert_nothing_undone(&scene, &outcome);
    assert_eq!(
        states(&outcome),
        ["auth new 4", "control between 2", "policy new 3"]
    );
    let id = run_id(&outcome);
    assert_next(&outcome, &format!("orchestrator revert all --run {id}"));
    // Once the other one is undone, so can this be.
    let refused = scene.run(&["revert", "all", "--run", &id], 3);
    assert_eq!(
        refused.events_of("service_failed")[0]["refusal"]["kind"],
        "on_top"
    );
    scene.run(&["revert", "auth"], 0);
    scene.run(&["revert", "all", "--run", &id], 0);
    scene.assert_old();
}

#[test]
fn what_another_run_requires_stays() {
    let scene = Scene::new();
    scene.services.service("audit", &["auth"]).reversible(
        1,
        "first",
        "-- migration: requires auth@3\nCREATE TABLE d (id int)",
        "DROP TABLE d",
    );
    let three = ["run", "auth", "policy", "control", "--on-failure", "revert"];
    let (session, run) = waiting_to_fail(&scene, &three);
    scene.run(&["run", "audit"], 0);
    drop(session);
    let outcome = run.end();
    assert_nothing_undone(&scene, &outcome);
    let failed = outcome.events_of("service_failed");
    assert_eq!(failed[0]["refusal"]["kind"], "required");
    assert_eq!(
        states(&outcome),
        ["auth new 3", "control between 2", "policy new 3"]
    );
    let id = run_id(&outcome);
    scene.run(&["revert", "all", "--run", &id], 3);
    scene.run(&["revert", "audit"], 0);
    scene.run(&["revert", "all", "--run", &id], 0);
    scene.assert_old();
}

#[test]
fn two_at_once_converge() {
    let scene = Scene::new();
    let runs = [
        scene.orchestrator.watch(UNDO),
        scene.orchestrator.watch(UNDO),
    ];
    let outcomes = runs.map(|run| run.end_within(Duration::from_secs(60)));
    for outcome in &outcomes {
        assert!(
            [1, 3].contains(&outcome.code),
            "{}\n{}",
            outcome.code,
            outcome.stdout
        );
    }
    // Each took back its own; where the other had built on that, it said so, and does so now.
    for outcome in outcomes.iter().chain(&outcomes) {
        if !outcome.events_of("compensation_stopped").is_empty() {
            let id = text(&finished(outcome)["run_id"]).to_owned();
            scene.orchestrator.run(&["revert", "all", "--run", &id]);
        }
    }
    scene.assert_old();
}

#[test]
fn the_program_of_one_service_undoes_its_own() {
    let scene = Scene::new();
    let program = Program::named("control-migrations")
        .services(&scene.services)
        .env("ORCHESTRATOR_SERVER_URL", &scene.server.url("postgres"));
    scene.run(&["run", "auth", "policy"], 0);
    let outcome = program.expect(&["--on-failure", "revert", "--output", "json"], 1);
    assert_eq!(finished(&outcome)["verdict"], "reverted");
    assert_eq!(reported(&outcome, "migration_reverted"), ["control 2"]);
    assert_eq!(scene.server.applied("db_control"), [1]);

    // What it cannot undo it names, with itself as the way on.
    std::fs::remove_file(scene.services.path().join("control/reverts/V2__second.sql"))
        .expect("removed");
    let outcome = program.expect(&["--on-failure", "revert", "--output", "json"], 1);
    assert_eq!(states(&outcome), ["control between 2"]);
    let id = run_id(&outcome);
    assert_next(&outcome, &format!("control-migrations revert --run {id}"));
    let folder = scene.services.service("control", &["policy"]);
    folder.file("reverts/V2__second.sql", "ALTER TABLE a DROP COLUMN b");
    let revert = [
        "revert",
        "--run",
        &id,
        "--services-dir",
        scene.services.path().to_str().expect("a path"),
    ];
    Program::named("control-migrations")
        .env("ORCHESTRATOR_SERVER_URL", &scene.server.url("postgres"))
        .expect(&revert, 0);
    assert_eq!(scene.server.applied("db_control"), [1]);
}
