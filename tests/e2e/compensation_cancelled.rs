//! Ctrl-C and `--on-failure revert`: a run that was cancelled is not undone unasked, a compensation that was cancelled finishes
//! the step at hand and can be taken up again.

use nix::sys::signal::Signal;

use crate::compensation::scene::{Scene, UNDO, assert_next, finished, reported, states, text};

const WAITS: &str = "SELECT pg_advisory_xact_lock(7); ";

#[test]
fn before_a_failure_nothing_is_undone_and_the_way_is_named() {
    let scene = Scene::new();
    scene.third("control", &format!("{WAITS}SELECT 1 / 0"), "SELECT 1");
    let session = scene.server.session("db_control");
    session.run("SELECT pg_advisory_lock(7)");
    let run = scene.orchestrator.watch(UNDO);
    run.wait_for("the last migration", |event| {
        event["event"] == "migration_started"
            && event["service"] == "control"
            && event["version"] == 3
    });
    run.signal(Signal::SIGINT);
    run.wait_for_event("cancel_requested");
    drop(session);
    let outcome = run.end();
    assert_eq!(outcome.code, 130, "{}", outcome.stdout);
    assert!(
        !outcome.stdout.contains("compensation"),
        "{}",
        outcome.stdout
    );
    let id = text(&finished(&outcome)["run_id"]).to_owned();
    assert_next(&outcome, &format!("orchestrator revert all --run {id}"));
    assert_eq!(scene.applied(), [vec![1, 2, 3], vec![1, 2, 3], vec![1, 2]]);
    scene.run(&["revert", "all", "--run", &id], 0);
    scene.assert_old();
}

#[test]
fn without_a_failure_the_way_is_named_too() {
    let scene = Scene::new();
    scene.third(
        "auth",
        &format!("{WAITS}CREATE TABLE c (id int)"),
        "DROP TABLE c",
    );
    let session = scene.server.session("db_auth");
    session.run("SELECT pg_advisory_lock(7)");
    let run = scene.orchestrator.watch(UNDO);
    run.wait_for("the migration that waits", |event| {
        event["event"] == "migration_started" && event["version"] == 3
    });
    run.signal(Signal::SIGINT);
    run.wait_for_event("cancel_requested");
    drop(session);
    let outcome = run.end();
    assert_eq!(outcome.code, 130, "{}", outcome.stdout);
    assert_eq!(
        reported(&outcome, "migration_applied"),
        ["auth 2", "auth 3"]
    );
    assert_next(&outcome, "orchestrator revert all --run ");
}

#[test]
fn during_a_compensation_the_step_at_hand_is_finished() {
    let scene = Scene::new();
    let waits = format!("{WAITS}DROP TABLE c");
    scene.third("policy", "CREATE TABLE c (id int)", &waits);
    let session = scene.server.session("db_policy");
    session.run("SELECT pg_advisory_lock(7)");
    let run = scene.orchestrator.watch(UNDO);
    run.wait_for("the revert of policy", |event| {
        event["event"] == "migration_started"
            && event["direction"] == "down"
            && event["service"] == "policy"
    });
    run.signal(Signal::SIGINT);
    run.wait_for_event("cancel_requested");
    drop(session);
    let outcome = run.end();
    assert_eq!(outcome.code, 130, "{}", outcome.stdout);
    assert_eq!(
        reported(&outcome, "migration_reverted"),
        ["control 2", "policy 3"]
    );
    assert_eq!(
        states(&outcome),
        ["auth new 3", "control old 1", "policy between 2"]
    );
    assert_eq!(finished(&outcome)["verdict"], "cancelled");
    let id = text(&finished(&outcome)["run_id"]).to_owned();
    assert_next(&outcome, &format!("orchestrator revert all --run {id}"));
    let next = finished(&outcome)["next"].to_string();
    assert!(!next.contains("restore"), "{next}");

    scene.run(&["revert", "all", "--run", &id], 0);
    scene.assert_old();
}
